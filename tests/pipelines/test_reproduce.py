"""Before a training is repeated: what stands against it, and where its images are taken from."""

from pathlib import Path
from typing import Any

import pytest

from components.dataset import Dataset
from components.errors import RunError
from components.params import load_params
from components.provenance.chain import Chain, Code, Data, Decisions, Model, Training
from components.provenance.machine import this_machine
from components.store import Store, code_digest
from components.training.libraries import library_versions
from pipelines.home import Home
from pipelines.publish import flat, git_state, recorded
from pipelines.reproduce import Compared, Reproduction
from tests.datasets import encoded_dataset

RUN = "20261124-153012-a1b2"


def chain(source: Path, *, training: dict[str, Any] | None = None, code: dict[str, Any] | None = None, version: str = "d") -> Chain:
    """The chain of a model that the code of here trained on this machine, from a folder."""
    sizes = [f"preprocess.{task}_size=[32, 32]" for task in ("classification", "segmentation")]
    params = load_params(data=[str(source)], assignments=["train_classifier.models=[tiny_cnn]", *sizes]).params
    commit, dirty = git_state()
    ours: dict[str, Any] = {"commit": commit, "dirty": dirty, "digest": code_digest("train_classifier"), "lock": None}
    known = {"machines": (this_machine(),), "libraries": library_versions()}
    texts = flat(recorded(params.model_dump(mode="json", by_alias=True)))
    return Chain(
        model=Model(version=None, name="tiny_cnn", digest="b" * 64),
        training=Training(**({"run_id": RUN, "params": texts} | known | (training or {}))),
        data=Data(version=version, images="other", revision=None, sources=str(source)),
        code=Code(**(ours | (code or {}))),
        decisions=Decisions(outcome=None, policy=None),
    )


def test_other_code_is_to_be_checked_out(tmp_path: Path) -> None:
    other = chain(tmp_path, code={"digest": "other", "commit": "c" * 40, "dirty": False})
    with pytest.raises(RunError, match=f"was trained by other code .*; `git checkout {'c' * 40}`, install its requirements.lock"):
        Reproduction(Home(tmp_path), other)


def test_changes_that_nobody_committed_cannot_be_repeated(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="with uncommitted changes, and cannot be repeated without"):
        Reproduction(Home(tmp_path), chain(tmp_path, code={"digest": "other", "dirty": True}))
    with pytest.raises(RunError, match="its commit is not known"):
        Reproduction(Home(tmp_path), chain(tmp_path, code={"digest": "other", "commit": None}))


def test_parameters_that_are_not_known_are_told(tmp_path: Path) -> None:
    lost = chain(tmp_path).model_copy(update={"unknown": {"training.params": "MLflow has lost the run"}})
    with pytest.raises(RunError, match=r"its parameters are not known \(MLflow has lost the run\)"):
        Reproduction(Home(tmp_path), lost)


def test_another_machine_and_other_libraries_are_remarked(tmp_path: Path) -> None:
    other = {"machines": ("aarch64, another, 64 threads, no GPU",), "libraries": library_versions() | {"keras": "2.0"}}
    libraries, machine = Reproduction(Home(tmp_path), chain(tmp_path, training=other)).remarks()[-2:]
    assert libraries.startswith("libraries differ (keras 2.0 → ")
    assert machine.startswith("it was trained on aarch64, another, 64 threads, no GPU, and this is ")


def test_images_that_lie_nowhere_are_asked_for(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"are neither where they lay nor in this home \(.*gone.* does not exist.*--data"):
        Reproduction(Home(tmp_path / "home"), chain(tmp_path / "gone")).repeat(lambda _: None)


def test_where_the_sources_are_gone_it_begins_with_what_the_home_still_has(tmp_path: Path) -> None:
    home, told = Home(tmp_path / "home"), []
    kept = Store(home.root).execute("validate", "k" * 20, lambda work: encoded_dataset(work, per_class=3) and None).out
    version = Dataset(kept).version
    rows = Reproduction(home, chain(tmp_path / "gone", version=version)).repeat(told.append)
    assert rows[0] == Compared("data version", version, version)
    assert [row.is_equal for row in rows] == [True, False]
    assert "this home still has the checked images" in told[0]
    assert told[-1] == "the data is another: nothing is trained"
