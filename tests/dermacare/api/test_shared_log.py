"""Several servers, one log: an answer that one of them gave is traced from anywhere, and none is given that is not logged."""

import httpx
import pytest

from components.prediction_log import PredictionLog
from dermacare.api.schemas import Health
from pipelines.home import Home
from pipelines.trace_prediction import trace_prediction
from tests.components.predict.drawn import lesion, png
from tests.dermacare_server import serving
from tests.postgresql import postgresql

PREDICTIONS = "/api/v1/predictions"
IMAGE = {"image": ("a.png", png(lesion()))}


@pytest.mark.slow
def test_answers_stand_in_the_shared_log_or_are_not_given(ready_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with postgresql() as database:
        database.query("postgres", "create database dermacare")
        monkeypatch.setenv("DERMACARE_PREDICTIONS", database.address("dermacare"))
        shared = {"DERMACARE_PREDICTIONS": database.address("dermacare")}
        with serving(ready_home.root, environment=shared) as first, serving(ready_home.root, environment=shared) as second:
            given = [httpx.post(server.address + PREDICTIONS, files=IMAGE).json()["id"] for server in (first, second)]
            assert [trace_prediction(ready_home, one).prediction.id for one in given] == given
            own = PredictionLog(f"sqlite:///{ready_home.root / 'predictions.db'}")  # the copied home may have one
            assert [own.find(one) for one in given] == [None, None]

            database.kill()
            refused = httpx.post(first.address + PREDICTIONS, files=IMAGE, timeout=30)
            assert refused.status_code == 503
            assert refused.json()["type"] == "urn:dermacare:problem:not-logged"
            health = first.wait_until("/readyz", 503)
            assert "the answer cannot be logged" in Health.model_validate_json(health.content).reason
            assert "tester-password" not in refused.text + health.text
            assert httpx.get(f"{first.address}/healthz").status_code == 200

            database.start()
            first.wait_until("/readyz", 200)
            again = httpx.post(first.address + PREDICTIONS, files=IMAGE).json()["id"]
            assert trace_prediction(ready_home, again).prediction.id == again
        assert database.query("dermacare", "select count(*) from dermacare.predictions") == [(3,)]
