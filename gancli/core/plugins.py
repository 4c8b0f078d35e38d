"""Plug-in files: which of them a configuration uses, recorded with their SHA-256, and what to say where one is missing.

A plug-in is a program. It is loaded only where the user names it; what a run records of it is a name and a digest.
"""

from __future__ import annotations

import hashlib
import inspect
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel

from gancli.core.errors import UsageError

PREFIX = "gancli_plugin_"  # of the modules' names
_known: dict[str, dict[str, str]] = {}  # module -> name and SHA-256 of its file

Record = Mapping[str, str]


def register(module: ModuleType, file: Path) -> None:
    """Remember a file that has been loaded.

    Args:
        module: the module.
        file: that it was loaded from.

    Raises:
        UsageError: a class has a name as parts have, but another base class, or lacks methods.
    """
    _known[module.__name__] = {"file": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    classes = [c for _, c in inspect.getmembers(module, inspect.isclass) if c.__module__ == module.__name__]
    remedy = "a part is a subclass of Loss, Model, Metric, Task, ...: see docs/extending.md"
    for cls in classes:
        if isinstance(vars(cls).get("name"), str) and not hasattr(cls, "kind"):
            bases = ", ".join(base.__name__ for base in cls.__bases__)
            raise UsageError(f"plugin {file}: {cls.__name__} is no part: it is a subclass of {bases}", remedy)
        missing = sorted(getattr(cls, "__abstractmethods__", ()))
        if isinstance(vars(cls).get("name"), str) and missing:
            raise UsageError(f"plugin {file}: {cls.__name__} lacks {', '.join(missing)}", remedy)


def used_by(*values: Any) -> list[Record]:
    """The plug-ins that define parts in some values, each once, by name.

    Args:
        values: parts, configurations, tables and lists of them.
    """
    found = {_known[m]["file"]: _known[m] for value in values for m in _modules(value) if m in _known}
    return [found[name] for name in sorted(found)]


def _modules(value: Any) -> Iterator[str]:
    if isinstance(value, BaseModel):
        yield type(value).__module__
        value = [getattr(value, name) for name in type(value).model_fields]
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            yield from _modules(item)


def missing(records: Any) -> str:
    """The remedy where plug-ins that were used are not loaded: `--plugin margin.py`; empty if all are.

    Args:
        records: as `used_by` gave them, read from a file.
    """
    loaded = {known["file"] for known in _known.values()}
    absent = [record["file"] for record in _valid(records) if record["file"] not in loaded]
    if not absent:
        return ""
    options = " ".join(f"--plugin {shlex.quote(name)}" for name in absent)
    return (
        f"it was trained with a plug-in: add {options} (from Python: load(..., plugins=[...])), if you trust the file"
    )


def changed(records: Any) -> list[str]:
    """A sentence for each plug-in whose file is not what was recorded.

    Args:
        records: as `used_by` gave them, read from a file.
    """
    loaded = {known["file"]: known["sha256"] for known in _known.values()}
    return [
        f"the plug-in {record['file']} has changed since the model was trained with it"
        for record in _valid(records)
        if loaded.get(record["file"], record["sha256"]) != record["sha256"]
    ]


def _valid(records: Any) -> Sequence[Record]:
    """Records from a file, which may hold anything."""
    listed = records if isinstance(records, list) else []
    return [r for r in listed if isinstance(r, dict) and all(isinstance(r.get(k), str) for k in ("file", "sha256"))]
