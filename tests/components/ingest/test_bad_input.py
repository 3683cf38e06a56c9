"""Bad input: each defect ends in one sentence that names file and field, or in a row of quarantine.csv; nothing is lost."""

import os
import resource
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from components.errors import DermaCareError, SourceError, StoreError, TableError
from components.ingest import ingest
from components.ingest.fingerprint import ingest_fingerprint
from components.reporter import Reporter
from tests.components.ingest.conftest import Run, params_of
from tests.isic_folder import FACTS, LABELS, IsicFolder

Defect = Callable[[IsicFolder], object]

# Each case starts from a sound folder: ISIC_MEL_0 … ISIC_SCC_0, one of each class, with masks and tables.
VICTIM = "ISIC_MEL_0"


def relabelled(**cells: str) -> Defect:
    """The victim's row of GroundTruth.csv with other cells."""

    def damage(folder: IsicFolder) -> None:
        folder.labels[0] = [cells.get(column, cell) for column, cell in zip(LABELS, folder.labels[0], strict=True)]
        folder.tables()

    return damage


def restated(**cells: str) -> Defect:
    """The victim's row of Metadata.csv with other cells."""

    def damage(folder: IsicFolder) -> None:
        folder.facts[0] = [cells.get(column, cell) for column, cell in zip(FACTS, folder.facts[0], strict=True)]
        folder.tables()

    return damage


def label_table(columns: tuple[str, ...], cells: str = "") -> Defect:
    """GroundTruth.csv with these columns, and one row."""
    return lambda folder: folder.table("GroundTruth.csv", columns, [[VICTIM, *(cells or "0" * (len(columns) - 1))]])


def instead_of_image(replace: Callable[[Path], object]) -> Defect:
    """Something else in the place of the victim's image."""

    def damage(folder: IsicFolder) -> None:
        path = folder.root / f"images/{VICTIM}.jpg"
        path.unlink()
        replace(path)

    return damage


def two_tables(folder: IsicFolder) -> None:
    folder.labels[0] = [VICTIM, *"010000000"]
    folder.tables("again")


def two_lesions(folder: IsicFolder) -> None:
    folder.facts[0][FACTS.index("lesion_id")] = "another"
    folder.tables("again")


def ragged(folder: IsicFolder) -> None:
    folder.labels[0] = folder.labels[0][:4]
    folder.tables()


def bomb() -> bytes:
    # A whole PNG header and nothing else: width and height of 60,000, 8 bits, RGB.
    return b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR" + (60_000).to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0" + bytes(4)


IMAGE, MASK = f"images/{VICTIM}.jpg", f"masks/{VICTIM}_segmentation.png"
BOTH, CLASSIFICATION, SEGMENTATION = ("classification", "segmentation"), ("classification",), ("segmentation",)

