"""Ingest goes on from what lies there: a killed attempt's shards, and those of earlier outputs, which no later one changes."""

import hashlib
import zipfile
from pathlib import Path

import pytest

from components.dataset import read_manifest
from components.ingest import ingest, pack
from components.ingest.fingerprint import ingest_fingerprint
from components.ingest.folder import LocalFile
from components.reporter import Reporter
from components.withdrawn import Withdrawal, Withdrawn
from tests.components.ingest.conftest import Ingested, Run, params_of
from tests.isic_folder import IsicFolder


@pytest.fixture
def folder(tmp_path: Path) -> IsicFolder:
    """40 images of eight classes with masks, 20 without."""
    folder = IsicFolder(tmp_path / "clinic").fill(5)
    for number in range(20):
        folder.image(f"ISIC_LONE_{number:02}")
        folder.row(f"ISIC_LONE_{number:02}", "NV")
    folder.tables()
    return folder


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pack, "SHARD_IMAGES", 8)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are read whole, in order."""
    names: list[str] = []
    read = LocalFile.read

    def counted(self: LocalFile) -> bytes:
        names.append(Path(self.path).name)
        return read(self)

    monkeypatch.setattr(LocalFile, "read", counted)
    return names


@pytest.fixture
def again(run: Run, folder: IsicFolder, tmp_path: Path) -> Ingested:
    """The folder's first ingest, with its digests known."""
    ingest_fingerprint(params_of(folder.root), tmp_path / "digests.json")
    return run(folder.root, out="first", digests=tmp_path / "digests.json")


def content(done: Ingested) -> dict[tuple[str, str], tuple[bytes, bytes]]:
    """Image and mask of each row, as they lie in the shards."""
    return {
        (row["task"], row["image_id"]): (
            done.dataset.image_bytes(row),
            done.dataset.mask_bytes(row) if row["mask"] else b"",
        )
        for _, row in done.dataset.manifest.iterrows()
    }


def test_each_picture_is_read_once(folder: IsicFolder, run: Run, reads: list[str]) -> None:
    run(folder.root)
    pictures = [name for name in reads if not name.endswith(".csv")]
    assert len(pictures) == len(set(pictures)) == 40 + 40 + 20


class _Killed(BaseException):
    """Stands for the end of the process."""


def test_a_killed_attempt_is_gone_on_from_without_reading_again_and_ends_the_same(
    folder: IsicFolder, run: Run, tmp_path: Path, reads: list[str]
) -> None:
    whole = run(folder.root, out="whole")
    reads.clear()

    class KilledLater(Reporter):
        def progress(self, done: int, total: int, what: str = "") -> None:
            if "packed" in what and len(reads) > 2 + 2 * 8 * 2:
                raise _Killed

    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(_Killed):
        ingest(out, params_of(folder.root), KilledLater(out, "ingest"))
    (out / "shards" / "classification-0123456789abcdef.zip").write_bytes(b"of a source that has changed since")
    (out / "shards" / ".x.zip.abc.part").write_bytes(b"half")
    (out / ".manifest.parquet.abc.part").write_bytes(b"half")
    kept = {shard.name: shard.stat().st_ino for shard in (out / "shards").glob("segmentation-*.zip")}
    assert len(kept) == 2

    reads.clear()
    done = run(folder.root)
    assert len(reads) == 2 + 100 - 2 * 16  # the tables, and the pictures that are in no whole shard
    names = sorted(str(path.relative_to(out)) for path in out.rglob("*"))
    assert names == sorted(str(path.relative_to(whole.out)) for path in whole.out.rglob("*"))
    assert all((out / name).read_bytes() == (whole.out / name).read_bytes() for name in names if (out / name).is_file())
    assert kept.items() <= done.shards.items()


def test_added_images_go_into_new_shards_and_only_they_are_read(
    folder: IsicFolder, run: Run, again: Ingested, reads: list[str], tmp_path: Path
) -> None:
    for number in range(3):
        folder.image(f"ISIC_A_{number}")  # first by their ids
        folder.row(f"ISIC_A_{number}", "MEL")
    folder.image("ISIC_A_4")
    folder.mask("ISIC_A_4")
    folder.tables()
    ingest_fingerprint(params_of(folder.root), tmp_path / "digests.json")
    done = run(folder.root, earlier=[again.out], digests=tmp_path / "digests.json")
    assert again.shards.items() <= done.shards.items()
    assert len(done.shards) == len(again.shards) + 2
    new = [f"ISIC_A_{number}.jpg" for number in (0, 1, 2, 4)] + ["ISIC_A_4_segmentation.png"]
    assert sorted(reads) == ["GroundTruth.csv", *new, "Metadata.csv"]
    fresh = run(folder.root, out="fresh")
    assert done.dataset.version == fresh.dataset.version
    assert content(done) == content(fresh)


def test_a_changed_table_reads_no_picture(folder: IsicFolder, run: Run, again: Ingested, reads: list[str], tmp_path: Path) -> None:
    folder.facts[0][1] = "80"
    folder.tables()
    done = run(folder.root, earlier=[again.out], digests=tmp_path / "digests.json")
    assert done.shards == again.shards
    assert sorted(reads) == ["GroundTruth.csv", "Metadata.csv"]
    assert done.dataset.version != again.dataset.version
    assert done.row("ISIC_MEL_0", "classification")["age_approx"] == 80


def test_without_known_digests_shards_are_taken_over_all_the_same(folder: IsicFolder, run: Run, again: Ingested) -> None:
    folder.image("ISIC_A")
    folder.row("ISIC_A", "MEL")
    folder.tables()
    done = run(folder.root, earlier=[again.out])
    assert again.shards.items() <= done.shards.items()


