"""The monitor's warnings that hold, in words, with what they advise as options that a button can set."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gancli.core.errors import CheckpointError
from gancli.core.files import Folder
from gancli.runs import journal
from gancli.runs.folder import Run
from gancli.training.rules import RULES

if TYPE_CHECKING:
    from gancli.studio.studio import Studio

SET = re.compile(r"--set ('[^']*'|\S+)")


def standing(studio: Studio, path: Path) -> list[dict[str, Any]]:
    """The warnings of a run that hold: kind, text, since which step, and the options that are advised."""
    found = Folder(path).stat("monitor.jsonl")
    if found is None:
        return []
    key = f"monitor {path}"
    stamp = (found.st_size, found.st_mtime_ns, found.st_ino)
    known = studio.known(key)
    if known is not None and known[0] == stamp:
        warnings: list[dict[str, Any]] = known[1]
        return warnings
    holds: dict[str, int] = {}
    for line in journal.read(path / "monitor.jsonl"):
        for kind in _texts(line.get("warned")):
            holds.setdefault(kind, line.get("step", 0))
        for kind in _texts(line.get("over")):
            holds.pop(kind, None)
    config = _config(path)
    texts = {kind: text_of(kind, config) for kind in holds}
    warnings = [
        {"kind": kind, "since": step, "text": texts[kind], "sets": advised(texts[kind])} for kind, step in holds.items()
    ]
    studio.remember(key, (stamp, warnings))
    return warnings


def text_of(kind: str, config: Mapping[str, Any]) -> str:
    """What the monitor says of a kind of warning, for a run's configuration; the kind itself if it is not one of the rules'."""
    for rule in RULES:
        pattern = re.escape(rule.kind).replace(r"\{\}", r"(?P<name>[\w./-]{1,80})")
        if match := re.fullmatch(pattern, kind):
            return rule.says(match.groupdict().get("name", ""), config)
    return kind


def advised(text: str) -> list[str]:
    """The arguments of `--set` that a text advises."""
    return [shlex.split(word)[0] for word in SET.findall(text)]


def _config(path: Path) -> dict[str, Any]:
    """The run's configuration; empty if it cannot be read."""
    try:
        return Run(path).json("config.json")
    except CheckpointError:
        return {}


def _texts(value: Any) -> list[str]:
    return [v for v in value if isinstance(v, str)] if isinstance(value, list) else []
