"""Each thing is told once, and what could not be told is told by the next."""

import os
from pathlib import Path

import pytest

from components.notify import COMMAND, WEBHOOK, Message
from pipelines.home import Home
from pipelines.retraining.notices import Notices

MESSAGE = Message("waiting", "approve it", {"version": "lesion-classifier/2"})


@pytest.fixture(autouse=True)
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A command that appends what it is told to a file, while a file `up` is there."""
    monkeypatch.delenv(WEBHOOK, raising=False)
    monkeypatch.setattr("components.notify._PAUSES", (0.0,))
    monkeypatch.setenv(COMMAND, f"sh -c 'test -e {tmp_path}/up && cat >> {tmp_path}/told'")
    (tmp_path / "up").touch()
    return tmp_path


def told(folder: Path) -> str:
    return (folder / "told").read_text() if (folder / "told").exists() else ""


def test_the_same_thing_is_told_once(command: Path) -> None:
    notices = Notices(Home(command / "home"))
    assert notices.tell(MESSAGE) == []
    assert notices.tell(MESSAGE) == []
    assert notices.catch_up() == []
    assert told(command) == "approve it\n"
    assert notices.tell(Message("promoted", "it serves")) == []
    assert told(command) == "approve it\nit serves\n"


def test_what_could_not_be_told_is_told_by_the_next(command: Path) -> None:
    (command / "up").unlink()
    home = Home(command / "home")
    assert Notices(home).tell(MESSAGE) == ["DERMACARE_NOTIFY_COMMAND: ended with 1"]
    assert Notices(home).catch_up() == ["DERMACARE_NOTIFY_COMMAND: ended with 1"]
    (command / "up").touch()
    assert Notices(home).catch_up() == []
    assert Notices(home).catch_up() == []
    assert told(command) == "approve it\n"


def test_a_failure_is_told_once_while_it_lasts_and_again_when_it_comes_back(command: Path) -> None:
    notices = Notices(Home(command / "home"))
    once = "DermaCare could not retrain\nthe disk is full\n"
    for _ in range(2):
        assert notices.tell_failure("the disk is full") == []
        assert told(command) == once
    notices.fails_no_more()
    notices.tell_failure("the disk is full")
    assert told(command) == 2 * once
    assert len(list((command / "home").rglob("*.told"))) == 2, "under another id: a receiver that drops what it has takes it"


def test_without_anybody_to_tell_nothing_is_kept(command: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(COMMAND)
    assert Notices(Home(command / "home")).tell(MESSAGE) == []
    assert not (command / "home").exists()


def test_where_the_environment_names_nobody_what_waits_goes_on_waiting(command: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (command / "up").unlink()
    home, named = Home(command / "home"), os.environ[COMMAND]
    Notices(home).tell(MESSAGE)
    monkeypatch.delenv(COMMAND)
    assert Notices(home).catch_up() == []
    (command / "up").touch()
    monkeypatch.setenv(COMMAND, named)
    assert Notices(home).catch_up() == []
    assert told(command) == "approve it\n"
