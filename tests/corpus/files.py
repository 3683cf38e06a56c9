"""Cells of what lies in a folder: images, masks, the two tables; and of params.yaml."""

import struct
from collections.abc import Callable, Iterator, Mapping

import cv2
import numpy as np

from components.errors import ParamsError, SourceError, TableError
from components.images import decode_image
from components.project import project_file
from tests.corpus.cells import Arrange, Cell, cells_of
from tests.corpus.scene import IMAGE, MASK, SIZE, VICTIM, Refused, Scene, SetAside, Taken, Told
from tests.isic_folder import FACTS, LABELS, draw

LABEL_TABLE, FACT_TABLE = "GroundTruth.csv", "Metadata.csv"


def removed(file: str) -> Arrange:
    return lambda scene: (scene.folder.root / file).unlink()


def replaced(file: str, data: bytes) -> Arrange:
    return lambda scene: scene.folder.raw(file, data)


def cut(file: str) -> Arrange:
    """Half of a file is left."""

    def arrange(scene: Scene) -> None:
        whole = (scene.folder.root / file).read_bytes()
        scene.folder.raw(file, whole[: len(whole) // 2])

    return arrange


def linked_out(file: str) -> Arrange:
    """A link to a file outside the folder stands in its place."""

    def arrange(scene: Scene) -> None:
        path = scene.folder.root / file
        path.rename(scene.work / "secret")
        path.symlink_to(scene.work / "secret")

    return arrange


def locked(file: str) -> Arrange:
    """The file is there, and may not be read."""

    def arrange(scene: Scene) -> None:
        (scene.folder.root / file).chmod(0)
        scene.without_rights = True

    return arrange


def while_read(change: Callable[[Scene], object]) -> Arrange:
    def arrange(scene: Scene) -> None:
        scene.during = lambda: change(scene)

    return arrange


def bomb() -> bytes:
    """A PNG that says it is 60,000 x 60,000 pixels."""
    return b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR" + (60_000).to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0" + bytes(4)


def deep(scene: Scene) -> None:
    """The image as a 16-bit PNG, which is brought to 8 bits."""
    (scene.folder.root / IMAGE).unlink()
    pixels = draw(VICTIM, SIZE)[0][:, :, ::-1].astype(np.uint16) * 257
    file = scene.folder.raw(f"images/{VICTIM}.png", cv2.imencode(".png", pixels)[1].tobytes())
    np.testing.assert_array_equal(decode_image(file.read_bytes(), ""), draw(VICTIM, SIZE)[0])


def lying_header(scene: Scene) -> None:
    """A JPEG whose header promises four times the pixels that its scan holds."""
    data = bytearray((scene.folder.root / IMAGE).read_bytes())
    frame = data.index(b"\xff\xc0") + 5
    data[frame : frame + 4] = struct.pack(">HH", 2 * SIZE[0], 2 * SIZE[1])
    scene.folder.raw(IMAGE, bytes(data))


def images() -> Iterator[Cell]:
    """An image file."""
    return cells_of(
        "image",
        {
            "absent": (removed(IMAGE), Told("images that tables name but that do not lie there: 1")),
            "empty": (replaced(IMAGE, b""), SetAside("image", "neither a JPEG nor a PNG")),
            "truncated": (cut(IMAGE), SetAside("image", "truncated")),
            "wrong type": (replaced(IMAGE, b"%PDF-1.7\n"), SetAside("image", "neither a JPEG nor a PNG")),
            "wrong encoding": (deep, Taken()),
            "too large": (replaced(IMAGE, bomb()), SetAside("image", "60000 x 60000 pixels")),
            "contradictory": (lying_header, SetAside("image", "damaged")),
            "hostile": (linked_out(IMAGE), SetAside("image", "a link that leaves its folder")),
            "unreadable": (locked(IMAGE), SetAside("image", "cannot be read (Permission denied)")),
            "changing while read": (
                while_read(lambda scene: scene.folder.image("another", size=SIZE, file=f"ISIC_{LABELS[8]}_val.jpg")),
                Refused(SourceError, "changed while it was read"),
            ),
        },
    )


def coloured_mask(scene: Scene) -> None:
    """A mask of 0 | 1, as some tools write it."""
    scene.folder.raw(MASK, cv2.imencode(".png", draw(VICTIM, SIZE)[1] // 255)[1].tobytes())


def masks() -> Iterator[Cell]:
    """A mask file."""
    black = cv2.imencode(".png", np.zeros(SIZE, np.uint8))[1].tobytes()
    return cells_of(
        "mask",
        {
            "absent": (removed(MASK), Taken(rows=1)),
            "empty": (replaced(MASK, black), SetAside("mask", "mask is empty: no pixel is lesion")),
            "truncated": (cut(MASK), SetAside("mask", "truncated")),
            "wrong type": (replaced(MASK, b"no mask\n"), SetAside("mask", "neither a JPEG nor a PNG")),
            "wrong encoding": (coloured_mask, Told("1 masks held other values than 0 and 255 and were repaired")),
            "too large": (replaced(MASK, bomb()), SetAside("mask", "60000 x 60000 pixels")),
            "contradictory": (
                lambda scene: scene.folder.mask(VICTIM, size=(SIZE[0], SIZE[0])),
                SetAside("mask", "another shape than its image's"),
            ),
            "hostile": (linked_out(MASK), SetAside("mask", "a link that leaves its folder")),
            "unreadable": (locked(MASK), SetAside("mask", "cannot be read (Permission denied)")),
            "changing while read": (
                while_read(lambda scene: scene.folder.raw(f"masks/ISIC_{LABELS[8]}_val_segmentation.png", b"something else")),
                Refused(SourceError, "changed while it was read"),
            ),
        },
    )


def relabelled(**cells: str) -> Arrange:
    """The victim's row of GroundTruth.csv with other cells."""
    return with_cells(LABELS, lambda scene: scene.folder.labels, cells)


def restated(**cells: str) -> Arrange:
    """The victim's row of Metadata.csv with other cells."""
    return with_cells(FACTS, lambda scene: scene.folder.facts, cells)


def with_cells(columns: tuple[str, ...], rows_of: Callable[[Scene], list[list[str]]], cells: Mapping[str, str]) -> Arrange:
    def arrange(scene: Scene) -> None:
        rows = rows_of(scene)
        place = next(number for number, row in enumerate(rows) if row[0] == VICTIM)
        rows[place] = [cells.get(column, cell) for column, cell in zip(columns, rows[place], strict=True)]
        scene.folder.tables()

    return arrange


def reencoded(file: str, encoding: str, old: str, new: str) -> Arrange:
    def arrange(scene: Scene) -> None:
        text = (scene.folder.root / file).read_text(encoding="utf-8").replace(old, new, 1)
        scene.folder.raw(file, text.encode(encoding))

    return arrange


def cut_in_a_row(file: str) -> Arrange:
    """The table ends in the middle of its last row."""

    def arrange(scene: Scene) -> None:
        data = (scene.folder.root / file).read_bytes().rstrip()
        scene.folder.raw(file, data[: data.rindex(b",") - 2])

    return arrange


def tables() -> Iterator[Cell]:
    """GroundTruth.csv."""
    huge = f"{VICTIM},{'9' * 200_000},0,0,0,0,0,0,0,0\n".encode()
    header = ",".join(LABELS).encode() + b"\n"
    return cells_of(
        "table",
        {
            "absent": (removed(LABEL_TABLE), Told("so only segmenters can be trained")),
            "empty": (replaced(LABEL_TABLE, b""), Told("no table like ISIC 2019's, left out: GroundTruth.csv")),
            "truncated": (cut_in_a_row(LABEL_TABLE), SetAside("image", "cells, the header 10")),
            "wrong type": (replaced(LABEL_TABLE, bomb()), Told("no table like ISIC 2019's, left out: GroundTruth.csv")),
            "wrong encoding": (
                reencoded(LABEL_TABLE, "utf-16", "", ""), Refused(TableError, "GroundTruth.csv: line 1 is not UTF-8"),
            ),
            "too large": (replaced(LABEL_TABLE, header + huge), Refused(TableError, "GroundTruth.csv: line 2 cannot be read")),
            "contradictory": (relabelled(NV="1.0"), SetAside("label", "two classes in one row: MEL, NV")),
            "hostile": (relabelled(image="../../etc/passwd"), SetAside("image", "no plain name")),
            "unreadable": (
                locked(LABEL_TABLE), Refused(TableError, "GroundTruth.csv: cannot be read (Permission denied)"),
            ),
            "changing while read": (
                while_read(lambda scene: scene.folder.table(LABEL_TABLE, LABELS, [])), Taken(),
            ),
        },
    )  # fmt: skip


def metadata() -> Iterator[Cell]:
    """Metadata.csv."""
    header = ",".join(FACTS).encode() + b"\n"
    return cells_of(
        "metadata",
        {
            "absent": (removed(FACT_TABLE), Taken()),
            "empty": (replaced(FACT_TABLE, header), Taken()),
            "truncated": (cut_in_a_row(FACT_TABLE), SetAside("image", "cells, the header 5")),
            "wrong type": (restated(age_approx="old"), SetAside("age_approx", "age_approx is 'old', which is no number")),
            "wrong encoding": (
                reencoded(FACT_TABLE, "latin-1", "anterior torso", "Schädel"),
                Refused(TableError, "Metadata.csv: line 2 is not UTF-8"),
            ),
            "too large": (restated(age_approx="430"), SetAside("age_approx", "age_approx is 430")),
            "contradictory": (
                lambda scene: scene.folder.table("again/Metadata.csv", FACTS, [[VICTIM, "45", "", "another lesion", "female"]]),
                SetAside("lesion_id", "two values of lesion_id"),
            ),
            "hostile": (restated(sex="<script>alert(1)</script>"), SetAside("sex", "it must be male or female")),
            "unreadable": (locked(FACT_TABLE), Refused(TableError, "Metadata.csv: cannot be read (Permission denied)")),
            "changing while read": (while_read(lambda scene: scene.folder.table(FACT_TABLE, FACTS, [])), Taken()),
        },
    )


def params_file(change: Callable[[str], str | bytes] = str) -> Arrange:
    """A params.yaml of the user's own, made from the packaged one."""

    def arrange(scene: Scene) -> None:
        text = change(project_file("params.yaml").read_text(encoding="utf-8"))
        scene.params = scene.work / "params.yaml"
        scene.params.write_bytes(text if isinstance(text, bytes) else text.encode())

    return arrange


def no_params(scene: Scene) -> None:
    scene.params = scene.work / "none.yaml"


def locked_params(scene: Scene) -> None:
    params_file()(scene)
    scene.params.chmod(0)
    scene.without_rights = True


def swapped_params(scene: Scene) -> None:
    """They are read at the start and never again: what is changed later waits for the next run."""
    params_file()(scene)
    scene.during = lambda: scene.params.write_text("nonsense", encoding="utf-8")


def params() -> Iterator[Cell]:
    """params.yaml."""
    return cells_of(
        "params",
        {
            "absent": (no_params, Refused(ParamsError, "none.yaml: cannot be read (No such file or directory)")),
            "empty": (params_file(lambda text: ""), Refused(ParamsError, "params.yaml: holds no sections")),
            "truncated": (
                params_file(lambda text: text[: text.index("preprocess:")]), Refused(ParamsError, "preprocess is missing"),
            ),
            "wrong type": (
                params_file(lambda text: text.replace("folds: 5", "folds: many")), Refused(ParamsError, "validate.folds is 'many'"),
            ),
            "wrong encoding": (
                params_file(lambda text: ("# é\n" + text).encode("latin-1")), Refused(ParamsError, "is not valid YAML"),
            ),
            "too large": (
                params_file(lambda text: text.replace("shard_rows: 512", "shard_rows: 99999999")),
                Refused(ParamsError, "preprocess.shard_rows is 99999999"),
            ),
            "contradictory": (
                params_file(lambda text: text.replace("test_share: 0.15", "test_share: 0.95")),
                Refused(ParamsError, "test_share + val_share must stay below 1"),
            ),
            "hostile": (
                params_file(lambda text: text.replace("folds: 5", "folds: !!python/object/apply:os.system [exit]")),
                Refused(ParamsError, "is not valid YAML"),
            ),
            "unreadable": (locked_params, Refused(ParamsError, "params.yaml: cannot be read (Permission denied)")),
            "changing while read": (swapped_params, Taken()),
        },
    )  # fmt: skip