@pytest.mark.parametrize("change", ["removed", "changed"])
def test_a_removed_or_changed_image_leaves_the_bytes_and_its_shard_alone_is_written_again(
    change: str, folder: IsicFolder, run: Run, again: Ingested, reads: list[str], tmp_path: Path
) -> None:
    victim = folder.root / "images/ISIC_MEL_2.jpg"
    old = victim.read_bytes()
    victim.unlink()
    if change == "changed":
        folder.image("other", file="ISIC_MEL_2.jpg")
    ingest_fingerprint(params_of(folder.root), tmp_path / "digests.json")
    done = run(folder.root, earlier=[again.out], digests=tmp_path / "digests.json")
    assert len(again.shards.items() - done.shards.items()) == 1
    assert sorted(name for name in reads if not name.endswith(".csv")) == (
        ["ISIC_MEL_2.jpg", "ISIC_MEL_2_segmentation.png"] if change == "changed" else []
    )
    assert not any(old in (done.out / "shards" / name).read_bytes() for name in done.shards)
    assert (again.out / "shards").is_dir()
    assert old in content(again)["classification", "ISIC_MEL_2"]
    fresh = run(folder.root, out="fresh")
    assert done.dataset.version == fresh.dataset.version
    assert content(done) == content(fresh)


def test_a_new_mask_for_an_image_that_had_none_is_taken(folder: IsicFolder, run: Run, again: Ingested, tmp_path: Path) -> None:
    folder.mask("ISIC_LONE_03")
    ingest_fingerprint(params_of(folder.root), tmp_path / "digests.json")
    done = run(folder.root, earlier=[again.out], digests=tmp_path / "digests.json")
    assert "ISIC_LONE_03" in done.ids("segmentation")
    assert done.members().count("ISIC_LONE_03.jpg") == 1
    assert done.dataset.version == run(folder.root, out="fresh").dataset.version


def test_a_mask_that_does_not_fit_is_set_aside_again_without_reading_it(
    folder: IsicFolder, run: Run, reads: list[str], tmp_path: Path
) -> None:
    folder.mask("ISIC_MEL_0", size=(64, 64))
    first = run(folder.root, out="first")
    reads.clear()
    ingest_fingerprint(params_of(folder.root), tmp_path / "digests.json")
    done = run(folder.root, earlier=[first.out], digests=tmp_path / "digests.json")
    assert done.quarantine == first.quarantine
    assert len(done.quarantine) == 1
    assert sorted(reads) == ["GroundTruth.csv", "Metadata.csv"]


def test_of_several_outputs_the_one_that_holds_most_is_taken(folder: IsicFolder, run: Run, again: Ingested, tmp_path: Path) -> None:
    other = run(IsicFolder(tmp_path / "other").fill(1).root, out="other")
    done = run(folder.root, earlier=[other.out, again.out], digests=tmp_path / "digests.json")
    assert done.shards == again.shards


def test_an_output_whose_shards_are_gone_is_read_anew(folder: IsicFolder, run: Run, again: Ingested, tmp_path: Path) -> None:
    gone = sorted((again.out / "shards").iterdir())[0]
    gone.unlink()
    done = run(folder.root, earlier=[again.out], digests=tmp_path / "digests.json")
    assert gone.name in done.shards
    assert len(done.dataset.manifest) == 40 * 2 + 20


def withdrawal(**more: tuple[str, ...]) -> Withdrawn:
    lists = {"image_ids": (), "sha256": ()} | more
    return Withdrawn((Withdrawal("P", "patient", "2026-11-25", "asked for", 1, **lists),))


@pytest.mark.parametrize("by", ["image_ids", "sha256"])
def test_what_was_withdrawn_is_taken_neither_from_the_source_nor_from_earlier_shards(
    by: str, folder: IsicFolder, run: Run, again: Ingested, tmp_path: Path
) -> None:
    bytes_of = (folder.root / "images/ISIC_NV_1.jpg").read_bytes()
    withdrawn = withdrawal(**{by: ("ISIC_NV_1",) if by == "image_ids" else (hashlib.sha256(bytes_of).hexdigest(),)})
    for earlier in ([], [again.out]):
        done = run(folder.root, out=f"out{len(earlier)}", earlier=earlier, withdrawn=withdrawn, digests=tmp_path / "digests.json")
        assert "ISIC_NV_1" not in done.ids("classification") + done.ids("segmentation")
        assert not any(bytes_of in (done.out / "shards" / name).read_bytes() for name in done.shards)
        assert any("1 images that a source still offers were withdrawn" in message for message in done.messages)
        assert len(done.dataset.manifest) == 40 * 2 + 20 - 2


def test_the_output_holds_what_its_rows_name_and_nothing_else(folder: IsicFolder, run: Run) -> None:
    (folder.root / "images/ISIC_TWIN.jpg").write_bytes((folder.root / "images/ISIC_LONE_05.jpg").read_bytes())
    folder.row("ISIC_TWIN", "NV")
    folder.tables()
    done = run(folder.root)
    manifest = read_manifest(done.out)
    named = {(row["shard"], row["row"]) for _, row in manifest.iterrows()}
    lying = {
        (f"shards/{shard.name}", number)
        for shard in (done.out / "shards").iterdir()
        for number, name in enumerate(zipfile.ZipFile(shard).namelist())
        if not name.endswith("_segmentation.png")
    }
    assert named == lying
