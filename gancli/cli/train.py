"""`gan train`: from data to a trained generator."""

from __future__ import annotations

from gancli.cli import groups as g
from gancli.cli import options as o

PLACE = 1


@g.spread
def command(
    source: g.DataOptions,
    recipe: g.RecipeOptions,
    length: g.LengthOptions,
    sets: g.SetOptions,
    runtime: g.RuntimeOptions,
    from_: o.From = None,
    on_divergence: o.OnDivergence = o.Divergence.stop,
    name: o.Name = None,
    runs_dir: o.RunsDir = o.RUNS,
    dry_run: o.DryRun = False,
    quiet: o.Quiet = False,
    json: o.Json = False,
) -> None:
    """Train a GAN. Without options: on MNIST if it is available, else on the digits of scikit-learn."""
    from gancli.core.config import data_options, nest
    from gancli.distributed.ranks import here, rank, require_name
    from gancli.report.console import Console
    from gancli.runs.folder import check_place, find

    console = Console(quiet=quiet, json=json, rank=rank())
    check_place(runs_dir, name)
    if not dry_run:
        require_name(name)
    o.plugins(sets.plugin)
    layers = g.layers(source, recipe, length, runtime, sets)
    if from_ is not None:
        layers.append(nest("transfer.weights", str(find(runs_dir, from_).path.resolve())))
    asked = data_options(layers)

    from gancli.report.reporter import Reporter
    from gancli.training import transfer
    from gancli.training.prepare import Request, make
    from gancli.training.rehearsal import rehearse
    from gancli.training.session import train
    from gancli.training.start import begin
    from gancli.training.validation import check

    how = o.reading(console, source.data_dir, source.download, asked)
    request = Request(layers, recipe.preset, how.data_dir, how.cache_dir, source.download)
    plan = make(request, how, here())
    reporter = Reporter(console, plan)
    reporter.announce()
    if dry_run:
        check(plan)
        transfer.check(plan.cfg, plan.spec)
        reporter.settings()
        found = rehearse(plan)
        console.end()
        console.result({**found, **({"config": plan.cfg.dump()} if json else {})})
        return
    run, resumed = begin(request, plan, runs_dir, name)
    console.open(run)
    with reporter.until_stopped(run):
        reason = train(run, plan, [reporter], resumed, on_divergence=on_divergence.value)[0]
    if plan.ranks.is_first:
        reporter.finish(run, reason)
    plan.ranks.close()
