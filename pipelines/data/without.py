"""A dataset folder of encoded files, rewritten without some images; all others keep their bytes."""

import csv
import io
import json
import zipfile
from collections.abc import Set
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from components.dataset import read_manifest, write_files_shard, write_manifest
from components.files import atomic_write, sha256_bytes, write_text

_ZIP = ".zip"


def holds(manifest: pd.DataFrame, images: Set[str], digests: Set[str]) -> npt.NDArray[np.bool_]:
    """Which rows of a manifest are of these images, by their ids or by the SHA-256 of their files."""
    rows = manifest["image_id"].isin(images) | manifest["sha256"].isin(digests)
    return rows.to_numpy(dtype=bool)


def shards_of(rows: pd.DataFrame) -> set[str]:
    """The files, relative to the dataset folder, in which images and masks of these rows lie."""
    shards = {str(shard) for shard in rows["shard"].dropna()}
    masks = {str(mask).rpartition("/")[0] for mask in rows["mask"].dropna()}
    pixels = {shard.removesuffix(".npy") + ".masks.npy" for shard in shards if shard.endswith(".npy")}
    return shards | masks | pixels


def rewrite_without(root: Path, images: Set[str], digests: Set[str]) -> bool:
    """Take images out of ingest's output: new shards for those that held them, their rows and their lines in tables left out.

    Killed half-way it is called again: nothing is lost before what replaces it is whole.

    Args:
        root: the folder.
        images, digests: which images: their ids, the SHA-256 of their files.

    Returns:
        Whether any was there.
    """
    manifest = read_manifest(root)
    gone = holds(manifest, images, digests)
    found = bool(gone.any())
    if found:
        kept = manifest[~gone].copy()
        for shard in sorted(shards_of(manifest[gone])):
            kept = _without(root, shard, manifest[gone], kept)
        write_manifest(root, kept)
        manifest = kept
    _drop_unused(root, manifest)
    for table in root.glob("*.csv"):
        _drop_lines(table, images)
    _drop_from_index(root / "index.parquet", images)
    _count_sources(root / "sources.json", manifest)
    return found


def _without(root: Path, shard: str, gone: pd.DataFrame, kept: pd.DataFrame) -> pd.DataFrame:
    """Write a shard again without the files of the rows that go; the rows that stay, with their new places."""
    with zipfile.ZipFile(root / shard) as archive:
        names = archive.namelist()
        drop = {names[int(row)] for row in gone.loc[gone["shard"] == shard, "row"]}
        masks = [str(mask).rpartition("/") for mask in gone["mask"].dropna()]
        drop |= {name for folder, _, name in masks if folder == shard}
        members = [(name, archive.read(name)) for name in names if name not in drop]
    places = {old: new for new, old in enumerate(number for number, name in enumerate(names) if name not in drop)}
    mine = kept["shard"] == shard
    masked = kept["mask"].str.startswith(f"{shard}/").fillna(False).astype(bool)
    if not members:
        return kept
    parts = [part for name, data in members for part in (name, sha256_bytes(data))]
    prefix = Path(shard).name.removesuffix(_ZIP).rpartition("-")[0] or "files"
    new = write_files_shard(root, f"{prefix}-{sha256_bytes(chr(10).join(parts).encode())[:16]}", members)
    kept.loc[mine, "row"] = [places[int(row)] for row in kept.loc[mine, "row"]]
    kept.loc[mine, "shard"] = new
    kept.loc[masked, "mask"] = [f"{new}/{str(mask).rpartition('/')[2]}" for mask in kept.loc[masked, "mask"]]
    return kept


def _drop_unused(root: Path, manifest: pd.DataFrame) -> None:
    """Delete shards that no row names: what was rewritten, and what an attempt that was killed left."""
    used = shards_of(manifest)
    for path in (root / "shards").glob("*"):
        if f"shards/{path.name}" not in used:
            path.unlink()


def _drop_lines(table: Path, images: Set[str]) -> None:
    """Leave out of a table of ours the lines about these images; its first column names the image."""
    lines = list(csv.reader(io.StringIO(table.read_text(encoding="utf-8"), newline="")))
    kept = [cells for cells in lines if not cells or cells[0] not in images]
    if len(kept) < len(lines):
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(kept)
        write_text(table, text.getvalue())


def _drop_from_index(index: Path, images: Set[str]) -> None:
    """Leave these images out of what ingest remembers of its sources."""
    if not index.exists():
        return
    table = pq.read_table(index)
    kept = table.filter(pc.invert(pc.is_in(table["image_id"], pa.array(sorted(images), pa.string()))))
    if len(kept) < len(table):
        with atomic_write(index) as handle:
            pq.write_table(kept, handle)


def _count_sources(sources: Path, manifest: pd.DataFrame) -> None:
    """Have the list of sources say how many images are left of each."""
    if not sources.exists():
        return
    left = manifest.drop_duplicates(["source", "sha256"])["source"].value_counts()
    known = json.loads(sources.read_bytes())
    counted = [{**source, "images": int(left.get(source["name"], 0))} for source in known]
    if counted != known:
        write_text(sources, json.dumps(counted, indent=1) + "\n")
