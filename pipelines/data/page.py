"""The page of a diff: what the terminal says, and the changed images themselves, before and after, masks drawn.

One file that needs no other and no network; whatever comes from the data is escaped.
"""

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

import cv2
import pandas as pd

from components.dataset import Dataset
from components.errors import ImageFormatError
from components.files import write_text
from components.images import decode_image, decode_mask
from components.lesions import Split, Task
from pipelines.data.diff import Change, DataDiff, Kind
from pipelines.data.versions import Version

MOST_DRAWN = 200
"""Images on a page: about 20 KB each, so that it stays a file to send."""

_SIDE = 240
_MASK_COLOUR = (0, 158, 115)  # RGB; Okabe and Ito's green, told from skin and lesion with any colour vision

# What a reviewer wants to see first.
_ORDER = (
    Kind.MOVED,
    Kind.RELABELLED,
    Kind.REMASKED,
    Kind.REPLACED,
    Kind.REMOVED,
    Kind.ADDED,
    Kind.METADATA,
    Kind.REGROUPED,
)

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #1d2430; background: #fff; max-width: 76rem; margin: 2rem auto;
padding: 0 1rem }
h1 { font-size: 1.5rem; margin: 0 0 .3rem } h2 { font-size: 1.15rem; margin: 2rem 0 .6rem }
h3 { font: 600 .95rem ui-monospace, monospace; margin: 0 }
code { font-family: ui-monospace, monospace }
.verdict { font-size: 1.1rem; padding: .7rem 1rem; border-left: .4rem solid #1b6e3c; background: #e8f4ec; margin: 1rem 0 }
.verdict.moved { border-color: #8a5a00; background: #fdf3dc }
.verdict.grave { border-color: #a4231b; background: #fbe6e4; font-weight: 700 }
table { border-collapse: collapse; margin: .5rem 2rem 1rem 0; display: inline-table; vertical-align: top }
td, th { border-bottom: 1px solid #d5dbe4; padding: .2rem .7rem; text-align: right }
td:first-child, th:first-child { text-align: left }
tr.all td { font-weight: 700; border-top: 2px solid #1d2430 }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(34rem, 1fr)); gap: 1rem }
article { border: 1px solid #d5dbe4; border-radius: .4rem; padding: .8rem }
article p { margin: .2rem 0; overflow-wrap: anywhere } article ul { margin: .3rem 0 .6rem; padding-left: 1.2rem }
.pair { display: flex; gap: .8rem } figure { margin: 0 } figcaption { color: #5a6475; font-size: .85rem }
img { display: block; max-width: 240px; border-radius: .2rem }
.none { width: 240px; height: 100px; background: #eef2f7; color: #5a6475;
display: flex; align-items: center; justify-content: center; border-radius: .2rem }
.kind { display: inline-block; background: #e2e8f0; border-radius: .2rem; padding: 0 .4rem; margin-right: .3rem; font-size: .85rem }
.kind.moved { background: #a4231b; color: #fff }
"""


def write_page(path: Path, diff: DataDiff, before: Version, after: Version, most: int = MOST_DRAWN) -> tuple[int, int]:
    """Write the page of a diff.

    Args:
        path: the file.
        diff: what changed.
        before, after: the two versions, from which the images are read.
        most: images that are drawn; of more, each kind of change gets its share.

    Returns:
        How many changed images are drawn, of how many.

    Raises:
        DatasetError: a file of a version cannot be read.
        StoreError: the page cannot be written.
    """
    chosen = choose(diff.changes, most)
    sections = []
    for kind in _ORDER:
        changes = [change for change in chosen if _first(change) is kind]
        if changes:
            cards = "\n".join(_card(change, before.dataset, after.dataset) for change in changes)
            of = sum(_first(change) is kind for change in diff.changes)
            count = f"{of:,}" if len(changes) == of else f"{len(changes):,} of {of:,}"
            sections.append(f'<h2 id="{kind}">{kind}: {count}</h2>\n<div class="cards">\n{cards}\n</div>')
    head = f"{_name(before)} → {_name(after)}"
    shown = f"{len(chosen):,} of {len(diff.changes):,} changed images are shown, masks as green outlines."
    page = [
        "<!DOCTYPE html>",
        f'<html lang="en"><head><meta charset="UTF-8"><title>{escape(head)}</title><style>{_STYLE}</style></head><body>',
        f"<h1>What changed in the data</h1>\n<p>{head}</p>",
        f'<p class="verdict {"grave" if diff.test_moves else "moved" if diff.moves else ""}">{escape(diff.verdict)}</p>',
        _changes_table(diff) + _splits_table(diff),
        f"<p>{shown}</p>",
        *sections,
        "</body></html>",
    ]
    write_text(path, "\n".join(page) + "\n")
    return len(chosen), len(diff.changes)


def choose(changes: Sequence[Change], most: int) -> list[Change]:
    """The changes that are drawn: all, or of each kind its first ones in turn, so that many of one kind hide no other."""
    waiting = [[change for change in changes if _first(change) is kind] for kind in _ORDER]
    chosen: list[Change] = []
    while any(waiting) and len(chosen) < most:
        for queue in waiting:
            if queue and len(chosen) < most:
                chosen.append(queue.pop(0))
    return chosen


def _first(change: Change) -> Kind:
    return next(kind for kind in _ORDER if kind in change.kinds)


def _name(version: Version) -> str:
    return f"{escape(version.name)} <code>{version.dataset.version[:8]}</code>"


def _changes_table(diff: DataDiff) -> str:
    kinds = [kind for kind in _ORDER if diff.count(kind)]
    rows = [[label, *(diff.count(kind, label=label) for kind in kinds)] for label in diff.classes]
    rows += [[source, *(diff.count(kind, source=source) for kind in kinds)] for source in diff.sources]
    return _table(["images", *kinds], rows, ["all", *(diff.count(kind) for kind in kinds)])


def _splits_table(diff: DataDiff) -> str:
    splits = [str(split) for split in Split]
    rows = [[label, *(_arrow(diff.before[label, s], diff.after[label, s]) for s in splits)] for label in diff.classes]
    totals = [_arrow(*(sum(images[label, s] for label in diff.classes) for images in (diff.before, diff.after))) for s in splits]
    return _table(["split", *splits], rows, ["all", *totals])


def _arrow(before: int, after: int) -> str:
    return f"{after:,}" if before == after else f"{before:,} → {after:,}"


def _table(head: Sequence[object], rows: Sequence[Sequence[object]], total: Sequence[object]) -> str:
    def line(cells: Sequence[object], tag: str = "td", kind: str = "") -> str:
        shown = ["" if cell == 0 else f"{cell:,}" if isinstance(cell, int) else escape(str(cell)) for cell in cells]
        return f"<tr{kind}>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in shown) + "</tr>"

    return "<table>" + line(head, "th") + "".join(line(row) for row in rows) + line(total, kind=' class="all"') + "</table>\n"


def _card(change: Change, before: Dataset, after: Dataset) -> str:
    kinds = "".join(f'<span class="kind {kind}">{kind}</span>' for kind in _ORDER if kind in change.kinds)
    said = (f"{escape(field.column)}: {_cell(field.before)} → {_cell(field.after)}" for field in change.fields)
    cells = "".join(f"<li>{line}</li>" for line in dict.fromkeys(said))  # both tasks' rows repeat most cells
    pictures = "".join(
        f"<figure><figcaption>{when}</figcaption>{_picture(dataset, change.image_id)}</figure>"
        for when, dataset in (("before", before), ("after", after))
    )
    facts = f"{escape(change.label)}, {escape(change.source)}"
    return (
        f"<article><h3>{escape(change.image_id)}</h3><p>{kinds} {facts}</p>"
        f"<ul>{cells}</ul><div class=pair>{pictures}</div></article>"
    )


def _cell(value: object) -> str:
    text = "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
    # A digest says nothing to a reader but that it is another one.
    return escape(text[:12] + "…" if len(text) == 64 else text)


def _picture(dataset: Dataset, image_id: str) -> str:
    rows = dataset.manifest[dataset.manifest["image_id"] == image_id]
    if rows.empty:
        return '<div class="none">not there</div>'
    masked = rows[rows["task"] == Task.SEGMENTATION.value]
    row = (masked if not masked.empty else rows).iloc[0]
    try:
        encoded = base64.b64encode(_thumbnail(dataset, row)).decode("ascii")
    except ImageFormatError as error:
        return f'<div class="none">{escape(str(error))}</div>'
    return f'<img src="data:image/jpeg;base64,{encoded}" alt="{escape(image_id)}">'


def _thumbnail(dataset: Dataset, row: pd.Series) -> bytes:
    """JPEG of an image, its longer side 240 pixels, its mask's outline drawn where it has one."""
    image = decode_image(dataset.image_bytes(row), str(row["image_id"]))
    scale = _SIDE / max(image.shape[:2])
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    if not pd.isna(row["mask"]):
        mask = cv2.resize(decode_mask(dataset.mask_bytes(row), str(row["mask"])), size, interpolation=cv2.INTER_NEAREST)
        outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        cv2.drawContours(small, outlines, -1, _MASK_COLOUR, 2, cv2.LINE_AA)
    return bytes(cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 80])[1])
