"""What a hospital runs beside PostgreSQL and the tracking server, on loopback: S3 and DermaCare. Each can be killed."""

import os
import signal
import sqlite3
import threading
from contextlib import ExitStack
from pathlib import Path

import httpx

from dermacare.api.schemas import ServingModels
from pipelines.home import Home
from tests.components.predict.drawn import jpeg, lesion
from tests.dermacare_server import Server, serving
from tests.seaweedfs import seaweedfs


class Storage:
    """SeaweedFS over a folder; it comes back with what it had, at the same address."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._running = ExitStack()
        self.server = self._running.enter_context(seaweedfs(folder))

    def start(self) -> None:
        """Start it again; it answers when this returns."""
        self._running.enter_context(seaweedfs(self._folder))

    def kill(self) -> None:
        """End it at once."""
        self._running.close()


class App:
    """`dermacare serve` in a home of its own, and a client that never stops asking it for predictions.

    Attributes:
        answered: ids of the predictions that the client was given.
        faults: what must not have happened while the app ran.
    """

    def __init__(self, home: Home, environment: dict[str, str]) -> None:
        home.root.mkdir()
        self._home, self._environment = home, environment
        self._server: Server | None = None
        self._running = ExitStack()
        self._ending = threading.Event()
        self._client = threading.Thread(target=self._ask)
        self.answered: set[str] = set()
        self.faults: list[str] = []

    def start(self) -> None:
        """Start it; a release is loaded when this returns."""
        self._server = self._running.enter_context(serving(self._home.root, environment=self._environment))
        if self._client.ident is None:
            self._client.start()

    def kill(self) -> None:
        """End it and its workers at once; what asks it goes on."""
        assert self._server is not None
        server, self._server = self._server, None
        os.killpg(server.process.pid, signal.SIGKILL)
        server.process.wait(30)
        self._running.close()

    def end(self) -> None:
        """End the client, then the app as Ctrl-C does."""
        self._ending.set()
        if self._client.ident is not None:
            self._client.join()
        self._running.close()

    def models(self) -> ServingModels:
        """What serves."""
        assert self._server is not None
        with self._server.client() as client:
            return ServingModels.model_validate_json(client.get("/api/v1/models").content)

    def logged(self) -> set[str]:
        """Ids of the predictions that its log has."""
        with sqlite3.connect(self._home.root / "predictions.db") as log:
            return {row[0] for row in log.execute("select id from predictions")}

    def _ask(self) -> None:
        image = jpeg(lesion())
        while not self._ending.wait(0.2):
            server = self._server
            if server is None:
                continue
            try:
                answer = httpx.post(f"{server.address}/api/v1/predictions", files={"image": ("a.jpg", image)}, timeout=60)
            except httpx.TransportError as error:
                if self._server is server:  # else it was killed while it answered
                    self.faults.append(f"a request was lost: {error!r}")
                continue
            if answer.status_code == 200:
                self.answered.add(answer.json()["id"])
            else:
                self.faults.append(f"{answer.status_code}: {answer.text}")
