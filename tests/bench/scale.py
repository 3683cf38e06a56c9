"""`python -m tests.bench.scale [IMAGES]`: what so many images cost, from files to a balanced plan; docs/scaling.md has the table.

Real photographs where $DERMACARE_REAL_DATA names HAM10000: each once at 600x450 with its mask, and again at 1024x1024, turned by
angles at which no near-duplicate search sees it and with sensor noise, under an id and a lesion of its own. Else drawn ones.
"""

import csv
import os
import sys
import tempfile
import time
from multiprocessing import Pool
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from components.augment_balance import augment_balance
from components.near_duplicates import TURNS, pairs_within
from components.params import load_params
from components.project import project_file
from components.reporter import Reporter
from tests.bench.cost import run_steps
from tests.isic_folder import IsicFolder

_IMAGES = 25_331
_HASHES = 100_000
_NOISE = np.random.default_rng(0).normal(0, 4, (1100, 1100, 3)).astype(np.int16)


def main(images: int) -> None:
    """Make the files, run the steps, print what each cost."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _make_files(folder / "isic", images)
        costs = run_steps(folder / "isic", folder / "out")
        table = Table("step", "seconds", "CPU seconds", "peak MiB", "GB", title=f"{images:,} images on {os.cpu_count()} cores")
        for step, cost in costs.items():
            table.add_row(
                step, f"{cost.wall:.0f}", f"{cost.cpu:.0f}", f"{cost.peak:.0f}", f"{_gigabytes(folder / 'out' / step):.1f}"
            )
        table.add_row("plan", f"{_plan(folder / 'out'):.0f}", "", "", "")
        console = Console()
        console.print(table)
        console.print(f"near-duplicate search over {_HASHES:,} hashes, all turns: {_search():.0f} s")


def _make_files(folder: Path, images: int) -> None:
    place = os.environ.get("DERMACARE_REAL_DATA")
    if not place:
        IsicFolder(folder).fill(per_class=-(-images // 8), size=(450, 600))
        return
    source = Path(place) / "ham10000"
    ids = sorted(path.stem for path in (source / "images").iterdir())
    copies = [(image, number // len(ids)) for number, image in zip(range(images), ids * (images // len(ids) + 1), strict=False)]
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    _write_tables(source, folder, copies)
    with Pool(os.cpu_count()) as pool:
        pool.starmap(_write_copy, [(source, folder, image, copy) for image, copy in copies], chunksize=50)


def _write_tables(source: Path, folder: Path, copies: list[tuple[str, int]]) -> None:
    wanted: dict[str, list[int]] = {}
    for image, copy in copies:
        wanted.setdefault(image, []).append(copy)
    for path in source.glob("*.csv"):
        with path.open(newline="") as table, (folder / path.name).open("w", newline="") as target:
            rows = csv.reader(table)
            columns = next(rows)
            named = [columns.index(column) for column in ("image", "lesion_id") if column in columns]
            writer = csv.writer(target)
            writer.writerow(columns)
            for row in rows:
                for copy in wanted.get(row[0], []):
                    writer.writerow([_name(cell, copy) if place in named else cell for place, cell in enumerate(row)])


def _name(original: str, copy: int) -> str:
    return f"{original}_{copy}" if copy and original else original


def _write_copy(source: Path, folder: Path, original: str, copy: int) -> None:
    width, height = (1024, 1024) if copy else (600, 450)
    image = cv2.resize(cv2.imread(str(source / f"images/{original}.jpg")), (width, height), interpolation=cv2.INTER_CUBIC)
    if copy:
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), 37 * copy, 1.25)
        image = cv2.warpAffine(image, turn, (width, height), borderMode=cv2.BORDER_REFLECT_101)
    else:
        mask = cv2.imread(str(source / f"masks/{original}_segmentation.png"), cv2.IMREAD_GRAYSCALE)
        cv2.imwrite(str(folder / f"masks/{original}_segmentation.png"), mask)
    noisy = np.clip(image + _NOISE[:height, :width], 0, 255).astype(np.uint8)
    cv2.imwrite(str(folder / f"images/{_name(original, copy)}.jpg"), noisy, [cv2.IMWRITE_JPEG_QUALITY, 88])


def _plan(out: Path) -> float:
    """Seconds of augment and balance."""
    (out / "plan").mkdir()
    params = load_params(project_file("params.yaml")).params.augment_balance
    start = time.perf_counter()
    augment_balance(out / "preprocess", out / "plan", params, Reporter(out / "plan", "augment_balance"))
    return time.perf_counter() - start


def _search() -> float:
    """Seconds of the search over random hashes."""
    hashes = np.random.default_rng(0).integers(0, 2**64, (_HASHES, TURNS), dtype=np.uint64)
    start = time.perf_counter()
    for _ in pairs_within(hashes, 10):
        pass
    return time.perf_counter() - start


def _gigabytes(folder: Path) -> float:
    """What lies below a folder; a file with several names counts its share."""
    return sum(stat.st_size / stat.st_nlink for stat in (path.stat() for path in folder.rglob("*") if path.is_file())) / 1e9


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else _IMAGES)
