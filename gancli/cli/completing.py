"""Completion in the shell: runs, presets, parts and classes. Nothing here imports torch.

`gan --install-completion` sets it up for the shell in use.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import typer


def matching(names: Iterator[str] | list[str], incomplete: str) -> list[str]:
    """The names that begin with what is typed; a comma begins a new one."""
    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in names if name.startswith(last)]


def runs(ctx: typer.Context, incomplete: str) -> list[str]:
    """The names of runs, newest first."""
    return matching([path.name for path in _runs(ctx)], incomplete)


def presets(incomplete: str) -> list[str]:
    """The names of presets."""
    from gancli.core.config import presets as known

    return matching(list(known()), incomplete)


def parts(kind: str) -> Callable[[str], list[str]]:
    """A function that completes the names of parts of a kind."""

    def complete(incomplete: str) -> list[str]:
        from gancli.core.outline import parts as known

        return matching(list(known(kind)), incomplete)

    return complete


def classes(ctx: typer.Context, incomplete: str) -> list[str]:
    """The names of the classes of the run that is named, or of the newest."""
    named = ctx.params.get("run")
    found = [path for path in _runs(ctx) if named in (None, path.name, str(path))]
    return matching(_classes(found[0]), incomplete) if found else []


def _runs(ctx: typer.Context) -> list[Path]:
    folder = Path(ctx.params.get("runs_dir") or os.environ.get("GAN_RUNS_DIR") or "runs")
    found = [p.parent for p in folder.glob("*/config.json")] if folder.is_dir() else []
    return sorted(found, key=lambda p: p.stat().st_mtime_ns, reverse=True)


def _classes(run: Path) -> list[str]:
    from gancli.core.errors import CheckpointError
    from gancli.core.files import Folder
    from gancli.runs.files import MAX_JSON, table

    points = sorted((run / "checkpoints").glob("*"), key=lambda p: p.name, reverse=True)
    for place, name in ((run / "model", "config.json"), *((point, "model.json") for point in points)):
        with suppress(CheckpointError, OSError, KeyError, TypeError):
            found: Any = table(Folder(place).read(name, MAX_JSON), name)["facts"]["classes"]
            return [str(name) for name in found]
    return []