# defect → image, what the reason says, file, field, tasks that the image is lost to
QUARANTINED: dict[str, tuple[Defect, str, str, str, str, tuple[str, ...]]] = {
    "two classes in one row": (
        relabelled(NV="1.0"), VICTIM, "two classes in one row: MEL, NV", "GroundTruth.csv", "label", CLASSIFICATION,
    ),
    "no class in a row": (relabelled(MEL="0.0"), VICTIM, "no class is 1", "GroundTruth.csv", "label", CLASSIFICATION),
    "the class is UNK": (relabelled(MEL="0", UNK="1"), VICTIM, "the label is UNK", "GroundTruth.csv", "label", CLASSIFICATION),
    "a class that is a share": (relabelled(MEL="0.7"), VICTIM, "MEL is '0.7'", "GroundTruth.csv", "label", CLASSIFICATION),
    "a class that is empty": (relabelled(MEL=""), VICTIM, "MEL is ''", "GroundTruth.csv", "label", CLASSIFICATION),
    "one image with two labels": (
        two_tables, VICTIM, "two labels: MEL and NV", "GroundTruth.csv and clinic/again/GroundTruth.csv", "label", CLASSIFICATION,
    ),
    "one image with two lesions": (
        two_lesions, VICTIM, "two values of lesion_id", "Metadata.csv and clinic/again/Metadata.csv", "lesion_id", BOTH,
    ),
    "an age that is no number": (
        restated(age_approx="old"), VICTIM, "age_approx is 'old', which is no number", "Metadata.csv", "age_approx", BOTH,
    ),
    "an age that is infinite": (restated(age_approx="inf"), VICTIM, "'inf'", "Metadata.csv", "age_approx", BOTH),
    "an id that leads out of the folder": (
        relabelled(image="../x"), "../x", "'../x' is no plain name", "GroundTruth.csv", "image", CLASSIFICATION,
    ),
    "an id that is an absolute path": (
        relabelled(image="/etc/x"), "/etc/x", "no plain name", "GroundTruth.csv", "image", CLASSIFICATION,
    ),
    "an empty id": (relabelled(image=""), "", "no plain name", "GroundTruth.csv", "image", CLASSIFICATION),
    "a row that is too short": (ragged, VICTIM, "the row has 4 cells, the header 10", "GroundTruth.csv", "image", BOTH),
    "text with a .jpg name": (
        lambda folder: folder.raw(IMAGE, b"no image\n"), VICTIM, "neither a JPEG nor a PNG", IMAGE, "image", BOTH,
    ),
    "an empty file": (lambda folder: folder.raw(IMAGE, b""), VICTIM, "neither a JPEG nor a PNG", IMAGE, "image", BOTH),
    "a JPEG cut in its header": (
        lambda folder: folder.raw(IMAGE, (folder.root / IMAGE).read_bytes()[:50]), VICTIM, "frame header", IMAGE, "image", BOTH,
    ),
    "a decompression bomb": (lambda folder: folder.raw(IMAGE, bomb()), VICTIM, "60000 x 60000", IMAGE, "image", BOTH),
    "a directory with a .jpg name": (instead_of_image(Path.mkdir), VICTIM, "it is no file", IMAGE, "image", BOTH),
    "a link to nothing": (
        instead_of_image(lambda path: path.symlink_to("gone.jpg")), VICTIM, "No such file", IMAGE, "image", BOTH,
    ),
    "a link that leaves the folder": (
        instead_of_image(lambda path: path.symlink_to("/etc/hostname")), VICTIM, "leaves its folder", IMAGE, "image", BOTH,
    ),
    "a pipe": (instead_of_image(os.mkfifo), VICTIM, "it is no file", IMAGE, "image", BOTH),
    "a mask that is no image": (
        lambda folder: folder.raw(MASK, b"no image\n"), VICTIM, "neither a JPEG nor a PNG", MASK, "mask", SEGMENTATION,
    ),
    "a mask of another aspect ratio": (
        lambda folder: folder.mask(VICTIM, size=(64, 64)), VICTIM, "another shape than its image's 64 x 48", MASK, "mask",
        SEGMENTATION,
    ),
}  # fmt: skip


def without(column: str) -> tuple[str, ...]:
    return tuple(name for name in LABELS if name != column)


# defect → error, what its sentence says
REFUSED: dict[str, tuple[Defect, type[DermaCareError], str]] = {
    "a class column is missing": (label_table(without("SCC")), TableError, "clinic/GroundTruth.csv: column SCC is missing"),
    "the id column is missing": (label_table(without("image")), TableError, "clinic/GroundTruth.csv: column image is missing"),
    "the id column of the metadata is missing": (
        lambda folder: folder.table("Metadata.csv", FACTS[1:], []), TableError, "clinic/Metadata.csv: column image is missing",
    ),
    "an unknown class code": (
        label_table((*LABELS, "AKIEC")), TableError, "clinic/GroundTruth.csv: column 'AKIEC' is no class code",
    ),
    "a column stands twice": (label_table((*LABELS, "MEL")), TableError, "clinic/GroundTruth.csv: column MEL stands there twice"),
    "a table in Latin-1": (
        lambda folder: (folder.facts[3].__setitem__(2, "Schädel"), folder.tables(encoding="latin-1")),
        TableError,
        "clinic/Metadata.csv: line 5 is not UTF-8",
    ),
    "a table in UTF-16": (lambda folder: folder.tables(encoding="utf-16"), TableError, "GroundTruth.csv: line 1 is not UTF-8"),
    "a table that is a link to nothing": (
        lambda folder: (folder.root / "more.csv").symlink_to("gone.csv"), TableError, "clinic/more.csv: cannot be read",
    ),
    "tables of which no image is there": (
        lambda folder: [path.unlink() for path in (folder.root / "images").iterdir()],
        SourceError,
        "8 images have a row and 8 a mask, but not one of them lies there",
    ),
    "images without any row or mask": (
        lambda folder: [path.unlink() for path in folder.root.rglob("*") if path.suffix in (".csv", ".png")],
        SourceError,
        "none of the 8 images has a diagnosis in a table or a mask",
    ),
    "an empty folder": (
        lambda folder: [path.unlink() for path in folder.root.rglob("*") if path.is_file()],
        SourceError,
        "clinic: there is no JPEG, PNG or CSV file",
    ),
}  # fmt: skip


