"""`history.jsonl`: changes after the start of a run, in order. A line is `{"step": ..., ...}` with one of

changes        configuration that a resume changed, as a nested table
data           the fingerprint of other data that a resume was allowed to use
diverged       the step at which a loss or gradient was not finite; the run went back to `step`, at half the learning rate
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gancli.core.errors import CheckpointError
from gancli.core.files import Folder
from gancli.runs.files import MAX_JSON, MOST_OPTIONS, disk, parse

NAME = "history.jsonl"
MOST_LINES = 2000


def read(folder: Path) -> list[dict[str, Any]]:
    """All lines. Raises CheckpointError if one is damaged: the change in it would be unknown."""
    path, held = folder / NAME, Folder(folder)
    if held.stat(NAME) is None:
        return []
    out = []
    for number, line in enumerate(held.read(NAME, MAX_JSON).splitlines(), 1):
        try:
            value = parse(line or b"{}", MOST_OPTIONS)
        except ValueError as error:
            raise CheckpointError(f"{path}, line {number} is damaged: {error}") from None
        if not isinstance(value, dict) or not isinstance(value.get("changes", {}), dict):
            raise CheckpointError(f"{path}, line {number} is damaged: not a table")
        if value.keys() & {"data", "diverged"} and not (type(value.get("step")) is int and value["step"] >= 0):
            raise CheckpointError(f"{path}, line {number} is damaged: no step")
        out.append(value)
        if len(out) > MOST_LINES:
            raise CheckpointError(f"{path} has more than {MOST_LINES:,} lines")
    return out


def changes(folder: Path) -> list[dict[str, Any]]:
    """The changes of the configuration, in order."""
    return [line["changes"] for line in read(folder) if "changes" in line]


def append(folder: Path, entry: dict[str, Any]) -> None:
    """Append a line atomically."""
    held = Folder(folder)
    with disk("the run's history", folder):
        before = b"" if held.stat(NAME) is None else held.read(NAME, MAX_JSON)
        held.write(NAME, before, (json.dumps(entry) + "\n").encode())
