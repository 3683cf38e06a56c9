"""The fingerprint of sources: what they hold decides, not where they lie; and a second look costs little."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from components.errors import SourceError
from components.ingest import digests
from components.ingest.fingerprint import ingest_fingerprint
from tests.components.ingest.conftest import params_of
from tests.isic_folder import IsicFolder


@pytest.fixture
def folder(tmp_path: Path) -> IsicFolder:
    return IsicFolder(tmp_path / "clinic").fill(1)


def test_it_is_the_same_wherever_the_folder_lies(folder: IsicFolder, tmp_path: Path) -> None:
    shutil.copytree(folder.root, tmp_path / "elsewhere" / "moved")
    assert ingest_fingerprint(params_of(folder.root)) == ingest_fingerprint(params_of(tmp_path / "elsewhere" / "moved"))


CHANGES: dict[str, Callable[[IsicFolder], object]] = {
    "another image": lambda folder: folder.image("other", file="ISIC_MEL_0.jpg"),
    "another mask": lambda folder: folder.mask("other", file="ISIC_MEL_0_segmentation.png"),
    "an image more": lambda folder: folder.image("ISIC_MORE"),
    "an image less": lambda folder: (folder.root / "images/ISIC_MEL_0.jpg").unlink(),
    "another name": lambda folder: (folder.root / "images").rename(folder.root / "pictures"),
    "a changed table": lambda folder: (folder.row("ISIC_MORE", "NV"), folder.tables()),
    "a link that leaves the folder": lambda folder: (folder.root / "x.jpg").symlink_to("/etc/hostname"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_ingest_would_read_changes_it_with_and_without_cache(change: str, folder: IsicFolder, tmp_path: Path) -> None:
    params, cache = params_of(folder.root), tmp_path / "cache.json"
    before = ingest_fingerprint(params, cache)
    CHANGES[change](folder)
    after = ingest_fingerprint(params, cache)
    assert after != before
    assert after == ingest_fingerprint(params)


def test_what_ingest_does_not_read_leaves_it(folder: IsicFolder) -> None:
    before = ingest_fingerprint(params_of(folder.root))
    folder.raw("README.md", b"notes\n")
    folder.raw("images/._ISIC_MEL_0.jpg", b"\0")
    assert ingest_fingerprint(params_of(folder.root)) == before


def test_sources_differ_from_their_parts_and_from_phantoms(folder: IsicFolder, tmp_path: Path) -> None:
    other = IsicFolder(tmp_path / "other").fill(1, codes=["MEL"])
    prints = {ingest_fingerprint(params_of(*sources)) for sources in ([folder.root], [folder.root, other.root], ["phantom"])}
    assert len(prints) == 3


def test_a_file_is_read_again_only_where_it_changed(folder: IsicFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def sha256_file(path: Path) -> str:
        read.append(path.name)
        return path.name

    monkeypatch.setattr(digests, "sha256_file", sha256_file)
    params, cache = params_of(folder.root), tmp_path / "cache.json"
    ingest_fingerprint(params, cache)
    assert len(read) == 18  # 8 images, 8 masks, 2 tables
    read.clear()
    folder.image("other", file="ISIC_MEL_0.jpg")
    os.utime(folder.root / "images/ISIC_NV_0.jpg", ns=(1, 1))
    ingest_fingerprint(params, cache)
    assert read == ["ISIC_MEL_0.jpg", "ISIC_NV_0.jpg"]


def test_a_damaged_cache_is_made_anew(folder: IsicFolder, tmp_path: Path) -> None:
    params, cache = params_of(folder.root), tmp_path / "cache.json"
    cache.write_text('{"half')
    assert ingest_fingerprint(params, cache) == ingest_fingerprint(params)
    assert len(json.loads(cache.read_text())) == 18


def test_a_source_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        ingest_fingerprint(params_of(tmp_path / "nowhere"))


@pytest.mark.slow
def test_a_second_look_at_23_000_real_files_reads_none(real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    params, cache = params_of(real_data / "isic", real_data / "ham10000"), tmp_path / "cache.json"
    first = ingest_fingerprint(params, cache)
    monkeypatch.delattr(digests, "sha256_file")
    assert ingest_fingerprint(params, cache) == first
