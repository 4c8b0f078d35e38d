"""A table beside pictures, understood by its content: which column names the pictures, which is the class, which are attributes.

    the pictures    the column with the most names of pictures among its cells
    the class       `Reading.labels`, else the column that is called label, class, ...; else one of words that come again and again
                    (without a header also of integers)
    attributes      columns of numbers
    part            a column called split, subset, ... with train, val, test
Other columns are passed over, which is said.
"""

from __future__ import annotations

import itertools
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from gancli.core.errors import DataError
from gancli.data import tables
from gancli.data.collection import same_name, shown
from gancli.data.jsonrows import FILE, VALUE
from gancli.data.layout import OUTSIDE, part_of
from gancli.data.matching import SEVERAL, Names
from gancli.data.tables import REMEDY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gancli.core.data import Reading
    from gancli.data.collection import FileCollection
    from gancli.data.tables import Row

LABELS = (
    "label",
    "labels",
    "class",
    "classes",
    "class_name",
    "label_name",
    "class_id",
    "category",
    "target",
    "y",
    VALUE,
)
PARTS = ("split", "subset", "part", "fold", "set")
FILES = (
    FILE,
    "file_name",
    "filename",
    "image",
    "image_id",
    "img",
    "name",
    "path",
    "id",
    "index",
    "unnamed: 0",
    "column 0",
)
SAMPLE_ROWS, SAMPLE_CELLS = 1000, 200_000
MISSING = ("", "nan", "null", "na", "n/a")
LARGEST_NUMBER = 1e38  # what float32 holds


@dataclass(frozen=True)
class Columns:
    """What the columns of a table are."""

    file: str
    label: str | None = None
    attributes: tuple[str, ...] = ()
    part: str | None = None
    words: tuple[str, ...] = ()  # passed over
    vector: bool = False  # whether the one attribute is a list of numbers


@dataclass
class Annotation:
    """What a table says, by the number of the picture."""

    columns: Columns | None = None
    labels: dict[int, str] = field(default_factory=dict)
    values: dict[int, list[float]] = field(default_factory=dict)
    parts: dict[int, int] = field(default_factory=dict)
    first: str = ""  # cell that names no picture
    matched: int = 0
    unmatched: int = 0
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def reason(self, names: Names) -> str:
        """Why nothing matches, by example."""
        there = names.paths[0] if names.paths else ""
        return (
            f"it says {shown(self.first)[:80]!r}, and a picture is {shown(there)!r}" if self.first else "it has no rows"
        )


@dataclass
class Notes:
    """What all tables together say of `size` pictures."""

    size: int
    labels: dict[int, str] | None = None  # None: no table has a column of them
    values: np.ndarray | None = None  # float32 [N, A], NaN where nothing is said
    value_names: tuple[str, ...] = ()
    _parts: dict[int, int] = field(default_factory=dict)

    def add(self, table: Annotation, index: Sequence[int], where: str) -> None:
        """Add a table. `index` has the numbers of the pictures that its own numbers stand for."""
        assert table.columns is not None
        if table.columns.label is not None:
            self.labels = (self.labels or {}) | {index[i]: label for i, label in table.labels.items()}
        self._parts |= {index[i]: part for i, part in table.parts.items()}
        if not table.values:
            return
        width = len(next(iter(table.values.values())))
        names = tuple(map(str, range(width))) if table.columns.vector else table.columns.attributes
        if any(len(row) != width for row in table.values.values()) or (
            self.values is not None and names != self.value_names
        ):
            raise DataError(f"{where}: the pictures have different numbers of attributes", REMEDY)
        if self.values is None:
            self.values, self.value_names = np.full((self.size, width), np.nan, np.float32), names
        for i, row in table.values.items():
            self.values[index[i]] = row

    def parts(self) -> np.ndarray | None:
        """int64 [N], if a table says the parts of a split."""
        if not self._parts:
            return None
        return np.array([self._parts.get(i, OUTSIDE) for i in range(self.size)], np.int64)


def read(files: FileCollection, file: str, where: str, names: Names, how: Reading) -> Annotation | None:
    """Read a table.

    Args:
        files: that it is among.
        file: its name.
        where: it is, for messages.
        names: of the pictures that it may name.
        how: which column holds the classes.

    Returns:
        What it says; None if it says that there are no labels.

    Raises:
        DataError: it is broken, or contradicts itself.
    """

    def rows() -> Iterator[Row]:
        return tables.read(files, file, where, len(names.paths), names.one)

    sample, cells = [], 0
    for row in itertools.islice(rows(), SAMPLE_ROWS):
        sample.append(row)
        cells += len(row)
        if cells > SAMPLE_CELLS:
            break
    if sample == [{FILE: "labels", VALUE: None}]:
        return None
    out = Annotation(_columns(rows(), sample, names, how.labels, where))
    if out.columns is None:
        out.first = next((str(cell) for row in sample for cell in row.values() if isinstance(cell, str)), "")
        return out
    for number, row in enumerate(rows(), 1):
        _add(out, out.columns, row, names, f"{where}, row {number}")
    _say(out, shown(file))
    return out