@pytest.fixture
def sound(tmp_path: Path) -> IsicFolder:
    return IsicFolder(tmp_path / "clinic").fill(1)


@pytest.mark.parametrize("case", QUARANTINED)
def test_a_bad_row_or_file_is_set_aside_and_the_rest_goes_on(case: str, sound: IsicFolder, run: Run) -> None:
    damage, image, reason, file, field, lost = QUARANTINED[case]
    damage(sound)
    done = run(sound.root)
    assert [(row["image"], row["file"], row["field"]) for row in done.quarantine] == [(image, f"clinic/{file}", field)]
    assert reason in done.quarantine[0]["reason"]
    for task in BOTH:
        expected = {f"ISIC_{code}_0" for code in LABELS[1:-1]} - ({VICTIM} if task in lost else set())
        assert set(done.ids(task)) == expected
    assert any("1 set aside in quarantine.csv" in message for message in done.messages)


@pytest.mark.parametrize("case", REFUSED)
def test_a_broken_table_or_folder_stops_with_a_sentence(case: str, sound: IsicFolder, run: Run) -> None:
    damage, error, sentence = REFUSED[case]
    damage(sound)
    with pytest.raises(error) as raised:
        run(sound.root)
    assert type(raised.value) is error
    assert sentence in str(raised.value)
    assert "\n" not in str(raised.value)
    assert str(sound.root.parent) not in str(raised.value)


def test_a_bad_copy_costs_nothing_where_a_good_one_lies_beside_it(sound: IsicFolder, run: Run) -> None:
    sound.raw(f"copies/{VICTIM}.jpg", b"no image\n")
    done = run(sound.root)
    assert len(done.ids("classification")) == 8
    assert done.quarantine == []
    assert any(f"clinic/copies/{VICTIM}.jpg: is neither a JPEG nor a PNG" in message for message in done.messages)


def test_a_bad_row_that_tables_repeat_is_set_aside_once(sound: IsicFolder, run: Run) -> None:
    relabelled(NV="1.0")(sound)
    sound.tables("full")
    assert len(run(sound.root).quarantine) == 1


def test_a_bad_row_of_an_absent_image_is_counted_not_set_aside(sound: IsicFolder, run: Run) -> None:
    sound.row("ISIC_ABSENT", "MEL", "NV")
    sound.tables()
    done = run(sound.root)
    assert done.quarantine == []
    assert "left out: images that tables name but that do not lie there: 1" in done.messages


def test_a_file_that_changes_after_it_was_listed_is_noticed(sound: IsicFolder, tmp_path: Path) -> None:
    class Changes(Reporter):
        def progress(self, done: int, total: int, what: str = "") -> None:
            if what == "images chosen" and done == total:
                sound.image("another", file=f"{VICTIM}.jpg")

    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(SourceError, match=rf"clinic/images/{VICTIM}\.jpg: changed while it was read"):
        ingest(out, params_of(sound.root), Changes(out, "ingest"))


def test_a_file_that_is_not_the_one_of_the_fingerprint_is_noticed(sound: IsicFolder, tmp_path: Path) -> None:
    path, cache = sound.root / IMAGE, tmp_path / "digests.json"
    ingest_fingerprint(params_of(sound.root), cache)
    state, other = path.stat(), bytearray(path.read_bytes())
    other[-10] ^= 1
    path.write_bytes(other)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))  # length and time say that nothing changed
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(SourceError, match=rf"clinic/images/{VICTIM}\.jpg: changed while it was read"):
        ingest(out, params_of(sound.root), Reporter(out, "ingest"), digests=cache)


def test_a_full_disk_is_one_sentence_and_leaves_nothing_half_written(sound: IsicFolder, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    # The kernel refuses what goes beyond the limit in the way in which it refuses a full disk: write() fails.
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limit[1]))
    try:
        with pytest.raises(StoreError) as raised:
            ingest(out, params_of(sound.root), Reporter(out, "ingest"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, before)
    assert "cannot be written (File too large); free space" in str(raised.value)
    assert not [path for path in out.rglob("*") if path.is_file()]


@pytest.fixture
def nobody() -> Iterator[None]:
    """Tests that run as root read everything, so they become somebody else."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield
    os.seteuid(user)


def test_a_source_without_permission_is_named(sound: IsicFolder, nobody: None) -> None:
    locked = sound.root / "images"
    if os.geteuid() != 65534:
        locked.chmod(0)
    with pytest.raises(SourceError, match=r"cannot be read \(Permission denied\)"):
        ingest_fingerprint(params_of(sound.root))
    if os.geteuid() != 65534:
        locked.chmod(0o755)
