"""ISIC's tables, recognised by their columns: which diagnosis an image has, and what is known of its patient.

GroundTruth   image, the eight codes, UNK (and in the test set score_weight, validation_weight)
Metadata      image, and any of age_approx, anatom_site_general, sex, lesion_id, patient_id
"""

import codecs
import csv
import io
import math
from dataclasses import dataclass, field

from components.errors import TableError
from components.ingest.source import LABEL, Problem, Row, image_id
from components.lesions import CODES

IMAGE = "image"
AGE = "age_approx"
FACTS = frozenset({AGE, "anatom_site_general", "sex", "lesion_id", "patient_id"})
_UNKNOWN = "UNK"
_WEIGHTS = frozenset({"score_weight", "validation_weight"})


@dataclass
class Table:
    """The rows of one table, and what of it cannot be used."""

    rows: list[Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def read_table(data: bytes, file: str) -> Table | None:
    """Read a GroundTruth or Metadata table; None where the columns are those of neither.

    Args:
        data: the table, comma-separated UTF-8, with or without byte order mark, with any line ends.
        file: what to call it in errors.

    Raises:
        TableError: a table of ours is not UTF-8, lacks a column or has a class code that we do not know.
    """
    columns = _columns(data)
    labelled = _is_ground_truth(columns)
    if not labelled and not _is_metadata(columns):
        return None
    _check_columns(columns, labelled, file)
    return _read_rows(_text(data, file), columns, labelled, file)


def _columns(data: bytes) -> list[str]:
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    first = data[:8192].decode(encoding, errors="replace").splitlines()[:1]
    return [cell.strip() for row in csv.reader(first) for cell in row]


def _is_ground_truth(columns: list[str]) -> bool:
    codes = len(set(columns) & set(CODES))
    return codes >= 4 or (codes >= 1 and IMAGE in columns)


def _is_metadata(columns: list[str]) -> bool:
    facts = set(columns) & FACTS
    # All columns but `image` are there: a table of ours that is broken, not a foreign one.
    return bool(facts) and (IMAGE in columns or (len(facts) >= 2 and set(columns) == facts))


def _check_columns(columns: list[str], labelled: bool, file: str) -> None:
    twice = next((name for name in columns if columns.count(name) > 1), None)
    if twice is not None:
        raise TableError(f"{file}: column {twice} stands there twice; keep one")
    missing = next((name for name in (IMAGE, *(CODES if labelled else ())) if name not in columns), None)
    if missing is not None:
        raise TableError(f"{file}: column {missing} is missing; a table like ISIC 2019's has {', '.join((IMAGE, *CODES))}")
    if labelled:
        foreign = next((n for n in columns if n not in {IMAGE, *CODES, _UNKNOWN, *_WEIGHTS, *FACTS}), None)
        if foreign is not None:
            raise TableError(f"{file}: column {foreign!r} is no class code; the codes are {', '.join(CODES)} and {_UNKNOWN}")


def _text(data: bytes, file: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise TableError(f"{file}: line {line} is not UTF-8; save the table as UTF-8") from error


def _read_rows(text: str, columns: list[str], labelled: bool, file: str) -> Table:
    table = Table()
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        next(reader)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                _read_row([cell.strip() for cell in cells], columns, labelled, file, table)
    except csv.Error as error:
        raise TableError(f"{file}: line {reader.line_num} cannot be read ({error}); mend it") from error
    return table


def _read_row(cells: list[str], columns: list[str], labelled: bool, file: str, table: Table) -> None:
    row = dict(zip(columns, cells, strict=False))
    name = row.get(IMAGE, "")
    identity = image_id(name)
    if identity is None:
        table.problems.append(Problem(name, f"{name!r} is no plain name, so it cannot be an image's id", file, IMAGE))
        return
    if len(cells) != len(columns):
        table.problems.append(Problem(identity, f"the row has {len(cells)} cells, the header {len(columns)}", file, IMAGE))
        return
    values: dict[str, str | float] = {name: row[name] for name in FACTS & row.keys() if row[name]}
    try:
        if AGE in values:
            values[AGE] = _age(row[AGE])
    except ValueError as error:
        table.problems.append(Problem(identity, str(error), file, AGE))
        del values[AGE]
    try:
        if labelled:
            values[LABEL] = _label(row)
    except ValueError as error:
        table.problems.append(Problem(identity, str(error), file, LABEL))
    table.rows.append(Row(identity, file, values))


def _age(cell: str) -> float:
    try:
        age = float(cell)
    except ValueError:
        age = math.nan
    if not math.isfinite(age):
        raise ValueError(f"{AGE} is {cell!r}, which is no number")
    return age


def _label(row: dict[str, str]) -> str:
    hot = []
    for code in (*CODES, _UNKNOWN):
        cell = row.get(code, "0")
        try:
            value = float(cell or "nan")
        except ValueError:
            value = math.nan
        if value not in (0, 1):
            raise ValueError(f"{code} is {cell!r}, which is neither 0 nor 1")
        if value:
            hot.append(code)
    if len(hot) > 1:
        raise ValueError(f"two classes in one row: {', '.join(hot)}")
    if not hot:
        raise ValueError("the label is missing: no class is 1")
    if hot == [_UNKNOWN]:
        raise ValueError("the label is UNK: none of the eight diagnoses")
    return hot[0]