def _columns(rows: Iterator[Row], sample: list[Row], names: Names, wanted: str | None, where: str) -> Columns | None:
    """Understand the columns; None if no column names pictures."""
    order = list(dict.fromkeys(key for row in sample for key in row))
    if len(order) > tables.MOST_COLUMNS:
        raise DataError(f"{where} has more than {tables.MOST_COLUMNS:,} columns", REMEDY)
    found: dict[str, set[int]] = {key: _named(sample, key, names) for key in order}
    if not any(found.values()):  # of a table of more pictures than there are
        sample = list(itertools.islice((row for row in rows if any(map(names.one, row.values()))), SAMPLE_ROWS))
        found = {key: _named(sample, key, names) for key in order}
    hint = {key: key.lower() in FILES for key in order}
    file = max(order, key=lambda key: (len(found[key]), hint[key]), default="")
    if not file or not found[file]:
        return None
    if wanted is not None and wanted not in order:
        raise DataError(f"{where} has no column {shown(wanted)!r}", f"there are: {', '.join(map(shown, order))[:200]}")
    named = [row for row in sample if names.one(row.get(file))]
    others = [key for key in order if key != file]
    part = next((key for key in others if key.lower() in PARTS and _all_parts(named, key)), None)
    label = wanted or next((key for name in LABELS for key in others if key.strip().lower() == name), None)
    if wanted is None and label and any(_fraction(row.get(label)) for row in named):
        label = None  # a measured number is no class
    vector = VALUE in others and label in (None, VALUE) and any(isinstance(row.get(VALUE), list) for row in named)
    if vector:
        return Columns(file, None, (VALUE,), part, (), True)
    rest = [key for key in others if key not in (part, label) and key.lower() not in FILES]
    numeric = [key for key in rest if all(_number(row.get(key)) is not None or _missing(row.get(key)) for row in named)]
    words = [key for key in rest if key not in numeric]
    if (
        label is None
        and numeric == rest
        and len(rest) == 1
        and all(key.isdigit() for key in order)
        and _few(named, rest[0])
    ):
        label, numeric = rest[0], []  # no header, and an integer of few values: a class
    if label is None and not numeric:
        again = [key for key in words if len({str(row.get(key)) for row in named}) <= max(1, len(named) // 2)]
        label = again[0] if len(again) == 1 else None
    return Columns(file, label, tuple(numeric), part, tuple(key for key in words if key != label))


def _named(rows: list[Row], key: str, names: Names) -> set[int]:
    """The pictures that a column names."""
    return {i for row in rows if (i := names(row.get(key))) is not None and i != SEVERAL}


def _all_parts(rows: list[Row], key: str) -> bool:
    return all(isinstance(row.get(key), str) and part_of(row[key]) is not None for row in rows)


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value.strip().lower() in MISSING)


def _number(value: Any) -> float | None:
    """A finite number, also of text."""
    try:
        number = float(value) if isinstance(value, str | int | float) else np.nan
    except (OverflowError, ValueError):
        return None
    return number if abs(number) < LARGEST_NUMBER else None


def _fraction(value: Any) -> bool:
    number = _number(value)
    return number is not None and not number.is_integer()


def _few(rows: list[Row], key: str) -> bool:
    """Whether a column has integers that come again and again."""
    values = {_number(row.get(key)) for row in rows}
    return all(value is not None and value.is_integer() for value in values) and len(values) <= max(1, len(rows) // 2)


def _add(out: Annotation, columns: Columns, row: Row, names: Names, where: str) -> None:
    """What a row says."""
    i = names(row.get(columns.file))
    if i is None or i == SEVERAL:
        out.unmatched += 1
        out.first = out.first or str(row.get(columns.file))
        return
    out.matched += 1
    if columns.part is not None and (part := part_of(str(row.get(columns.part)))) is not None:
        out.parts[i] = part
    if columns.label is not None and not _missing(value := row.get(columns.label)):
        label = same_name(str(value).lower() if isinstance(value, bool) else str(value).strip())
        if out.labels.setdefault(i, label) != label:
            said = f"{shown(str(row[columns.file]))} is {shown(out.labels[i])!r} and {shown(label)!r}"
            raise DataError(f"{where}: {said}", "keep one row for each picture")
    if columns.attributes:
        cells = row.get(VALUE) if columns.vector else [row.get(key) for key in columns.attributes]
        if isinstance(cells, list) and len(cells) > tables.MOST_COLUMNS:
            raise DataError(f"{where}: more than {tables.MOST_COLUMNS:,} attributes", REMEDY)
        out.values[i] = _numbers(cells, columns, where)


def _numbers(cells: Any, columns: Columns, where: str) -> list[float]:
    """Attributes; NaN where they are missing. Raises DataError for what is no number."""
    numbers = []
    for cell in cells if isinstance(cells, list) else [cells]:
        number = np.nan if _missing(cell) and not columns.vector else _number(cell)
        if number is None:
            raise DataError(f"{where}: attributes must be finite numbers, not {shown(str(cell))[:80]!r}", REMEDY)
        numbers.append(number)
    return numbers


def _say(out: Annotation, file: str) -> None:
    assert out.columns is not None
    columns = out.columns
    if out.unmatched:
        out.notes.append(f"{file} names {out.unmatched:,} files that are not there, such as {shown(out.first)[:80]}")
    if columns.label is not None and columns.label not in (VALUE, "label"):
        out.notes.append(f"the classes are the column {shown(columns.label)} of {file}")
    if columns.words:
        words = ", ".join(map(shown, columns.words[:5]))
        way = (
            ""
            if columns.label
            else f"  ->  --set data.labels={shlex.quote(shown(columns.words[0]))} makes it the class"
        )
        (out.notes if columns.label else out.warnings).append(f"{file}: the words in {words} are not read{way}")
