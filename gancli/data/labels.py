"""What is known of each picture of a folder or zip: from `labels.csv`, `labels.json` or `dataset.json`, else from the subfolders.

labels.csv    a header, then a line per picture: `file,label`, or `file,<attribute>,...` with numbers, or both
labels.json   {"labels": [[file, value], ...]} or {file: value}; a value is a class (number or name) or a list of numbers
Classes are sorted, as numbers where all are numbers. Attributes are taken as they are.
"""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gancli.core.errors import DataError
from gancli.data.collection import LABELS, shown
from gancli.data.decode import BrokenImageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gancli.data.collection import FileCollection

LARGEST = 256 * 2**20  # bytes
NUMBER = re.compile(r"-?\d{1,18}", re.ASCII)
LARGEST_NUMBER = 1e38  # what float32 holds
REMEDY = "a line per picture: file,label or file,attribute,... in labels.csv"


@dataclass(frozen=True)
class Known:
    """Beside N pictures: labels int64 [N] with the classes' names, attributes float32 [N, A] with theirs."""

    labels: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    attributes: np.ndarray | None = None
    attribute_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Table:
    label: dict[str, str | int]
    vector: dict[str, list[float]]
    names: tuple[str, ...]  # of the vector's numbers; none: they are numbered


def known(files: FileCollection, names: Sequence[str]) -> tuple[Known, list[str]]:
    """What is known of pictures beside their pixels.

    Args:
        files: that they are among, and a labels file, if there is one.
        names: of the pictures.

    Returns:
        Labels and attributes in the order of `names`, and notes for the user.

    Raises:
        DataError: a labels file is broken or leaves a picture out.
    """
    file = labels_file([entry.name for entry in files.entries])
    if file is None:
        return _of_folders(names)
    where = f"{files.where}: {shown(file)}"
    try:
        table = _read(files.read(file, LARGEST), file, where)
    except BrokenImageError as error:
        raise DataError(f"{where} cannot be read: {error}", REMEDY) from None
    if table is None:
        return Known(), [f"{shown(file)} says that there are no labels"]
    inside = file.rpartition("/")[0]
    keys = [name[len(inside) + 1 :] if inside else name for name in names]
    extra = len((table.label.keys() | table.vector.keys()) - set(keys))
    notes = [f"{shown(file)} names {extra} files that are not there"] if extra else []
    labels, classes = classes_of(_complete(keys, table.label, where)) if table.label else (None, ())
    if not table.vector:
        return Known(labels, classes), notes
    rows = _complete(keys, table.vector, where)
    if len({len(row) for row in rows}) != 1:
        raise DataError(f"{where}: the pictures have different numbers of attributes", REMEDY)
    called = table.names or tuple(str(i) for i in range(len(rows[0])))
    return Known(labels, classes, np.array(rows, np.float32), called), notes


def labels_file(names: Sequence[str]) -> str | None:
    """The labels file at the top, or in the one folder that everything lies in."""
    tops = {name.split("/", 1)[0] for name in names if "/" in name}
    places = ["", *(f"{top}/" for top in tops if len(tops) == 1)]
    there = set(names)
    return next((place + file for place in places for file in LABELS if place + file in there), None)


def _of_folders(names: Sequence[str]) -> tuple[Known, list[str]]:
    paths = [name.split("/") for name in names]
    at = 0
    while all(len(path) > at + 1 for path in paths) and len({path[at] for path in paths}) == 1:
        at += 1  # all pictures lie in one folder: look inside it
    if all(len(path) == at + 1 for path in paths):
        return Known(), []
    if any(len(path) == at + 1 for path in paths):
        return Known(), [
            "pictures lie both in the folder itself and in subfolders: the subfolders are not taken as classes"
        ]
    labels, classes = classes_of([path[at] for path in paths], numeric=False)
    return Known(labels, classes), []


def classes_of(values: Sequence[str | int], numeric: bool = True) -> tuple[np.ndarray, tuple[str, ...]]:
    """Labels int64 [N] of N values, and the classes' names, sorted; as numbers, where all are and `numeric` is true."""
    distinct: list[Any] = sorted(set(map(str, values)))
    if numeric and all(NUMBER.fullmatch(text) for text in distinct):
        distinct.sort(key=int)
    place = {text: i for i, text in enumerate(distinct)}
    return np.array([place[str(value)] for value in values], np.int64), tuple(shown(text) for text in distinct)


def _complete(keys: Sequence[str], table: Mapping[str, Any], where: str) -> list[Any]:
    missing = [shown(key) for key in keys if key not in table]
    if missing:
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise DataError(f"{where} does not name {', '.join(missing[:5])}{more}", REMEDY)
    return [table[key] for key in keys]


def _read(data: bytes, file: str, where: str) -> _Table | None:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{where} is not UTF-8 text", "save it as UTF-8") from None
    return _read_csv(text, where) if file.endswith(".csv") else _read_json(text, where)


def _read_csv(text: str, where: str) -> _Table:
    label: dict[str, str | int] = {}
    vector: dict[str, list[float]] = {}
    try:
        rows = csv.reader(io.StringIO(text, newline=""), strict=True)
        head = [cell.strip() for cell in next(rows, [])]
        if len(head) < 2:
            raise DataError(f"{where} has no header with at least two columns", REMEDY)
        of_class = next((i for i, cell in enumerate(head) if i and cell.lower() in ("label", "class")), None)
        of_vector = [i for i in range(1, len(head)) if i != of_class]
        for row in rows:
            if not row:
                continue
            if len(row) != len(head):
                raise DataError(f"{where}: line {rows.line_num} has {len(row)} columns, not {len(head)}", REMEDY)
            name = row[0].strip().removeprefix("./")
            if of_class is not None:
                label[name] = row[of_class].strip()
            if of_vector:
                vector[name] = _numbers([row[i] for i in of_vector], f"{where}: line {rows.line_num}")
    except csv.Error as error:
        raise DataError(f"{where}: {error}", REMEDY) from None
    return _Table(label, vector, tuple(head[i] for i in of_vector))


def _read_json(text: str, where: str) -> _Table | None:
    remedy = '{"labels": [[file, class or list of numbers], ...]}'
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} is not JSON: {error}", remedy) from None
    pairs = value.get("labels", value) if isinstance(value, dict) else value
    if pairs is None:
        return None
    pairs = list(pairs.items()) if isinstance(pairs, dict) else pairs
    if not isinstance(pairs, list) or not all(
        isinstance(p, (list, tuple)) and len(p) == 2 and isinstance(p[0], str) for p in pairs
    ):
        raise DataError(f"{where} is not a list of [file, value]", remedy)
    label: dict[str, str | int] = {}
    vector: dict[str, list[float]] = {}
    for name, what in pairs:
        if isinstance(what, list):
            vector[name] = _numbers(what, f"{where}: {shown(name)}")
        elif isinstance(what, (int, str)) and not isinstance(what, bool):
            label[name] = what
        else:
            raise DataError(f"{where}: {shown(name)} has neither a class nor a list of numbers", remedy)
    return _Table(label, vector, ())


def _numbers(values: Sequence[Any], where: str) -> list[float]:
    try:
        numbers = [float(value) for value in values]
    except (OverflowError, TypeError, ValueError):
        numbers = []
    if not numbers or not all(abs(number) < LARGEST_NUMBER for number in numbers):
        raise DataError(f"{where}: attributes must be finite numbers", REMEDY)
    return numbers
