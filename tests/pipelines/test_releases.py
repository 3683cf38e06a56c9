"""What people do to what serves, and what is left when they are killed while they do it."""

import multiprocessing
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from components.errors import LedgerError, TrackingError
from components.params import load_params
from components.promotion import reading
from components.promotion.entries import Action, Content, Outcome, Release
from components.promotion.keys import SigningKey
from components.promotion.ledger import ReleaseLedger
from components.promotion.releases import serving
from components.promotion.signers import Signers
from components.register.logged_model import BUNDLE
from components.register.registry import Registry
from components.tracking import Ledger
from pipelines import releases
from pipelines.home import Home
from pipelines.publish import check_tracking
from pipelines.releases import Releases
from tests.components.promotion.records import decided, release, version

CLASSIFIER, SEGMENTER = "lesion-classifier", "lesion-segmenter"


@pytest.fixture
def home(mlflow_uri: str, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home whose MLflow has five classifiers and two segmenters; its ledger is empty."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    client = Ledger(mlflow_uri, "dermacare").client
    for name, model, count in ((CLASSIFIER, "resnet101", 5), (SEGMENTER, "unet_plain", 2)):
        client.create_registered_model(name)
        for number in range(1, count + 1):
            tags = {BUNDLE: f"{number:064x}", "run_id": f"run-{number}", "model": model}
            client.create_model_version(name, source="file:///nowhere", tags=tags)
    return Home(Path(mlflow_uri.removeprefix("sqlite:///")).parent)


def write(home: Home, *contents: Content) -> None:
    for content in contents:
        ledger = home.releases()
        ledger.append(content, after=ledger.newest())


def aliases(home: Home, name: str = CLASSIFIER) -> dict[str, int]:
    found = Ledger(home.tracking_uri, "dermacare").client.get_registered_model(name).aliases
    return {alias: int(number) for alias, number in found.items()}


def tags(home: Home, number: int) -> dict[str, str]:
    return dict(Ledger(home.tracking_uri, "dermacare").client.get_model_version(CLASSIFIER, str(number)).tags)


WAITING = (
    decided(1, Outcome.PROMOTE, release(1, 1)),
    decided(2, Outcome.NEEDS_APPROVAL, release(1, 1), champion=1, approvals=1),
)


class TestApproval:
    def test_an_approved_version_serves_and_its_tags_say_by_whom(self, home):
        write(home, *WAITING)
        moved = Releases(home).approve(None, "looked at 12 cases")
        assert moved.entry.release == release(2, 1)
        assert aliases(home) == {"production": 2, "previous": 1}
        assert aliases(home, SEGMENTER) == {"production": 1}
        assert tags(home, 2)["decision"] == f"approved by {moved.entry.actor}: looked at 12 cases"
        assert tags(home, 2)["ledger"] == moved.entry.head
        described = Ledger(home.tracking_uri, "dermacare").client.get_model_version(CLASSIFIER, "2").description
        assert described.startswith(f"Entry 3 of the ledger: **approved by {moved.entry.actor}: looked at 12 cases**")

    def test_a_reason_that_is_longer_than_mlflow_has_room_for_stands_whole_in_the_ledger(self, home):
        write(home, *WAITING)
        reason = "looked at a case. " * 400
        moved = Releases(home).approve(None, reason)
        assert moved.entry.reason == reason
        assert len(tags(home, 2)["decision"]) == 5000
        assert aliases(home)["production"] == 2
        assert Releases(home).align() == []

    def test_a_rejected_version_does_not_serve_and_cannot_be_approved(self, home):
        write(home, *WAITING)
        Releases(home).reject("lesion-classifier/2", "misses nail melanoma")
        assert aliases(home) == {"production": 1}
        with pytest.raises(
            LedgerError, match=r"lesion-classifier/2: does not wait .* rejected it in entry 3 \(misses nail melanoma\)"
        ):
            Releases(home).approve("lesion-classifier/2", "so")

    def test_two_persons_are_two_keys(self, home, tmp_path, monkeypatch):
        write(home, WAITING[0], decided(2, Outcome.NEEDS_APPROVAL, release(1, 1), champion=1, approvals=2))
        Releases(home).approve("lesion-classifier/2", "first")
        assert aliases(home)["production"] == 1
        with pytest.raises(LedgerError, match=r"was approved by you already \(key [0-9a-f]{16}\); another person must"):
            Releases(home).approve("lesion-classifier/2", "first again")
        monkeypatch.setenv("DERMACARE_SIGNING_KEY", str(tmp_path / "colleague.key"))
        Releases(home).approve("lesion-classifier/2", "second")
        assert aliases(home)["production"] == 2

    def test_an_approval_counts_for_the_comparison_that_it_was_shown(self, home):
        write(home, *WAITING, decided(3, Outcome.PROMOTE, release(3, 1), champion=1))
        with pytest.raises(LedgerError, match="was judged beside lesion-classifier/1, but lesion-classifier/3 serves now; run"):
            Releases(home).approve("lesion-classifier/2", "so")

    def test_who_is_meant_must_be_clear(self, home):
        write(home, WAITING[0])
        with pytest.raises(LedgerError, match="say which version is meant; waiting for approval: none"):
            Releases(home).approve(None, "so")

    def test_whoever_the_policy_does_not_list_cannot_move_anything(self, home, tmp_path, monkeypatch):
        write(home, *WAITING)
        stranger = SigningKey(Ed25519PrivateKey.generate()).public
        text = reading.project_file(reading.FILE).read_text().replace("signers: {}", f"signers: {{boss: {stranger}}}")
        (tmp_path / "promotion.yaml").write_text(text)
        monkeypatch.setattr(reading, "project_file", lambda _: tmp_path / "promotion.yaml")
        with pytest.raises(LedgerError, match=r"signers does not list your key .*; `dermacare history --key` prints it"):
            Releases(home).approve(None, "so")
        assert len(home.releases().entries()) == 2


class TestPromoteAndRollback:
    def test_rollback_brings_both_halves_back_and_once_only(self, home):
        write(home, decided(1, Outcome.PROMOTE, release(1, 1)), decided(2, Outcome.PROMOTE, release(2, 2)))
        assert Releases(home).rollback("fell in clinic B").entry.release == release(1, 1)
        assert (aliases(home), aliases(home, SEGMENTER)) == ({"production": 1, "previous": 2}, {"production": 1, "previous": 2})
        with pytest.raises(
            LedgerError, match=r"rolled back already in entry 3 .*\(fell in clinic B\): .*/1 \+ .*/1 serves; .*promote VERSION"
        ):
            Releases(home).rollback("the answer was lost")
        assert serving(home.releases().entries()) == release(1, 1)
        Releases(home).promote("lesion-classifier/2", "it was the scanner")
        assert aliases(home) == {"production": 2, "previous": 1}
        assert Releases(home).rollback("it was not").entry.release == release(1, 1)

    def test_what_mlflow_could_not_be_told_the_next_command_does_and_nothing_twice(self, home, monkeypatch):
        write(home, decided(1, Outcome.PROMOTE, release(1, 1)), decided(2, Outcome.PROMOTE, release(2, 2)))
        Releases(home).align()

        point = Registry.point

        def away(registry: Registry, name: str, alias: str, number: int | None) -> None:
            if (alias, number) == ("production", 1):
                raise OSError("connection refused")
            point(registry, name, alias, number)

        with monkeypatch.context() as patch:
            patch.setattr(Registry, "point", away)  # stands for a server that dies between the ledger and MLflow
            with pytest.raises(
                TrackingError, match=r"^entry 3 of the ledger is written \(brought back; serving: .*/1 \+ .*/1\), but MLflow"
            ):
                Releases(home).rollback("fell in clinic B")
        assert aliases(home)["production"] == 2
        Releases(home).align()
        assert aliases(home) == {"production": 1, "previous": 2}
        assert tags(home, 1)["ledger"] == home.releases().newest().head
        described = Ledger(home.tracking_uri, "dermacare").client.get_model_version(CLASSIFIER, "1").description
        assert described.startswith("Entry 3 of the ledger: **brought back by")
        Releases(home).align()
        assert Ledger(home.tracking_uri, "dermacare").client.get_model_version(CLASSIFIER, "1").description == described

    @pytest.mark.parametrize("deleted", [1, 2])
    def test_a_version_that_was_deleted_in_mlflow_is_named_and_stops_nothing(self, home, deleted):
        write(home, *(decided(n, Outcome.PROMOTE, release(n, 1)) for n in (1, 2)))
        Releases(home).align()
        Ledger(home.tracking_uri, "dermacare").client.delete_model_version(CLASSIFIER, str(deleted))
        alias = {1: "previous", 2: "production"}[deleted]
        (told,) = Releases(home).align()
        assert told.startswith(
            f"alias {alias} of lesion-classifier should point at version {deleted}, and MLflow has no such version"
        )
        if deleted == 1:
            with pytest.raises(LedgerError, match="lesion-classifier/1: served before, but was deleted in MLflow; let another one"):
                Releases(home).rollback("so")
        else:
            assert Releases(home).rollback("so").entry.release == release(1, 1)
            assert aliases(home)["production"] == 1

    def test_another_ledger_is_not_begun_beside_the_one_that_mlflow_notes(self, home, monkeypatch):
        write(home, *WAITING)
        Releases(home).approve(None, "so")
        monkeypatch.setenv("DERMACARE_LEDGER", f"sqlite:///{home.root / 'other.db'}")
        told = "other.db: is not the ledger of these registered models, of which lesion-classifier/2 notes entry 3; let DERMACARE"
        with pytest.raises(LedgerError, match=told):
            Releases(home).align()
        with pytest.raises(LedgerError, match=told):
            check_tracking(home, load_params(reading.project_file("params.yaml")).params)

    def test_the_first_release_cannot_be_rolled_back(self, home):
        write(home, WAITING[0])
        with pytest.raises(LedgerError, match="nothing served before what serves now"):
            Releases(home).rollback("so")

    def test_a_version_that_was_let_through_may_serve_again(self, home):
        write(home, *(decided(n, Outcome.PROMOTE, release(n, 1)) for n in (1, 2, 3)))
        Releases(home).promote("lesion-classifier/1", "as agreed")
        assert aliases(home) == {"production": 1, "previous": 3}

    @pytest.mark.parametrize(
        ("number", "told"),
        [
            (1, "lesion-classifier/1: serves already"),
            (2, "entry 2 of the ledger judged it: needs approval .*; `dermacare approve` it first"),
            (3, "entry 3 of the ledger judged it: refuse"),
            (4, "lesion-classifier/4: it was never judged; run the pipeline"),
            (9, "lesion-classifier/9: there is no such version; there are lesion-classifier/1, "),
        ],
    )
    def test_no_other_version_may(self, home, number, told):
        write(home, *WAITING, decided(3, Outcome.REFUSE, release(1, 1), champion=1))
        with pytest.raises(LedgerError, match=told):
            Releases(home).promote(f"lesion-classifier/{number}", "so")

    def test_a_number_that_both_models_have_must_be_written_out(self, home):
        write(home, WAITING[0])
        with pytest.raises(LedgerError, match="2: is a version of lesion-classifier and of lesion-segmenter; write lesion-class"):
            Releases(home).promote("2", "so")

    def test_a_home_without_runs_says_so(self, tmp_path, monkeypatch):
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
        with pytest.raises(LedgerError, match="nothing was registered there yet; run the pipeline first"):
            Releases(Home(tmp_path / "empty"))


class TestHistory:
    def test_an_alias_that_was_moved_by_hand_is_named_and_set_back(self, home):
        write(home, WAITING[0])
        Releases(home).align()
        Ledger(home.tracking_uri, "dermacare").client.set_registered_model_alias(CLASSIFIER, "production", "4")
        (told,) = Releases(home).align()
        assert told.startswith("alias production of lesion-classifier pointed at version 4 although version 1 serves")
        assert aliases(home) == {"production": 1}
        assert Releases(home).align() == []

    def test_a_tail_that_was_cut_off_is_found_by_the_tags_in_mlflow(self, home):
        write(home, *WAITING)
        Releases(home).approve(None, "so")
        assert Releases(home).verify() == []
        import sqlite3

        with sqlite3.connect(home.root / "ledger.db") as connection:
            connection.execute("DROP TRIGGER ledger_delete")
            connection.execute("DELETE FROM ledger WHERE number = 3")
        (problem,) = Releases(home).verify()
        assert (problem.number, problem.sentence.startswith("is gone: lesion-classifier/2 in MLflow notes")) == (3, True)


ROOT = Path(releases.__file__).parent.parent
OURS = tuple(str(ROOT / name) for name in ("components/promotion", "components/register", "pipelines"))


class Tracer:
    """Counts the lines of ours that are run, and ends the process at the n-th, as a power cut would."""

    def __init__(self, die_at: int) -> None:
        self.count = 0
        self._die_at = die_at

    def __call__(self, frame: FrameType, event: str, _: Any) -> "Tracer | None":
        if not frame.f_code.co_filename.startswith(OURS):
            return None
        if event == "line":
            self.count += 1
            if self.count == self._die_at:
                os._exit(9)
        return self


def in_a_process(work: Callable[[], object], die_at: int) -> tuple[int, int]:
    """Run work in a process of its own that dies at a line. Returns its exit code and how many lines it ran."""
    fork = multiprocessing.get_context("fork")
    lines = fork.Value("i", 0)

    def child() -> None:
        tracer = Tracer(die_at)
        sys.settrace(tracer)
        work()
        sys.settrace(None)
        lines.value = tracer.count

    process = fork.Process(target=child)
    process.start()
    process.join(120)
    assert process.exitcode is not None
    return process.exitcode, lines.value


@pytest.mark.slow
@pytest.mark.parametrize("command", ["approve", "rollback"])
def test_whatever_line_it_is_killed_at_the_old_release_serves_or_the_new(home, command):
    """Fifty kills of each command, spread evenly over its lines: then the next command brings the aliases in line."""
    write(home, decided(1, Outcome.PROMOTE, release(1, 1)), decided(2, Outcome.PROMOTE, release(2, 2)))
    if command == "approve":
        waiting = decided(3, Outcome.NEEDS_APPROVAL, release(2, 2), champion=2, approvals=1)
        write(home, waiting)
    Releases(home).align()
    noted = Ledger(home.tracking_uri, "dermacare").client
    noted.set_model_version_tag(CLASSIFIER, "2", "ledger", home.releases().entries()[1].head)  # as `register` notes it

    def act() -> None:
        if command == "approve":
            Releases(home).approve("lesion-classifier/3", "so")
        else:
            Releases(home).rollback("so")

    def reset(entries: int) -> None:
        """Take back what the last attempt did, by hand."""
        import sqlite3

        with sqlite3.connect(home.root / "ledger.db") as connection:
            connection.execute("DROP TRIGGER ledger_delete")
            connection.execute("DELETE FROM ledger WHERE number > ?", (entries,))
            connection.execute(
                "CREATE TRIGGER ledger_delete BEFORE DELETE ON ledger BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
            )
        Releases(home).align()

    start = len(home.releases().entries())
    in_a_process(act, die_at=-1)
    reset(start)  # the first time is longer: what it notes on the versions stands there from then on
    code, total = in_a_process(act, die_at=-1)
    assert (code, total > 50) == (0, True)
    old, new = release(2, 2), release(3, 2) if command == "approve" else release(1, 1)
    assert serving(home.releases().entries()) == new
    seen: set[str] = set()
    for place in range(50):
        reset(start)
        code, _ = in_a_process(act, die_at=1 + place * (total - 1) // 49)
        assert code == 9
        now = serving(home.releases().entries())
        assert now in (old, new)
        seen.add(now.label)
        Releases(home).align()
        assert aliases(home)["production"] == now.classifier.number
        assert aliases(home, SEGMENTER)["production"] == now.segmenter.number
        assert ReleaseLedger(f"sqlite:///{home.root / 'ledger.db'}").verify({}, Signers({})) == []
    assert seen == {old.label, new.label}, "some were killed before the entry and some after"


def test_the_ledger_lies_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("DERMACARE_LEDGER", f"sqlite:///{tmp_path / 'team.db'}")
    write(Home(tmp_path / "home"), Content(action=Action.ADOPT, release=Release(classifier=version(1)), reason="so"))
    assert (tmp_path / "team.db").exists()
    assert not (tmp_path / "home").exists()
