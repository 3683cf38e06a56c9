"""`dermacare predict`: a folder of images by what serves."""

from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from dermacare.console import console
from pipelines.home import Home
from pipelines.predict_folder import predict_folder


def predict(folder: Path, output: Path) -> None:
    """Answer every image of a folder, and say what came of it.

    Raises:
        SourceError: there are no images.
        DermaCareError: nothing serves, or it cannot be had.
    """
    columns = (TextColumn("images"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("eta"))
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("images", total=None)
        done = predict_folder(
            folder, output, Home.here(), lambda number, total: progress.update(task, completed=number, total=total)
        )
    if done.old is not None:
        console.print(f"{done.old}.", style="yellow", markup=False)
        console.print("What answered last answers instead.", style="yellow")
    console.print(
        f"{done.table}: {done.answered:,} answered, {done.refused:,} refused, {done.unreadable:,} unreadable"
        + (f"; {done.before:,} of them before" if done.before else ""),
        markup=False,
    )
    console.print(f"by {done.release.label}, entry {done.release.entry} of the ledger", markup=False)
    if done.release.phantom:
        console.print("The models were trained on drawn images and know nothing about skin.", style="yellow")
