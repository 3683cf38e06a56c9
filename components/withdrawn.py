"""withdrawn.csv: which images were taken back, so that no source brings them in again; read and written here alone.

It lies beside params.yaml, git tracks it, and it holds no image: ids and digests. One row for each id that was withdrawn:

    id, kind       what was asked for: the id of an `image`, a `lesion` or a `patient`
    when, reason   YYYY-MM-DD, and why in the words of whoever withdrew it
    images         number of images that went
    image_ids      their ids
    sha256         of the files that went, images and masks
    versions       data versions that held them
    folders        MD5 of the folders in DVC (`….dir`) that held them and can be fetched no more
    seen_by        what was made from that data and stays: runs, model versions
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path

from components.errors import DatasetError
from components.files import sha256_bytes, write_text
from components.project import project_file

FILE = "withdrawn.csv"
_KINDS = ("image", "lesion", "patient")


@dataclass(frozen=True)
class Withdrawal:
    """A row of withdrawn.csv; see the head of this file."""

    id: str
    kind: str
    when: str
    reason: str
    images: int
    image_ids: tuple[str, ...]
    sha256: tuple[str, ...]
    versions: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    seen_by: tuple[str, ...] = ()

    def joined(self, later: "Withdrawal") -> "Withdrawal":
        """This row, with what a later one of the same id, of another attempt or another machine, names besides."""

        def both(first: Sequence[str], second: Sequence[str]) -> tuple[str, ...]:
            return tuple(dict.fromkeys((*first, *second)))

        images = both(self.image_ids, later.image_ids)
        return replace(
            self,
            reason=self.reason or later.reason,
            images=len(images),
            image_ids=images,
            sha256=both(self.sha256, later.sha256),
            versions=both(self.versions, later.versions),
            folders=both(self.folders, later.folders),
            seen_by=both(self.seen_by, later.seen_by),
        )


COLUMNS: tuple[str, ...] = tuple(field.name for field in fields(Withdrawal))


@dataclass(frozen=True)
class Withdrawn:
    """All that was withdrawn."""

    rows: tuple[Withdrawal, ...] = ()

    @cached_property
    def _ids(self) -> dict[tuple[str, str], Withdrawal]:
        named = {(row.kind, row.id): row for row in self.rows}
        return named | {("image", image): row for row in self.rows for image in row.image_ids}

    @cached_property
    def _digests(self) -> dict[str, Withdrawal]:
        return {digest: row for row in self.rows for digest in row.sha256}

    def refuses(
        self, image_id: str, *, lesion_id: str | None = None, patient_id: str | None = None, sha256: str = ""
    ) -> Withdrawal | None:
        """The withdrawal that keeps an image out, or None where there is none.

        Args:
            image_id: the image's id.
            lesion_id: its lesion's, where known.
            patient_id: its patient's, where known.
            sha256: of its file.
        """
        names = (("image", image_id), ("lesion", lesion_id or ""), ("patient", patient_id or ""))
        return next((self._ids[name] for name in names if name in self._ids), None) or self._digests.get(sha256)

    def lacks(self, other: "Withdrawn") -> tuple[Withdrawal, ...]:
        """Rows of another list that refuse something which this one lets pass."""
        return tuple(row for row in other.rows if not self._covers(row))

    def _covers(self, row: Withdrawal) -> bool:
        images = all(("image", image) in self._ids for image in row.image_ids)
        return (row.kind, row.id) in self._ids and images and self._digests.keys() >= set(row.sha256)

    def joined(self, later: "Withdrawn") -> "Withdrawn":
        """Both lists as one: it refuses what either refuses."""
        rows = {(row.kind, row.id): row for row in self.rows}
        for row in later.rows:
            named = row.kind, row.id
            rows[named] = rows[named].joined(row) if named in rows else row
        return Withdrawn(tuple(rows.values()))

    @cached_property
    def digest(self) -> str:
        """What ingest's key takes in: 64 hexadecimal digits over all that is refused; empty where nothing is."""
        if not self.rows:
            return ""
        refused = sorted(f"{row.kind} {row.id} {' '.join(row.image_ids)} {' '.join(row.sha256)}" for row in self.rows)
        return sha256_bytes("\n".join(refused).encode())


def withdrawn_file() -> Path:
    """The list that holds here, found as params.yaml is: in the working directory, or else the one that the package ships."""
    return Path(FILE) if Path(FILE).is_file() else project_file(FILE)


def withdrawn_for(home: Path) -> Withdrawn:
    """What must be kept out of a home's data: what the list that holds here names, and what was taken back in the home itself.

    Args:
        home: the home's folder; its own list is what `dermacare data withdraw` writes outside a project.

    Raises:
        DatasetError: one of the two lists cannot be read.
    """
    own = home / FILE
    return read_withdrawn().joined(read_withdrawn(own)) if own.is_file() else read_withdrawn()


def read_withdrawn(file: Path | None = None) -> Withdrawn:
    """Read withdrawn.csv.

    Args:
        file: which; None: `withdrawn_file()`.

    Raises:
        DatasetError: it is absent or damaged; nothing is taken in past a list that cannot be read.
    """
    file = file or withdrawn_file()
    try:
        rows = list(csv.reader(io.StringIO(file.read_text(encoding="utf-8"), newline=""), strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{file}: cannot be read ({error}); bring back the committed one: git checkout {FILE}") from error
    if not rows or tuple(rows[0]) != COLUMNS:
        raise DatasetError(f"{file}: its first line is not {','.join(COLUMNS)}; bring back the committed one: git checkout {FILE}")
    return Withdrawn(tuple(_row(cells, f"{file}: line {number}") for number, cells in enumerate(rows[1:], 2)))


def _row(cells: list[str], where: str) -> Withdrawal:
    if len(cells) != len(COLUMNS):
        raise DatasetError(f"{where}: has {len(cells)} cells, the header {len(COLUMNS)}; bring back the committed one")
    values = dict(zip(COLUMNS, cells, strict=True))
    if values["kind"] not in _KINDS:
        raise DatasetError(f"{where}: kind is {values['kind']!r}; it must be one of {', '.join(_KINDS)}")
    if not values["images"].isdecimal():
        raise DatasetError(f"{where}: images is {values['images']!r}; it must be a number")
    lists = {name: tuple(values[name].split()) for name in ("image_ids", "sha256", "versions", "folders")}
    return Withdrawal(
        values["id"],
        values["kind"],
        values["when"],
        values["reason"],
        int(values["images"]),
        **lists,
        seen_by=tuple(filter(None, values["seen_by"].split("; "))),
    )


def write_withdrawn(file: Path, withdrawn: Withdrawn) -> None:
    """Write withdrawn.csv, rows in the order in which they were withdrawn."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in withdrawn.rows:
        lists = [" ".join(names) for names in (row.image_ids, row.sha256, row.versions, row.folders)]
        writer.writerow([row.id, row.kind, row.when, row.reason, row.images, *lists, "; ".join(row.seen_by)])
    write_text(file, text.getvalue())
