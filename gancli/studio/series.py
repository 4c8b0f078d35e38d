"""Journals as columns of numbers, read once and then only at their ends, and thinned so that no extreme is lost."""

from __future__ import annotations

import json
import math
import threading
from array import array
from collections import OrderedDict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from gancli.core.files import LONGEST_LINE, Folder

NAN = math.nan
MOST_KEYS = 96
MOST_ROWS = 2_000_000
KEPT = 6  # journals in memory
AXES = ("step", "images", "epoch", "seconds")


@dataclass
class Columns:
    """The numbers of a journal by key, one row per line; NaN where a line lacks a key."""

    rows: int = 0
    columns: dict[str, array[float]] = field(default_factory=dict)
    offset: int = 0  # bytes that were read
    identity: tuple[int, int] = (0, 0)  # of the file

    def append(self, line: dict[str, Any]) -> None:
        """Append a line."""
        if self.rows >= MOST_ROWS:
            return
        for key, value in line.items():
            if type(value) in (int, float):
                column = self.columns.get(key)
                if column is None:
                    if len(self.columns) >= MOST_KEYS:
                        continue
                    column = self.columns[key] = array("d", [NAN]) * self.rows
                try:
                    column.append(float(value))
                except OverflowError:
                    column.append(NAN)
        self.rows += 1
        for column in self.columns.values():
            if len(column) < self.rows:
                column.append(NAN)

    def lines(self, first: int) -> dict[str, list[float | None]]:
        """The rows from `first` on; null for NaN."""
        return {key: [_json(v) for v in column[first:]] for key, column in self.columns.items()}


class Journals:
    """The journals that somebody looks at, the least recently used ones dropped."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Columns] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, folder: Folder, name: str) -> Columns:
        """The columns of a journal, brought up to date. A file that was replaced or cut is read again."""
        key = str(folder.path / name)
        with self._lock:
            columns = self._known.pop(key, Columns())
            found = folder.stat(name)
            identity = (0, 0) if found is None else (found.st_dev, found.st_ino)
            if found is None or identity != columns.identity or found.st_size < columns.offset:
                columns = Columns(identity=identity)
            if found is not None and found.st_size > columns.offset:
                _extend(columns, folder, name)
            self._known[key] = columns
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
            return columns


def _extend(columns: Columns, folder: Folder, name: str) -> None:
    """Read the lines that are new; a line without its end waits for the next time."""
    try:
        with folder.open(name) as file:
            file.seek(columns.offset)
            while line := file.readline(LONGEST_LINE + 1):
                if not line.endswith(b"\n"):
                    break
                columns.offset += len(line)
                try:
                    value = json.loads(line)
                except (ValueError, RecursionError):
                    continue
                if isinstance(value, dict):
                    columns.append(value)
    except OSError:
        return


def thinned(
    columns: Columns, points: int, axis: str = "step", low: float | None = None, high: float | None = None
) -> dict[str, Any]:
    """At most `points` rows in which every key has its least and greatest value of each interval.

    Args:
        columns: of a journal.
        points: rows.
        axis: the key of the x axis.
        low: only rows from this value of the axis on.
        high: only rows up to this value of the axis.

    Returns:
        `rows`: number of lines in the range; `columns`: lists by key, null where there is no value. Every interval has two
        rows; the two extremes of a key stand in them in the order in which they came.
    """
    x = columns.columns.get(axis, array("d"))
    first, last = 0, columns.rows
    if low is not None:
        first = next((i for i in range(columns.rows) if x[i] >= low), columns.rows)
    if high is not None:
        last = next((i for i in range(columns.rows - 1, -1, -1) if x[i] <= high), -1) + 1
    count = max(0, last - first)
    if count <= points:
        return {"rows": count, "columns": {k: [_json(v) for v in c[first:last]] for k, c in columns.columns.items()}}
    buckets = max(1, points // 2)
    edges = [first + count * i // buckets for i in range(buckets + 1)]
    out = {key: _extremes(column, edges, key in AXES) for key, column in columns.columns.items()}
    return {"rows": count, "columns": out}


def _extremes(column: array[float], edges: list[int], is_axis: bool) -> list[float | None]:
    """Two values for each interval: least and greatest, in order; of an axis the first and the middle one."""
    out: list[float | None] = []
    for a, b in pairwise(edges):
        if is_axis:
            out += [_json(column[a]), _json(column[(a + b) // 2])]
            continue
        part = column[a:b]
        low, high = min(part), max(part)
        if math.isnan(low):  # the first value is NaN; others are passed over by min and max
            known = [v for v in part if not math.isnan(v)]
            if not known:
                out += [None, None]
                continue
            low, high = min(known), max(known)
        out += [low, high] if part.index(low) <= part.index(high) else [high, low]
    return [None if v is not None and not math.isfinite(v) else v for v in out]


def _json(value: float) -> float | None:
    return value if math.isfinite(value) else None
