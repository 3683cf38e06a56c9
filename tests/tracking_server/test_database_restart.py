"""PostgreSQL dies under the team's server and comes back: the live line of a run goes on, and doubles nothing."""

from pathlib import Path

import pytest

from components import tracking
from components.tracking import Ledger, Tracker
from tests.components.test_tracking import RUN, curve, event, start, wait_for
from tests.postgresql import postgresql
from tests.seaweedfs import S3Server
from tests.tracking_server.server import PASSWORDS, tracking_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


def test_what_waited_for_the_database_is_written_once(tmp_path: Path, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "_RETRY_SECONDS", 1.0)
    said: list[str] = []
    with postgresql() as database, tracking_server(tmp_path, database, s3_server, "restarted") as server:
        for name, value in server.credentials("eva").items():
            monkeypatch.setenv(name, value)
        tracker, watcher = Tracker(Ledger(server.uri, "dermacare"), said.append), Ledger(server.uri, "dermacare")
        start(tracker)
        tracker.handle(event("resnet50", 0, loss=1.0))
        wait_for(lambda: watcher.model_run(RUN, "resnet50"), 120)
        database.kill()
        for epoch in (1, 2):
            tracker.handle(event("resnet50", epoch, loss=1 / (epoch + 1)))
        wait_for(lambda: said, 120)
        database.start()
        wait_for(lambda: len(said) == 2, 120)
        tracker.handle(event("resnet50", 3, loss=0.25))
        tracker.end_run("FINISHED", patience=120)
        assert "the run goes on without it" in said[0]
        assert not [password for password in PASSWORDS.values() if password in "".join(said)]
        assert len(watcher.search("")) == 2
        child = watcher.model_run(RUN, "resnet50")
        assert child is not None
        assert curve(watcher, child.info.run_id, "loss") == [(0, 1.0), (1, 0.5), (2, 1 / 3), (3, 0.25)]
        assert {one.info.status for one in watcher.search("")} == {"FINISHED"}
