"""A journal: one JSON object per line, in the order of steps. A torn last line is dropped on resume; no line is duplicated."""

from __future__ import annotations

import contextlib
import json
import math
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gancli.core import migration
from gancli.core.errors import CheckpointError
from gancli.core.files import Folder
from gancli.runs.files import LARGEST, disk, parse

MOST = 16 << 20  # bytes at the end of a journal that are read
MOST_LINES = 100_000  # of these
MOST_PENDING = 10_000  # lines that wait for the disk


def read(path: Path) -> list[dict[str, Any]]:
    """All complete lines, under today's keys; of more than 16 MB or 100,000 lines the last ones. Raises CheckpointError."""
    return [migration.line(value) for value, _ in _lines(path, True)]


def _lines(path: Path, last: bool = False) -> Iterator[tuple[dict[str, Any], bytes]]:
    """The valid lines of a file, or its last ones, if it is there, and their bytes."""
    folder = Folder(path.parent)
    if folder.stat(path.name) is None:
        return
    try:
        for line in deque(folder.lines(path.name, MOST), MOST_LINES) if last else folder.lines(path.name):
            if line.endswith(b"\n") and (value := parsed(line)) is not None:
                yield value, line
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror}") from error


def parsed(line: bytes) -> dict[str, Any] | None:
    """A line, if it is one: a table of numbers, texts and lists of texts, with plausible counts."""
    try:
        value = parse(line)
    except ValueError:
        return None
    if not isinstance(value, dict) or not all(_plain(item) for item in value.values()):
        return None
    return value if all(_is_count(value.get(key, 0)) for key in ("step", "images")) else None


def _plain(item: Any) -> bool:
    return all(isinstance(text, str) for text in item) if isinstance(item, list) else not isinstance(item, dict)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < LARGEST


def whole(path: Path) -> tuple[int, bool]:
    """The number of valid lines, and whether there is nothing else in the file."""
    size = Folder(path.parent).stat(path.name)
    lengths = [len(raw) for _, raw in _lines(path)]
    return len(lengths), size is None or sum(lengths) == size.st_size


def rewind(path: Path, step: int, still_open: bool = False) -> None:
    """Drop the lines after a step, and a torn line: the resumed run writes them again.

    With `still_open` the line of that step is dropped, too: the last line of a run, whose window continues.
    """
    folder = Folder(path.parent)
    with disk("the journal", path):
        size, left = folder.stat(path.name), sum(map(len, _kept(path, step, still_open)))
        if size is None or size.st_size == left:
            return
        with folder.writing(path.name, synced=True) as file:
            kept = _kept(path, step, still_open)
            while left > 0 and (line := next(kept, b"")):  # what follows need not be read again
                left -= file.write(line)


def _kept(path: Path, step: int, still_open: bool) -> Iterator[bytes]:
    for line, raw in _lines(path):
        if line.get("step", 0) < step + (not still_open):
            yield raw


def encode(line: dict[str, Any]) -> bytes:
    """A line as JSON. Values that are not finite become null, since JSON has no NaN."""
    clean = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in line.items()}
    return (json.dumps(clean) + "\n").encode()


class Journal:
    """Appends lines. If the disk refuses them, a warning is given once, and training continues; they are written with the next."""

    def __init__(self, path: Path, warn: Callable[[str], None]) -> None:
        self.path, self.warn, self.broken = path, warn, False
        self._folder = Folder(path.parent)
        self._pending: list[bytes] = []

    def write(self, line: dict[str, Any]) -> None:
        """Append a line completely or not at all."""
        self._pending.append(encode(line))
        self._flush()

    def _flush(self) -> None:
        del self._pending[:-MOST_PENDING]
        if not self._pending:
            return
        try:
            self._folder.append(self.path.name, b"".join(self._pending))
            self._pending.clear()
        except OSError as error:
            if not self.broken:
                self.warn(f"cannot write {self.path}: {error.strerror}; training goes on without it")
            self.broken = True

    def rewind(self, step: int, still_open: bool = False) -> None:
        """As the function of that name; lines that wait for the disk are written before, or dropped."""
        self._flush()
        rewind(self.path, step, still_open)
        self._pending.clear()

    def sync(self) -> None:
        """Write what the disk refused before, and fsync: no checkpoint is on the disk before the lines that lead to it."""
        self._flush()
        with contextlib.suppress(OSError):
            self._folder.sync(self.path.name)
