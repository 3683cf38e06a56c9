"""`dermacare data push|pull|status|log`: the data's versions, sent, fetched, and told."""

from rich.table import Table

from dermacare.console import console
from pipelines.data.project import DATA, Project, Sent
from pipelines.data.versions import history
from pipelines.home import Home


def push() -> None:
    """Send the data that dvc.lock names to the remote.

    Raises:
        VersionError: nothing is there to send, or the remote refuses.
    """
    project = Project.here()
    new = project.default_remote is None
    remote = project.ensure_remote(Home.here().root)
    if new:
        console.print(f"remote {remote}: {project.url(remote)} (set in .dvc/config.local, for this clone alone)", markup=False)
    _tell(project.push(remote), "sent to")


def pull() -> None:
    """Fetch the data that dvc.lock names from the remote into data/.

    Raises:
        VersionError: no remote is set, something is not there any more, or the remote refuses.
    """
    _tell(Project.here().pull(), "fetched from")


def _tell(sent: Sent, verb: str) -> None:
    if sent.files:
        console.print(f"{sent.files:,} files {verb} {sent.remote} ({sent.url})", markup=False)
    else:
        console.print(f"nothing to do: all is there already ({sent.remote}: {sent.url})", markup=False)


def show_status() -> None:
    """Say in plain words what is not committed and what is not pushed.

    Raises:
        VersionError: DVC, git or the remote cannot tell.
    """
    status = Project.here().status()
    words = {"modified": "differs from what dvc.lock says", "deleted": "is not there", "not in cache": "is not in DVC's cache"}
    lines = [f"{path}: {words.get(state, state)}" for path, state in sorted(status.unlocked.items())]
    if lines:
        lines.append("  → `dermacare data pull` brings back what dvc.lock says, `dvc repro` makes what the project says now")
    if status.uncommitted:
        lines.append(f"not committed: {', '.join(status.uncommitted)}")
        lines.append("  → git add and git commit them: the commit is what names this version")
    if status.unpushed is None:
        lines.append("not pushed: no remote is set yet")
        lines.append("  → `dermacare data push` makes one in this home; for a team see docs/data.md")
    elif status.unpushed:
        lines.append(f"not pushed: {status.unpushed:,} files are not in {status.remote}")
        lines.append("  → `dermacare data push`")
    if status.lost:
        lines.append(f"lost: dvc.lock names files that are neither in DVC's cache nor in {status.remote}")
        lines.append("  → whoever made them pushes them, or `dvc repro` makes them again")
    for line in lines or [f"all is committed, and all is in {status.remote}"]:
        console.print(line, markup=False)


def show_log() -> None:
    """A table of the data's versions, newest first.

    Raises:
        VersionError: git cannot tell.
    """
    table = Table("commit", "date", "author", "data version", "images", "splits", "subject")
    for entry in history(Project.here()):
        images = ", ".join(f"{task} {count:,}" for task, count in entry.images.items())
        splits = ", ".join(f"{split} {count:,}" for split, count in entry.splits.items())
        table.add_row(entry.commit, entry.date, entry.author, entry.version[:8], images or entry.gone, splits, entry.subject)
    if not table.rows:
        console.print(f"no commit names a version of {DATA} yet; `dvc repro`, then commit dvc.lock", markup=False)
        return
    console.print(table)
