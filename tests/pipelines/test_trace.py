"""`dermacare trace`: the chain of a model out of MLflow and the ledger, and what is said where a link is lost."""

import json
import shutil
from pathlib import Path

import pytest

from components.bundle import MODEL, bundle_digest, read_description
from components.dataset import Dataset
from components.errors import RunError
from components.files import sha256_file
from components.lesions import Task
from components.promotion.entries import Action, Content, Outcome
from components.promotion.releases import serving
from components.provenance.images import image_list_digest
from components.provenance.machine import note_machine, this_machine
from components.register.context import RunContext
from components.tracking import Ledger
from dermacare.trace_command import trace
from pipelines.home import Home
from pipelines.trace import Chains
from tests.bundles import segmenter_bundle
from tests.components.register.conftest import RUN, Made, classifier, judged, trained
from tests.datasets import preprocessed_dataset
from tests.mlflow_server import address

CONTEXT = RunContext(
    run_id=RUN,
    profile="demo",
    params={"train_classifier.seed": "2019", "train_classifier.epochs": "2", "ingest.sources": "['phantom']"},
    commit="c" * 40,
    step_keys={"train_classifier/skilled": "k" * 20},
    codes={"train_classifier/skilled": "e" * 20},
    lock="f" * 64,
    dvc_revision="dvc:isic:images@abc",
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A classifier that notes its machine, and a segmenter that does not."""
    root = tmp_path_factory.mktemp("traced")
    dataset = preprocessed_dataset(root / "data", per_class=3)
    models = [
        classifier(dataset, root / "skilled", name="skilled"),
        trained(segmenter_bundle(root / "outliner", name="outliner", data_version=Dataset(dataset).version)),
    ]
    note_machine(models[0])
    return Made(dataset, models, judged(dataset, models, root / "evaluation"))


@pytest.fixture(scope="module")
def kept(made: Made, mlflow_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home in which the run is registered; not to be changed."""
    root = tmp_path_factory.mktemp("kept") / "home"
    made.register(Ledger(address(mlflow_database, root), "dermacare"), root / "out", CONTEXT)
    return Home(root)


@pytest.fixture(autouse=True)
def _own_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("DERMACARE_LEDGER", raising=False)


@pytest.fixture
def home(kept: Home, tmp_path: Path) -> Home:
    """A copy of it, to be changed."""
    shutil.copytree(kept.root, tmp_path / "home")
    return Home(tmp_path / "home")


def test_a_version_is_traced_to_files_run_data_code_and_gates(kept: Home, made: Made) -> None:
    (chain,) = Chains(kept).find("lesion-classifier/1")
    skilled = made.models[0]
    assert chain.model.version == "lesion-classifier/1"
    assert chain.model.aliases == ("production",)
    assert chain.model.digest == bundle_digest(skilled)
    assert chain.model.files[MODEL] == sha256_file(skilled / MODEL)
    assert chain.training.run_id == RUN
    assert chain.training.seeds == {"train_classifier.seed": "2019"}
    assert chain.training.params == CONTEXT.params
    assert chain.training.step_key == "k" * 20
    assert chain.training.machines == (this_machine(),)
    dataset = Dataset(made.dataset)
    assert chain.data.version == dataset.version == read_description(skilled).data_version
    assert chain.data.images == image_list_digest(dataset, Task.CLASSIFICATION)
    assert chain.data.revision == "dvc:isic:images@abc"
    assert (chain.code.commit, chain.code.dirty) == ("c" * 40, False)
    assert (chain.code.digest, chain.code.lock) == ("e" * 20, "f" * 64)
    assert chain.decisions.serves
    assert {gate.gate for gate in chain.decisions.gates} >= {"data", "comparison"}
    assert chain.decisions.policy is not None
    assert chain.decisions.policy.startswith("trial, SHA-256 ")
    assert chain.unknown == {}
    assert chain.astray == ()


def test_an_alias_and_a_run_mean_both_models(kept: Home) -> None:
    labels = ["lesion-classifier/1", "lesion-segmenter/1"]
    chains = Chains(kept)
    for name in ("production", "1", RUN):
        assert [chain.model.version for chain in chains.find(name)] == labels


def test_what_is_not_noted_is_unknown_and_says_why(kept: Home) -> None:
    (chain,) = Chains(kept).find("lesion-segmenter/production")
    assert chain.training.machines == ()
    assert chain.unknown["training.machines"] == "its run in MLflow does not note it"
    assert chain.code.digest is None


def test_a_training_that_mlflow_never_heard_of_is_told(made: Made, mlflow_uri: str, tmp_path: Path) -> None:
    offline = CONTEXT.model_copy(update={"reused": {"skilled": "20261101-000000-beef"}})
    made.register(Ledger(mlflow_uri, "dermacare"), tmp_path / "home" / "out", offline)
    (chain,) = Chains(Home(tmp_path / "home")).find("lesion-classifier/1")
    assert chain.training.trained_in == "20261101-000000-beef"
    assert "MLflow does not know run 20261101-000000-beef" in chain.unknown["training"]


def test_who_approved_it_stands_at_the_end(home: Home) -> None:
    ledger = home.releases()
    entries = ledger.entries()
    version = serving(entries).classifier
    judgement = entries[-1].decisions[0].model_copy(update={"outcome": Outcome.NEEDS_APPROVAL, "approvals": 1})
    again = {name: getattr(entries[-1], name) for name in Content.model_fields} | {"decisions": (judgement,)}
    entry = ledger.append(Content.model_validate(again), after=entries[-1])
    ledger.append(Content(action=Action.APPROVE, release=entry.release, reason="looked at it", subject=version), after=entry)
    (chain,) = Chains(home).find("lesion-classifier/1")
    (approver,) = chain.decisions.approvers
    assert approver.endswith(f"entry {entry.number + 1}: looked at it")


def test_a_lost_run_leaves_what_the_version_itself_says(home: Home) -> None:
    ledger = Ledger(home.tracking_uri, "dermacare")
    mlflow_id = ledger.client.get_model_version("lesion-classifier", "1").run_id
    ledger.client.delete_run(mlflow_id)
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    SqlAlchemyStore(home.tracking_uri, str(home.artifacts))._hard_delete_run(mlflow_id)
    (chain,) = Chains(home).find("lesion-classifier/1")
    assert chain.code.commit == "c" * 40
    assert chain.data.version is not None
    assert chain.training.params == {}
    assert chain.unknown["data.images"] == "MLflow has lost the run of skilled"


def test_a_bundle_that_was_exchanged_is_told(home: Home) -> None:
    client = Ledger(home.tracking_uri, "dermacare").client
    client.set_model_version_tag("lesion-classifier", "1", "dermacare.bundle", "0" * 64)
    (chain,) = Chains(home).find("lesion-classifier/1")
    assert [sentence.partition(" ")[2][:30] for sentence in chain.astray] == [
        "ledger judged lesion-classifie",
        "stored bundle.json has the SHA",
    ]


def test_what_is_nothing_is_told_with_what_there_is(kept: Home, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"7: is no registered version and no run .*; versions: lesion-classifier/1, lesion-seg"):
        Chains(kept).find("7")
    with pytest.raises(RunError, match="nothing was registered there yet"):
        Chains(Home(tmp_path / "empty"))


def test_the_tree_is_short_lines_and_json_has_it_all(kept: Home, monkeypatch, capsys) -> None:
    monkeypatch.setenv("DERMACARE_HOME", str(kept.root))
    trace("lesion-classifier/1", as_json=False)
    told = capsys.readouterr().out
    assert "lesion-classifier/1 (production)" in told
    assert "train_classifier: epochs 2 · seed 2019" in told
    assert f"commit {'c' * 40}, unchanged" in told
    assert "gate data holds: " in told
    trace(RUN, as_json=True)
    first, second = json.loads(capsys.readouterr().out)
    assert first["model"]["files"].keys() > {MODEL}
    assert second["data"]["sources"] == "['phantom']"
