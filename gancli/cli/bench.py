"""`gan bench`: training speed of a configuration."""

from __future__ import annotations

from typing import Annotated

from gancli.cli import groups as g
from gancli.cli import options as o

PLACE = 8

Steps = Annotated[int, o.option("", "Steps per round; the median of five rounds is reported.", min=1)]


@g.spread
def command(
    source: g.DataOptions,
    recipe: g.RecipeOptions,
    sets: g.SetOptions,
    runtime: g.RuntimeOptions,
    steps: Steps = 50,
    quiet: o.Quiet = False,
    json: o.Json = False,
) -> None:
    """Measure training speed: images per second, time per step by kind of operation, share of peak throughput."""
    from gancli.core.config import data_options
    from gancli.report.console import Console

    console = Console(quiet=quiet, json=json)
    o.plugins(sets.plugin)
    layers = g.layers(source, recipe, runtime, sets)
    asked = data_options(layers)

    from gancli.report.reporter import Reporter
    from gancli.training.benchmark import measure
    from gancli.training.prepare import Request, make

    how = o.reading(console, source.data_dir, source.download, asked)
    plan = make(Request(layers, recipe.preset, how.data_dir, how.cache_dir, source.download), how)
    Reporter(console, plan).announce()
    console.result(measure(plan, steps))
