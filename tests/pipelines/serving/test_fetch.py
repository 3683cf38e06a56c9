"""What serves, brought to this machine: whole, as it was registered, with all that is known of it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from components.bundle import MODEL, bundle_digest
from components.dataset import Dataset
from components.errors import BundleError, LedgerError, TrackingError
from components.files import sha256_file
from components.lesions import CODES, Task
from components.predict.picture import read_picture
from components.promotion.releases import serving
from components.scores import read_scores
from pipelines import garbage
from pipelines.home import Home
from pipelines.serving.cache import ServingCache
from pipelines.serving.fetch import fetch_release
from tests.components.predict.drawn import lesion, png
from tests.components.register.conftest import Made


def test_both_models_are_fetched_with_what_is_known_of_them(kept_home: Home, served: Made) -> None:
    release = fetch_release(kept_home)
    scores = read_scores(served.evaluation).models
    (entry,) = kept_home.releases().entries()
    assert (release.entry, release.head) == (1, entry.hash)
    assert release.label == "lesion-classifier/1 + lesion-segmenter/1"
    assert release.phantom

    facts = release.classifier
    assert facts.reference.digest == bundle_digest(served.models[0])
    assert facts.missing is None
    assert facts.confusion.counts == scores["skilled"].test.confusion
    by_name = {figure.name: figure for figure in facts.figures}
    interval = scores["skilled"].test.intervals["balanced_accuracy"]
    assert by_name["balanced_accuracy"].value == pytest.approx(scores["skilled"].test.balanced_accuracy)
    assert (by_name["balanced_accuracy"].low, by_name["balanced_accuracy"].high) == pytest.approx((interval.low, interval.high))
    assert [one.code.value for one in facts.diagnoses] == list(CODES)
    assert facts.diagnoses[0].sensitivity == pytest.approx(scores["skilled"].test.classes["MEL"].recall)
    rows = Dataset(served.dataset).rows(Task.CLASSIFICATION)
    assert facts.data.images == len(rows)
    assert facts.data.sources == ["phantom"]
    assert facts.decision.outcome == "promote"
    assert facts.decision.policy == "trial"
    assert facts.card == "# skilled\n"
    assert any("drawn images" in limit for limit in facts.limits)
    assert [figure.name for figure in release.segmenter.figures][:2] == ["dice", "jaccard"]


def test_what_was_fetched_answers_with_the_tracking_server_and_the_ledger_gone(home: Home) -> None:
    cache = ServingCache(home.serving)
    cache.remember(fetch_release(home))
    (home.root / "mlflow.db").unlink()
    (home.root / "ledger.db").unlink()
    predictor = cache.load(cache.remembered)
    answer = predictor.answer(read_picture(png(lesion()), "image", predictor.reading, 10**7), heat_map=True)
    assert answer.diagnosed.order[0] == CODES.index("MEL")
    assert answer.heat is not None
    assert answer.shape is not None


def test_fetching_again_fetches_nothing(home: Home) -> None:
    cache = ServingCache(home.serving)
    first = fetch_release(home)
    file = cache.model(first.classifier.reference.digest) / "explained.onnx"
    before = file.stat().st_mtime_ns
    assert fetch_release(home) == first == cache.fetched
    assert file.stat().st_mtime_ns == before


@pytest.mark.parametrize("name", [f"whole/{MODEL}", "whole/bundle.json", "explained.onnx", "heads.npz"])
def test_a_file_that_changed_on_disk_is_not_loaded(name: str, home: Home) -> None:
    cache = ServingCache(home.serving)
    release = fetch_release(home)
    file = cache.model(release.classifier.reference.digest) / name
    content = file.read_bytes()
    file.unlink()  # a hard link: MLflow's own file stays as it is
    file.write_bytes(content[:-1] + b"~")
    with pytest.raises(BundleError, match=r"bytes changed|holds .* but lesion-classifier/1 is"):
        cache.load(release)


def test_a_ledger_that_somebody_edited_is_not_believed(home: Home) -> None:
    import sqlite3

    with sqlite3.connect(home.root / "ledger.db") as database:
        database.execute("DROP TRIGGER ledger_update")
        database.execute('UPDATE ledger SET entry = replace(entry, \'"reason":"\', \'"reason":"so \')')
    with pytest.raises(LedgerError, match="entry 1: was changed since it was signed"):
        fetch_release(home)


def test_without_mlflow_a_new_model_cannot_be_fetched_and_an_old_one_says_what_is_missing(home: Home) -> None:
    digest = serving(home.releases().entries()).classifier.digest
    release = fetch_release(home)
    (home.root / "mlflow.db").unlink()
    assert fetch_release(home) == release
    ServingCache(home.serving).root.joinpath("fetched.json").unlink()
    again = fetch_release(home)
    assert again.classifier.missing == "this home has no MLflow"
    assert again.classifier.reference == release.classifier.reference
    for path in sorted(home.serving.joinpath("models", digest).rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    with pytest.raises(TrackingError, match="lesion-classifier/1: serves, but this home has no MLflow"):
        fetch_release(home)


def test_an_empty_home_says_how_something_comes_to_serve(tmp_path: Path) -> None:
    environment = {**os.environ, "DERMACARE_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "pipelines.serving.fetch"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ended.returncode == 1
    assert "nothing serves yet; run the pipeline" in ended.stderr


def test_gc_deletes_models_that_serve_no_more_and_no_other(home: Home) -> None:
    fetch_release(home)
    old = ServingCache(home.serving).model("0" * 64)
    old.mkdir()
    (old / "explained.onnx").write_bytes(b"old")
    found = [item for item in garbage.find(home) if item.step == "serving"]
    assert [(item.key, item.size) for item in found] == [("0" * 64, 3)]
    garbage.delete(home, found)
    assert not old.exists()
    ServingCache(home.serving).load(fetch_release(home))


def test_a_network_that_cannot_be_run_is_an_error_that_names_the_release(home: Home) -> None:
    cache = ServingCache(home.serving)
    release = fetch_release(home)
    folder = cache.model(release.classifier.reference.digest)
    (folder / "explained.onnx").write_bytes(b"no network")
    digests = {name: sha256_file(folder / name) for name in ("explained.onnx", "heads.npz")}
    (folder / "derived.json").write_text(json.dumps(digests))
    with pytest.raises(BundleError, match=r"lesion-classifier/1 \+ lesion-segmenter/1: cannot be run \(.*\); let another version"):
        cache.load(release)
