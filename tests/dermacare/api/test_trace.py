"""From an answer's id to the data that trained it and who let it serve."""

import json
import shutil
from pathlib import Path

import httpx
import pytest

from components.bundle import bundle_digest
from components.dataset import Dataset
from components.errors import RunError
from dermacare.trace_command import trace
from pipelines.home import Home
from pipelines.trace_prediction import trace_prediction
from tests.components.predict.drawn import lesion, png
from tests.components.register.conftest import RUN, Made


@pytest.fixture
def answered(client: httpx.Client, fetched_home: Home, monkeypatch: pytest.MonkeyPatch) -> str:
    """Id of an answer; the commands look into the server's home."""
    monkeypatch.setenv("DERMACARE_HOME", str(fetched_home.root))
    sent = {"files": {"image": ("a.png", png(lesion()))}, "data": {"age": "54", "site": "head/neck"}}
    return client.post("/api/v1/predictions", **sent).json()["id"]


def test_an_answer_is_joined_to_its_models_their_data_and_their_approval(answered: str, fetched_home: Home, served: Made) -> None:
    traced = trace_prediction(fetched_home, answered)
    assert traced.astray == []
    assert traced.prediction.age == 54
    assert max(traced.prediction.probabilities, key=traced.prediction.probabilities.get) == "MEL"
    classifier, segmenter = traced.chains
    assert classifier.model.digest == bundle_digest(served.models[0]) == traced.prediction.classifier.digest
    assert segmenter.model.version == "lesion-segmenter/1"
    assert classifier.data.version == Dataset(served.dataset).version == traced.prediction.classifier.data_version
    assert classifier.training.run_id == RUN == traced.prediction.classifier.run_id
    assert classifier.decisions.serves


def test_it_is_printed_for_people_and_for_scripts(answered: str, capsys: pytest.CaptureFixture[str]) -> None:
    trace(answered, as_json=False)
    text = capsys.readouterr().out
    assert f"prediction {answered}" in text
    assert "told: age 54, site head/neck" in text
    assert "lesion-classifier/1" in text
    assert "by entry 1 of the ledger" in text
    trace(answered, as_json=True)
    content = json.loads(capsys.readouterr().out)
    assert content["prediction"]["id"] == answered
    assert len(content["chains"]) == 2


def test_an_id_that_was_never_given_says_where_to_look(fetched_home: Home) -> None:
    with pytest.raises(RunError, match=r"has no prediction 0{32}; set DERMACARE_HOME to the home of the server that answered"):
        trace_prediction(fetched_home, "0" * 32)


def test_what_cannot_be_looked_up_is_said_beside_the_answer(answered: str, fetched_home: Home, tmp_path: Path) -> None:
    home = Home(tmp_path / "elsewhere")
    home.root.mkdir()
    for file in fetched_home.root.glob("predictions.db*"):
        shutil.copyfile(file, home.root / file.name)
    traced = trace_prediction(home, answered)
    assert traced.chains == []
    assert traced.astray[0] == "the ledger has no entry 1, by which the models served"
    assert "lesion-classifier/1: cannot be looked up" in traced.astray[1]
