"""`dermacare promote|approve|reject|rollback|history`: what serves, and why."""

import json

import typer
from rich.table import Table

from components.promotion.entries import Action, Decision, Entry
from components.promotion.keys import key_file, own_key
from components.promotion.releases import serving
from dermacare.console import console
from pipelines.home import Home
from pipelines.releases import Moved, Releases


def promote(version: str, reason: str) -> None:
    """Let a version serve that was let through before."""
    _show(Releases(Home.here()).promote(version, reason))


def approve(version: str | None, reason: str) -> None:
    """Approve a version that waits for it."""
    _show(Releases(Home.here()).approve(version, reason))


def reject(version: str | None, reason: str) -> None:
    """Reject a version that waits for approval."""
    _show(Releases(Home.here()).reject(version, reason))


def rollback(reason: str) -> None:
    """Let the release before serve again."""
    _show(Releases(Home.here()).rollback(reason))


def history(*, verify: bool, as_json: bool, key: bool) -> int:
    """Print the ledger, and with `verify` what is wrong with it.

    Returns:
        0; 1 where something is wrong with it.
    """
    if key:
        typer.echo(own_key().public)
        return 0
    releases = Releases(Home.here())
    if verify:
        return _verify(releases)
    entries = releases.entries()
    if as_json:
        typer.echo(json.dumps([entry.model_dump(mode="json") for entry in entries], indent=1, ensure_ascii=False))
        return 0
    for sentence in releases.align():
        console.print(f"{sentence}.", style="yellow", markup=False)
    console.print(_table(entries))
    console.print(f"serving: {serving(entries).label}", markup=False)
    return 0


def _verify(releases: Releases) -> int:
    problems = releases.verify()
    for problem in problems:
        where = "the ledger" if problem.number is None else f"entry {problem.number}"
        console.print(f"{where}: {problem.sentence}.", style="red", markup=False)
    if not problems:
        count = len(releases.entries())
        console.print(
            f"{count:,} entries, each whole, in its place and signed, and every head that MLflow notes is among them. "
            f"(This stops whoever can write to the ledger but not sign; your key is {key_file()}.)",
            markup=False,
        )
    return 1 if problems else 0


def _table(entries: list[Entry]) -> Table:
    table = Table("", "when", "who", "what", "serving from here on", "why")
    for entry in entries:
        when = entry.time[:16].replace("T", " ")
        table.add_row(str(entry.number), when, entry.actor, _what(entry), entry.release.label, _why(entry))
    return table


def _what(entry: Entry) -> str:
    if entry.subject is not None:
        return f"{entry.action.value} {entry.subject.label}"
    return f"run {entry.run_id} judged" if entry.action is Action.DECIDE else entry.action.value


def _why(entry: Entry) -> str:
    return "\n".join(_judged(decision) for decision in entry.decisions) or entry.reason


def _judged(decision: Decision) -> str:
    return f"{decision.subject.label} ({decision.subject.model}): {decision.outcome.value}: {decision.reason}"


def _show(moved: Moved) -> None:
    for sentence in moved.found:
        console.print(f"{sentence}.", style="yellow", markup=False)
    entry = moved.entry
    console.print(f"entry {entry.number} of the ledger: {_what(entry)}; serving: {entry.release.label}", markup=False)
