"""`gan data`: look at data before training on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gancli.cli import options as o
from gancli.errors import DataError

PLACE = 6


def command(
    data: Annotated[str, typer.Argument(help="A data set's name, a folder, a zip or an npz.")],
    preview: Annotated[Path | None, typer.Option(help="A PNG with a grid of them.")] = None,
    image_size: Annotated[str | None, typer.Option(help="32, or 28x20 (height first).")] = None,
    channels: Annotated[int | None, typer.Option(help="1 grey, 3 colour.")] = None,
    data_dir: o.DataDir = None,
    download: o.Download = True,
    plugin: o.Plugin = None,
    quiet: o.Quiet = False,
    json: o.Json = False,
) -> None:
    """Inspect data: count, sizes, classes, broken files, a preview."""
    from gancli.report.console import Console

    console = Console(quiet=quiet, json=json)
    o.plugins(plugin)
    from gancli.data.find import source_for
    from gancli.data.inspect import inspect
    from gancli.registry import build

    how = o.reading(console, data_dir, o.size(image_size), channels, download)
    source: Any = build("data", source_for(data))
    report = inspect(source, how)
    console.end()
    found = report.as_json()
    if not json:
        found = {
            **found,
            "classes": _counts(found["classes"]),
            "sizes": _first(found["sizes"]),
            "notes": len(found["notes"]),
        }
        broken = found.pop("broken")
        for name, why in list(broken.items())[:20]:
            console.warn(f"{name}: {why}")
        found["broken"] = len(broken)
    console.result(found)
    if preview is not None:
        from gancli.images import grid, png
        from gancli.run.files import disk, replace

        if report.split is None:
            raise DataError("there is nothing to preview")
        images = report.split.train.images[list(report.preview)]
        with disk("the preview", preview):
            replace(preview, png(grid(images, 8), {"data": data}))
        console.note(f"preview {preview}")


def _counts(classes: dict[str, dict[str, int]]) -> str:
    shown = [f"{name} {n['train'] + n['test']}" for name, n in list(classes.items())[:12]]
    more = f", and {len(classes) - 12} more" if len(classes) > 12 else ""
    return ", ".join(shown) + more if shown else "none"


def _first(sizes: dict[str, int]) -> str:
    shown = [f"{size} ({n:,})" for size, n in list(sizes.items())[:8]]
    return ", ".join(shown) + (f", and {len(sizes) - 8} more" if len(sizes) > 8 else "")
