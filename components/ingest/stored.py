"""What became of a picture of a source: which bytes are stored, and where; and the index that remembers it from output to output.

index.parquet   one row for each picture stored: the identity of its file at the source, and of its mask's → digests of what is
                stored. The manifest beside it says where that lies. So a later ingest reads only what is new.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from components.dataset import read_manifest
from components.errors import DatasetError
from components.files import atomic_write
from components.ingest.match import Item
from components.lesions import Task

INDEX = "index.parquet"

_SCHEMA = pa.schema(
    [
        pa.field("image_id", pa.string(), nullable=False),
        pa.field("image", pa.string(), nullable=False),
        pa.field("mask", pa.string()),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("mask_sha256", pa.string()),
        pa.field("personal", pa.string(), nullable=False),
        pa.field("misfit", pa.string()),
    ]
)

Key = tuple[str, str, str | None]


@dataclass(frozen=True)
class Stored:
    """A picture in a shard, beside its mask where it has one.

    Attributes:
        image_id: its id.
        image, mask: identities of the files at the source (see `components.ingest.source.Blob.identity`).
        sha256, mask_sha256: of what is stored; None: no mask is.
        height, width: of the upright image, in pixels.
        shard, row: where the image lies; its mask follows it.
        personal: kinds of personal fields that were left out.
        misfit: why the mask is not stored, where it is of another shape.
    """

    image_id: str
    image: str
    mask: str | None
    sha256: str
    mask_sha256: str | None
    height: int
    width: int
    shard: str
    row: int
    personal: tuple[str, ...] = ()
    misfit: str | None = None


def key_of(item: Item) -> Key:
    """What tells an item from all others, wherever its files lie; local files are read for it where their digest is not known."""
    return item.image_id, item.image.blob.identity(), item.mask.blob.identity() if item.mask else None


def write_index(root: Path, stored: Iterable[Stored]) -> None:
    """Write the index of a dataset folder."""
    rows = [
        {
            **{name: getattr(one, name) for name in ("image_id", "image", "mask", "sha256", "mask_sha256", "misfit")},
            "personal": " ".join(one.personal),
        }
        for one in sorted(stored, key=lambda one: (one.image_id, one.image, one.mask or ""))
    ]
    with atomic_write(root / INDEX) as handle:
        pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), handle)


def read_keys(root: Path) -> dict[Key, dict[str, Any]]:
    """Key of each picture in the index of a dataset folder → its row; empty where the folder has no index.

    Raises:
        DatasetError: the index is damaged.
    """
    try:
        rows = pq.read_table(root / INDEX, schema=_SCHEMA).to_pylist()
    except FileNotFoundError:
        return {}
    except (pa.ArrowInvalid, OSError) as error:
        raise DatasetError(
            f"{root / INDEX}: cannot be read ({str(error).splitlines()[0]}); delete it, ingest does without"
        ) from error
    return {(row["image_id"], row["image"], row["mask"]): row for row in rows}


@dataclass(frozen=True)
class Known:
    """What of the items an earlier output holds.

    Attributes:
        folder: the output.
        whole: shards of it of which every picture is still wanted, with what is stored in each.
        partly: the other shards, with what of each is still wanted.
    """

    folder: Path
    whole: Mapping[str, Sequence[Stored]]
    partly: Mapping[str, Sequence[Stored]]


def find_known(wanted: Set[Key], earlier: Sequence[Path]) -> Known:
    """What the earlier output that holds most of the wanted pictures has of them; of several, the newest."""
    indexes = {folder: rows for folder in earlier if (rows := read_keys(folder))}
    if not indexes:
        return Known(Path(), {}, {})
    folder = max(indexes, key=lambda one: len(wanted & indexes[one].keys()))
    return _located(folder, [row for key, row in indexes[folder].items() if key in wanted])


class _Place(NamedTuple):
    height: int
    width: int
    shard: str
    row: int


def _located(folder: Path, rows: Iterable[Mapping[str, Any]]) -> Known:
    manifest = read_manifest(folder)[["image_id", "task", "sha256", "mask_sha256", "height", "width", "shard", "row"]]
    alone: dict[tuple[str, str], _Place] = {}
    masked: dict[tuple[str, str, str], _Place] = {}
    lying: dict[str, set[int]] = defaultdict(set)
    for image_id, task, sha256, mask_sha256, height, width, shard, row in manifest.itertuples(index=False, name=None):
        place = _Place(int(height), int(width), str(shard), int(row))
        alone[image_id, sha256] = place
        if task == Task.SEGMENTATION.value:
            masked[image_id, sha256, mask_sha256] = place
        lying[place.shard].add(place.row)
    there = {shard for shard in lying if (folder / shard).exists()}
    by_shard: dict[str, list[Stored]] = defaultdict(list)
    for told in rows:
        name, digest, mask = told["image_id"], told["sha256"], told["mask_sha256"]
        found = alone.get((name, digest)) if mask is None else masked.get((name, digest, mask))
        if found is not None and found.shard in there:
            by_shard[found.shard].append(Stored(**{**told, "personal": tuple(told["personal"].split()), **found._asdict()}))
    whole = {shard for shard, stored in by_shard.items() if {one.row for one in stored} == lying[shard]}
    return Known(
        folder,
        {shard: stored for shard, stored in by_shard.items() if shard in whole},
        {shard: stored for shard, stored in by_shard.items() if shard not in whole},
    )
