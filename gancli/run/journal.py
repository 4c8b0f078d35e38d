"""The journal: one JSON object a line, in the order of the steps. A torn last line is repaired on resume, never duplicated."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gancli.run.files import replace


def read(path: Path) -> list[dict[str, Any]]:
    """All whole lines. A last line that was cut off is left out."""
    if not path.exists():
        return []
    out = []
    for line in path.read_bytes().split(b"\n"):
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            out.append(value)
    return out


def rewind(path: Path, step: int) -> None:
    """Drop what was written after a step, and a torn line: the resumed run writes it again."""
    if not path.exists():
        return
    kept = [line for line in read(path) if line.get("step", 0) <= step]
    content = b"".join(encode(line) for line in kept)
    if content != path.read_bytes():
        replace(path, content)


def encode(line: dict[str, Any]) -> bytes:
    """A value that is not finite becomes null: JSON has no NaN."""
    clean = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in line.items()}
    return (json.dumps(clean) + "\n").encode()


class Journal:
    """Appends lines. A disk that refuses them is reported once, and training goes on."""

    def __init__(self, path: Path, warn: Callable[[str], None]) -> None:
        self.path, self.warn, self.broken = path, warn, False

    def write(self, line: dict[str, Any]) -> None:
        try:
            with self.path.open("ab") as file:
                file.write(encode(line))
        except OSError as error:
            if not self.broken:
                self.warn(f"cannot write {self.path}: {error.strerror}; training goes on without it")
            self.broken = True
