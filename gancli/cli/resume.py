"""`gan resume`: continue a run from its last checkpoint, bitwise identical to one that was never stopped."""

from __future__ import annotations

from typing import Annotated

from gancli.cli import groups as g
from gancli.cli import options as o

PLACE = 2

DataChange = Annotated[bool, o.option("Data", "Continue although the data have changed.", "--allow-data-change")]


@g.spread
def command(
    length: g.LengthOptions,
    sets: g.SetOptions,
    runtime: g.RuntimeOptions,
    run: o.RunName = None,
    data: o.Moved = None,
    data_dir: o.DataDir = None,
    download: o.Download = True,
    skip_broken: o.SkipBroken = None,
    allow_data_change: DataChange = False,
    on_divergence: o.OnDivergence = o.Divergence.stop,
    runs_dir: o.RunsDir = o.RUNS,
    quiet: o.Quiet = False,
    json: o.Json = False,
) -> None:
    """Resume a run from its last checkpoint. Length, intervals, runtime, batch size, rates may be changed: --epochs 80."""
    from gancli.distributed.ranks import here, rank
    from gancli.report.console import Console
    from gancli.runs import folder

    console = Console(quiet=quiet, json=json, rank=rank())
    o.plugins(sets.plugin)
    layers = g.layers(g.DataOptions(skip_broken=skip_broken), length, runtime, sets)
    found = folder.find(runs_dir, run)

    from gancli.evaluation import inputs
    from gancli.report.reporter import Reporter
    from gancli.training.prepare import again
    from gancli.training.session import train
    from gancli.training.start import extend

    console.note(f"resuming {found.path}")
    cfg = extend(found, layers, data)
    plan = again(cfg, o.reading(console, data_dir, download, cfg.data, inputs.data_dir(found)), here())
    reporter = Reporter(console, plan)
    with reporter.until_stopped(found):
        reason = train(
            found, plan, [reporter], True, allow_data_change, on_divergence.value, begun=lambda: console.open(found)
        )[0]
    if plan.ranks.is_first:
        reporter.finish(found, reason)
    plan.ranks.close()
