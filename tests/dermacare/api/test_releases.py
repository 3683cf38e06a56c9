"""Promotions and rollbacks while the server answers; broken releases; a start with everything away."""

import itertools
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from components.promotion.entries import Action, Content, Version
from components.promotion.releases import serving as served_by
from components.register.context import RunContext
from components.tracking import Ledger
from dermacare.api.schemas import Health, Prediction, ServingModels
from pipelines.home import Home
from pipelines.releases import Releases
from pipelines.serving.cache import ServingCache
from pipelines.serving.fetch import fetch_release
from tests.components.predict.drawn import lesion, png
from tests.components.register.conftest import Made, classifier, judged
from tests.dermacare_server import Server, serving

PREDICTIONS = "/api/v1/predictions"
IMAGE = png(lesion())
# A process that fetches gives up as soon as the tracking server is gone.
HASTY = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.2)


def metric(server: Server, name: str) -> float:
    lines = httpx.get(f"{server.address}/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"dermacare_{name} "))


def models(server: Server) -> ServingModels:
    return ServingModels.model_validate_json(httpx.get(f"{server.address}/api/v1/models").content)


def register_another(home: Home, served: Made, tmp_path: Path) -> None:
    """Register a second classifier, as good as the first."""
    another = classifier(served.dataset, tmp_path / "another", name="another", sharpness=200.0, explainable=True)
    made = Made(served.dataset, [another], judged(served.dataset, [another], tmp_path / "evaluation"))
    made.register(Ledger(home.tracking_uri, "dermacare"), home.root / "out2", RunContext(run_id="20261125-101010-c3d4"))


def let_serve(home: Home, version: Version | None) -> None:
    """An entry of the ledger in which a classifier serves, beside the segmenter that does."""
    entries = home.releases().entries()
    release = served_by(entries).model_copy(update={"classifier": version})
    content = Content(action=Action.PROMOTE, release=release, reason="a test", subject=version)
    home.releases().append(content, after=entries[-1])


class Fire:
    """Asks without a pause from several threads; nothing may be lost."""

    def __init__(self, server: Server) -> None:
        self.answers: list[httpx.Response] = []
        self.errors: list[Exception] = []
        self._server = server
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(3)]

    def __enter__(self) -> "Fire":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        with self._server.client() as client:
            while not self._end.is_set():
                try:
                    self.answers.append(client.post(PREDICTIONS, files={"image": ("a.png", IMAGE)}))
                except httpx.TransportError as error:
                    self.errors.append(error)

    @property
    def versions(self) -> list[int]:
        """Classifiers that answered, in the order of the answers."""
        return [Prediction.model_validate_json(answer.content).models.classifier.version for answer in self.answers]


@pytest.mark.slow
def test_a_promotion_and_a_rollback_are_picked_up_without_losing_a_request(ready_home: Home, served: Made, tmp_path: Path) -> None:
    register_another(ready_home, served, tmp_path)
    with serving(ready_home.root) as server, Fire(server) as fire:
        until(lambda: models(server).classifier.reference.version == 1)
        Releases(ready_home).approve("lesion-classifier/2", "a test")
        until(lambda: models(server).classifier.reference.version == 2)
        assert metric(server, "release_current") == 1
        promoted = len(fire.answers)
        Releases(ready_home).rollback("a test")
        until(lambda: models(server).classifier.reference.version == 1 and len(fire.answers) > promoted + 10)
    assert fire.errors == []
    assert {answer.status_code for answer in fire.answers} == {200}
    assert set(fire.versions) == {1, 2}
    assert models_are_in_turn(fire.versions)


def models_are_in_turn(versions: list[int]) -> bool:
    """Threads report in almost their own order, so a handful may be out of it around each of the changes."""
    changes = sum(one != other for one, other in itertools.pairwise(versions))
    return 2 <= changes <= 20


@pytest.mark.slow
def test_a_broken_release_leaves_the_old_one_serving_and_says_so(ready_home: Home) -> None:
    with serving(ready_home.root) as server:
        good = served_by(ready_home.releases().entries()).classifier
        let_serve(ready_home, good.model_copy(update={"number": 9, "digest": "0" * 64}))
        until(lambda: metric(server, "release_current") == 0)
        until(lambda: models(server).stale is not None and "lesion-classifier/9" in models(server).stale)
        assert models(server).classifier.reference.version == good.number
        answer = httpx.post(server.address + PREDICTIONS, files={"image": ("a.png", IMAGE)})
        assert answer.status_code == 200
        let_serve(ready_home, good)
        until(lambda: metric(server, "release_current") == 1)
        assert models(server).stale is None
        assert models(server).entry == 3


