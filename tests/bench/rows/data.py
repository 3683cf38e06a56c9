"""What more images cost, in CPU seconds and in memory, from a folder of ISIC files to pixels."""

import csv
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.bench.cost import Cost, run_steps
from tests.bench.row import Row
from tests.isic_folder import IsicFolder

_IMAGES = 8_000
_ADDED = 80
_FEW = 2_000


def measure() -> Iterator[Row]:
    """CPU of adding 1 % of images, apart from what a run without a new image costs; peak memory at 8,000 and at 2,000 images."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images = _images(folder / "all")
        _copy(folder / "all", folder / "few", images[:_FEW])
        _copy(folder / "all", folder / "data", images[:_IMAGES])
        few = run_steps(folder / "few", folder / "few-out/1")
        first = run_steps(folder / "data", folder / "out/1")
        nothing_new = run_steps(folder / "data", folder / "out/2", [folder / "out/1"])
        _copy(folder / "all", folder / "data", images[: _IMAGES + _ADDED])
        added = run_steps(folder / "data", folder / "out/3", [folder / "out/2", folder / "out/1"])
        again = run_steps(folder / "data", folder / "again/1")
    ours, theirs = (_cpu(run) - _cpu(nothing_new) for run in (added, again))
    yield Row.of_costs("incremental 1 %, start-up apart", "CPU s", ours=ours, theirs=theirs)
    peaks = [max(cost.peak for cost in run.values()) for run in (first, few)]
    yield Row.of_costs("peak memory, 8,000 images against 2,000", "MiB", ours=peaks[0], theirs=peaks[1])


def _cpu(costs: dict[str, Cost]) -> float:
    return sum(cost.cpu for cost in costs.values())


def _images(drawn: Path) -> list[str]:
    """Ids of the images: of the real ones of HAM10000 where $DERMACARE_REAL_DATA names them, else of drawn ones."""
    place = os.environ.get("DERMACARE_REAL_DATA")
    if place:
        drawn.symlink_to(Path(place).resolve() / "ham10000")
    else:
        IsicFolder(drawn).fill(per_class=(_IMAGES + _ADDED) // 8, size=(150, 200))
    ids = sorted(path.stem for path in (drawn / "images").iterdir())
    # New images come from anywhere among the old ones.
    return ids[::2] + ids[1::2]


def _copy(source: Path, target: Path, images: Sequence[str]) -> None:
    """Files and rows of some images, as ISIC gives them out."""
    for image in images:
        for relative in (f"images/{image}.jpg", f"masks/{image}_segmentation.png"):
            if not (target / relative).exists():
                (target / relative).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source / relative, target / relative)
    wanted = {"image", *images}
    for path in source.glob("*.csv"):
        with path.open(newline="") as table, (target / path.name).open("w", newline="") as part:
            csv.writer(part).writerows(row for row in csv.reader(table) if row[0] in wanted)
