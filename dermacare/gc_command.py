"""`dermacare gc`: list what nothing refers to, delete it on a yes."""

import typer
from rich.table import Table

from dermacare.console import console, size
from pipelines import garbage
from pipelines.home import Home
from pipelines.publish import released_runs


def collect(*, yes: bool) -> None:
    """Show the garbage of this home, ask, delete."""
    home = Home.here()
    found = garbage.find(home, released_runs(home))
    if not found:
        console.print(f"nothing to delete in {home.root}: a run or a released model refers to everything", markup=False)
        return
    table = Table("what", "key", "size", "why")
    for item in found:
        table.add_row(item.step, item.key, size(item.size), item.reason)
    console.print(table)
    total = size(sum(item.size for item in found))
    if yes or typer.confirm(f"Delete these {len(found)}, {total}?"):
        going = garbage.still(home, found, released_runs(home))
        garbage.delete(home, going)
        console.print(f"deleted {len(going)}, {size(sum(item.size for item in going))} are free again")
