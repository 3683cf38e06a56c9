"""The register step against the team's server: by a reviewer, without S3, by an engineer, by a promoter; all stands there once."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from components.errors import TrackingDenied, TrackingError
from components.register import step
from components.tracking import Ledger
from tests.components.register.conftest import RUN, Made, made
from tests.postgresql import postgresql
from tests.seaweedfs import seaweedfs
from tests.tracking_server.server import TrackingServer, tracking_server

__all__ = ["made"]  # a fixture

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


def as_user(server: TrackingServer, user: str, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    for name, value in server.credentials(user).items():
        monkeypatch.setenv(name, value)
    return Ledger(server.uri, "dermacare")


def test_who_may_and_what_is_away(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step, "_PAUSES", (0.5,))
    for name in ("s3", "server"):
        (tmp_path / name).mkdir()
    with ExitStack() as stack:
        s3_life = stack.enter_context(ExitStack())
        s3 = s3_life.enter_context(seaweedfs(tmp_path / "s3"))
        server = stack.enter_context(tracking_server(tmp_path / "server", stack.enter_context(postgresql()), s3, "team"))

        with pytest.raises(TrackingDenied, match="have the server's admin give you the right"):
            made.register(as_user(server, "rob", monkeypatch), tmp_path / "out")
        assert ask(server, "select count(*) from runs") == 0

        s3_life.close()
        with pytest.raises(TrackingError, match="publishing run"):
            made.register(as_user(server, "eva", monkeypatch), tmp_path / "out")
        assert ask(server, "select count(*) from model_versions") == 0

        stack.enter_context(seaweedfs(tmp_path / "s3"))
        made.register(as_user(server, "eva", monkeypatch), tmp_path / "out")
        assert ask(server, "select count(*) from model_versions") == 2
        assert ask(server, "select count(*) from registered_model_aliases") == 0
        assert (tmp_path / "out.jsonl").read_text().count("does not let you: the next") == 2

        release = made.register(as_user(server, "pia", monkeypatch), tmp_path / "out")
        assert release.classifier is not None
        assert release.classifier.serves
        assert ask(server, "select count(*) from registered_model_aliases where alias = 'production' and version = 1") == 2
        assert_whole_and_once(server)
        stored = [entry["Key"] for entry in s3.client().list_objects_v2(Bucket=server.name)["Contents"]]
        assert len([key for key in stored if key.endswith("/bundle/model.onnx")]) == len(made.models)


def assert_whole_and_once(server: TrackingServer) -> None:
    assert ask(server, f"select count(*) from tags where key = 'dermacare.run_id' and value = '{RUN}'") == 4
    assert ask(server, "select count(*) from model_versions") == 2
    assert ask(server, "select count(*) from logged_models") == 3
    assert ask(server, "select count(*) from metrics where key = 'val_loss'") == 6  # three models, two epochs
    assert ask(server, "select count(*) from (select from metrics group by run_uuid, key, step having count(*) > 1) twice") == 0
    assert ask(server, "select count(*) from runs where status = 'RUNNING'") == 0


def ask(server: TrackingServer, query: str) -> object:
    """The one value that a query of the server's database gives."""
    return server.database.query(server.name, query)[0][0]
