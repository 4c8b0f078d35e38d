"""A journal: one JSON object per line, in the order of steps. A torn last line is dropped on resume; no line is duplicated."""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gancli.core import migration
from gancli.core.files import write_atomic
from gancli.runs.files import disk


def read(path: Path) -> list[dict[str, Any]]:
    """All complete lines, under today's keys."""
    return [migration.line(value) for value, _ in _lines(path)]


def _lines(path: Path) -> list[tuple[dict[str, Any], bytes]]:
    if not path.is_file():  # a device or a pipe would have no end
        return []
    out = []
    for line in path.read_bytes().split(b"\n")[:-1]:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            out.append((value, line + b"\n"))
    return out


def rewind(path: Path, step: int, still_open: bool = False) -> None:
    """Drop the lines after a step, and a torn line: the resumed run writes them again.

    With `still_open` the line of that step is dropped, too: the last line of a run, whose window continues.
    """
    with disk("the journal", path):
        if not path.is_file():
            return
        kept = b"".join(raw for line, raw in _lines(path) if _before(line, step, still_open))
        if kept != path.read_bytes():
            write_atomic(path, kept)


def _before(line: dict[str, Any], step: int, still_open: bool) -> bool:
    at = line.get("step", 0)
    return isinstance(at, int) and (at < step if still_open else at <= step)


def encode(line: dict[str, Any]) -> bytes:
    """A line as JSON. Values that are not finite become null, since JSON has no NaN."""
    clean = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in line.items()}
    return (json.dumps(clean) + "\n").encode()


class Journal:
    """Appends lines. If the disk refuses them, a warning is given once, and training continues."""

    def __init__(self, path: Path, warn: Callable[[str], None]) -> None:
        self.path, self.warn, self.broken = path, warn, False

    def write(self, line: dict[str, Any]) -> None:
        """Append a line completely or not at all: a partial write on a full disk is truncated again."""
        try:
            with self.path.open("ab", buffering=0) as file:
                start, content = file.seek(0, os.SEEK_END), encode(line)
                try:
                    while content:
                        content = content[file.write(content) or 0 :]
                except OSError:
                    with contextlib.suppress(OSError):
                        file.truncate(start)
                    raise
        except OSError as error:
            if not self.broken:
                self.warn(f"cannot write {self.path}: {error.strerror}; training goes on without it")
            self.broken = True

    def sync(self) -> None:
        """fsync, so that no checkpoint is on the disk before the lines that lead to it."""
        with contextlib.suppress(OSError):
            handle = os.open(self.path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
