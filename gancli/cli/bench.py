"""`gan bench`: how fast a preset trains on this machine."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gancli.cli import options as o

PLACE = 8


def command(
    data: Annotated[str | None, typer.Option(help="A data set's name, a folder, a zip or an npz.")] = None,
    preset: Annotated[str | None, typer.Option(help="A recipe (gan list presets).")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images per step.")] = None,
    steps: Annotated[int, typer.Option(min=1, help="Steps in a round; the median of five is told.")] = 50,
    image_size: Annotated[str | None, typer.Option(help="32, or 28x20 (height first).")] = None,
    set_: o.Set = None,
    plugin: o.Plugin = None,
    data_dir: o.DataDir = None,
    quiet: o.Quiet = False,
    json: o.Json = False,
    device: o.Device = None,
    precision: o.Precision = None,
    threads: o.Threads = None,
) -> None:
    """Measure images per second, the parts of a step, and the share of the machine's peak."""
    flags: dict[str, Any] = {
        "data": data, "batch_size": batch_size, "device": device, "precision": precision, "threads": threads,
        "image_size": o.size(image_size),
    }  # fmt: skip
    from gancli.core.config import data_asked
    from gancli.report.console import Console

    console = Console(quiet=quiet, json=json)
    o.plugins(plugin)
    layers = o.layers(flags, set_)
    asked = data_asked(layers)

    from gancli.training.benchmark import measure
    from gancli.training.prepare import Request, make

    how = o.reading(console, data_dir, asked.image_size, asked.channels, False, asked.holdout, asked.validation)
    plan = make(Request(layers, preset, how.data_dir, how.cache_dir, False), how)
    console.plan(plan)
    console.result(measure(plan, steps))
