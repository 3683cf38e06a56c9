"""Telling people outside: a real server, a real command."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from components.notify import COMMAND, WEBHOOK, Message, notify, receivers


@dataclass
class Receiver:
    """A webhook on loopback: what it got, and what it answers next; 200 when nothing is said."""

    address: str = ""
    got: list[dict[str, Any]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    known = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            known.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(known.answers.pop(0) if known.answers else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        known.address = f"http://127.0.0.1:{server.server_port}/hook?token=geheim"
        yield known
        server.shutdown()


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (WEBHOOK, COMMAND):
        monkeypatch.delenv(name, raising=False)


def test_without_receivers_nobody_is_told() -> None:
    assert receivers() == []
    assert notify("refused", "no", {}) == []


def test_a_webhook_gets_the_message_without_credentials(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WEBHOOK, receiver.address)
    assert notify("waiting", "approve it", {"mlflow": "https://eva:geheim@mlflow.example.org", "images": 3}) == []
    (got,) = receiver.got
    assert got["event"] == "waiting"
    assert got["summary"] == "approve it"
    assert got["details"] == {"mlflow": "https://mlflow.example.org", "images": 3}
    assert len(got["id"]) == 16


def test_a_webhook_that_fails_is_asked_again_with_the_same_id(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WEBHOOK, receiver.address)
    receiver.answers = [500, 503]
    assert notify("promoted", "it serves", pauses=(0, 0, 0)) == []
    assert [got["id"] for got in receiver.got] == [Message("promoted", "it serves").id] * 3


def test_what_stays_away_is_told_without_its_address(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WEBHOOK, receiver.address)
    receiver.answers = [404, 404]
    assert notify("refused", "no", pauses=(0,)) == ["DERMACARE_WEBHOOK: did not take the message (HTTP 404)"]
    monkeypatch.setenv(WEBHOOK, "http://127.0.0.1:9/geheim")
    monkeypatch.setenv(COMMAND, "/nowhere/mail --token geheim")
    said = notify("refused", "no", pauses=())
    assert [sentence.partition(":")[0] for sentence in said] == [WEBHOOK, COMMAND]
    assert "geheim" not in "".join(said)
    monkeypatch.setenv(WEBHOOK, "file:///etc/passwd")
    assert "no http:// or https://" in notify("refused", "no", pauses=())[0]


def test_a_command_gets_the_summary_on_stdin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(COMMAND, f"sh -c 'cat > {tmp_path}/told; echo $DERMACARE_EVENT >> {tmp_path}/told'")
    assert notify("refused", "the batch was refused\nsee docs") == []
    assert (tmp_path / "told").read_text() == "the batch was refused\nsee docs\nrefused\n"
    monkeypatch.setenv(COMMAND, "false")
    assert notify("refused", "no", pauses=()) == ["DERMACARE_NOTIFY_COMMAND: ended with 1"]