@pytest.mark.parametrize("running", [True, False])
def test_while_a_newer_release_is_fetched_the_old_one_serves_and_it_is_said(ready_home: Home, running: bool) -> None:
    good = served_by(ready_home.releases().entries()).classifier
    newer = good.model_copy(update={"number": 9, "digest": "0" * 64})
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and says nothing, as a slow tracking server
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        if not running:
            let_serve(ready_home, newer)
        with serving(ready_home.root, environment={"MLFLOW_TRACKING_URI": address, **HASTY}) as server:
            if running:
                until(lambda: metric(server, "release_current") == 1)
                let_serve(ready_home, newer)
            expected = "entry 2 of the ledger is being fetched; entry 1 answers until it is there"
            until(lambda: models(server).stale == expected)
            assert metric(server, "release_current") == 0
            assert models(server).entry == 1
            answer = httpx.post(server.address + PREDICTIONS, files={"image": ("a.png", IMAGE)})
            assert answer.status_code == 200
            silent.close()
            until(lambda: models(server).stale not in (None, expected))


def test_it_starts_with_the_tracking_server_and_the_ledger_away(ready_home: Home) -> None:
    (ready_home.root / "mlflow.db").unlink()
    away = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "DERMACARE_LEDGER": "postgresql+psycopg://nobody@127.0.0.1:9/ledger"}
    with serving(ready_home.root, environment=away) as server:
        assert httpx.post(server.address + PREDICTIONS, files={"image": ("a.png", IMAGE)}).status_code == 200
        until(lambda: "the ledger failed" in (models(server).stale or ""))
        assert metric(server, "release_current") == 0
        assert models(server).classifier.figures != []


def test_a_release_of_a_segmenter_alone_measures_and_refuses_nothing(ready_home: Home) -> None:
    let_serve(ready_home, None)
    ServingCache(ready_home.serving).remember(fetch_release(ready_home))
    with serving(ready_home.root) as server:
        answer = httpx.post(server.address + PREDICTIONS, files={"image": ("a.png", IMAGE)}, data={"heat_map": "true"})
        said = Prediction.model_validate_json(answer.content)
    assert (said.models.classifier, said.data_version) == (None, None)
    assert (said.refusal, said.diagnoses, said.prediction_set, said.malignancy, said.heat_map) == (None, [], None, None, None)
    assert said.models.segmenter.name == "lesion-segmenter"
    assert said.lesion.measurements.area_pixels > 0


def test_what_serves_is_fetched_where_nothing_is_cached(home: Home) -> None:
    with serving(home.root) as server:
        assert models(server).classifier.missing is None
        assert models(server).stale is None


def test_a_home_in_which_nothing_serves_says_how_something_comes_to(tmp_path: Path) -> None:
    with serving(tmp_path / "home", ready=False) as server:
        health = server.wait_until("/readyz", 503)
        assert Health.model_validate_json(health.content).reason.startswith("no model serves yet; run the pipeline")
        for answer in (
            httpx.post(server.address + PREDICTIONS, files={"image": ("a.png", IMAGE)}),
            httpx.get(f"{server.address}/api/v1/models"),
        ):
            assert answer.status_code == 503
            assert answer.json()["type"] == "urn:dermacare:problem:not-ready"
        assert httpx.get(f"{server.address}/healthz").status_code == 200
        assert len(httpx.get(f"{server.address}/api/v1/classes").json()) == 8


def test_the_serving_process_imports_nothing_that_trains_or_unpickles_models(ready_home: Home) -> None:
    program = (
        "import asyncio, sys\n"
        "from dermacare.api.app import serve_app\n"
        "from dermacare.api.service import Service\n"
        "from dermacare.api.settings import Settings\n"
        "from components.predict.predictor import Predictor\n"
        "from pipelines.home import Home\n"
        "from pipelines.serving.cache import ServingCache\n"
        "home = Home.here()\n"
        "serve_app(Settings(home))\n"
        "cache = ServingCache(home.serving)\n"
        "cache.load(cache.remembered)\n"
        "home.releases().newest()\n"
        "unwanted = ('tensorflow', 'keras', 'mlflow', 'pandas', 'pyarrow', 'onnx', 'h5py', 'sklearn', 'matplotlib', 'joblib')\n"
        "print([name for name in unwanted if name in sys.modules])\n"
    )
    environment = {**os.environ, "DERMACARE_HOME": str(ready_home.root)}
    ended = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert ended.stdout.strip() == "[]", ended.stderr
