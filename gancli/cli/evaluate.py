"""`gan evaluate`: how good are the samples, by which protocol, with which error."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gancli.cli import options as o
from gancli.core.errors import BoundError, UsageError

if TYPE_CHECKING:
    from gancli.evaluation.evaluator import Bound, Evaluation, Fakes
    from gancli.report.console import Console

PLACE = 4


def command(
    run: o.RunName = None,
    images: Annotated[Path | None, typer.Option(help="Judge this folder, zip or npz instead of a run.")] = None,
    against: Annotated[str | None, typer.Option(help="The data to judge by; not given: the run's own.")] = None,
    metrics: Annotated[str | None, typer.Option(help="fid,prc,...; not given: all that apply.")] = None,
    n: Annotated[int, typer.Option("--n", "-n", min=2, max=1_000_000, help="How many samples.")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Of the samples and the subsets.")] = 0,
    features: Annotated[str | None, typer.Option(help="The feature net (gan list features).")] = None,
    feature_weights: Annotated[Path | None, typer.Option(help="Its weights, where it needs a file.")] = None,
    feature_hash: Annotated[str, typer.Option(help="The SHA-256 that file must have.")] = "",
    ema: Annotated[bool, typer.Option(help="The averaged generator, or the raw one.")] = True,
    step: o.Step = None,
    fail_if: Annotated[list[str] | None, typer.Option(help='Exit 8 if so: "fid>10".')] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for evaluation.json and .png; not given: the run.")] = None,
    plugin: o.Plugin = None,
    data_dir: o.DataDir = None,
    download: o.Download = True,
    runs_dir: o.RunsDir = o.RUNS,
    quiet: o.Quiet = False,
    json: o.Json = False,
    device: o.Device = None,
    threads: o.Threads = None,
) -> None:
    """Score a run's samples, or any folder of images: FID, precision, recall, memorization and more."""
    from gancli.distributed.ranks import here, number
    from gancli.report.console import Console
    from gancli.runs import folder

    console = Console(quiet=quiet, json=json, rank=number())
    o.plugins(plugin)
    if images is not None:
        _check_images(images, run, against, step is not None or not ema)
    found = None if images is not None else folder.find(runs_dir, run)
    if found is not None and run is None:
        console.note(f"run {found.path}")

    from gancli.evaluation import inputs
    from gancli.evaluation.evaluator import evaluate
    from gancli.training import precision
    from gancli.training.prepare import cache_dir

    chosen = [m.strip() for m in metrics.split(",") if m.strip()] if metrics else None
    bounds = _bounds(fail_if or [], chosen)
    part = inputs.feature_part(features, feature_weights, feature_hash)
    precision.set_threads(threads or 0)
    on = precision.device(here().device(device or "auto"))
    if found is not None:
        if data_dir is None and against is None:
            data_dir = inputs.data_dir(found)
        how = o.reading(console, data_dir, download=download)
        model, source, split = inputs.of_run(found, against, how, ema, on, step, console.warn)
        model.ranks = here()
        fakes = inputs.of_model(model, split.train, n, seed, console.bar)
    else:
        assert images is not None
        assert against is not None
        source, split = inputs.data(against, o.reading(console, data_dir, download=download))
        fakes = inputs.pictures(images, split, o.reading(console, data_dir, download=False))
    if number():
        return  # this rank has had its share of the sampling
    result = evaluate(
        fakes, split, source.features, metrics=chosen, n=n, seed=seed, features=part, cache_dir=cache_dir(),
        device=str(on), progress=console.bar, note=console.note,
    )  # fmt: skip
    console.end()
    _tell(console, result, fakes, out or (found.path if found else None))
    if found is not None and out is None:
        console.note(f"next     gan compare {found.path} OTHER")
    for b in bounds:
        if b.fails(result):
            value = result.score(b.metric).value
            raise BoundError(f"{b} {'holds' if math.isfinite(value) else 'cannot be told'}: {value:.4g}")


def _check_images(images: Path, run: str | None, against: str | None, of_run: bool) -> None:
    """Raises UsageError for what does not go with --images."""
    if run is not None:
        raise UsageError("a run and --images are two things to judge", "name one of them")
    if against is None:
        raise UsageError("--images needs the data to judge by", "add --against mnist, or a folder")
    if not images.exists():
        raise UsageError(f"--images {images}: there is no such file or folder")
    if of_run:
        raise UsageError("--images are judged as they are", "leave away --step and --no-ema, which are of a run")


def _bounds(texts: list[str], chosen: list[str] | None) -> list[Bound]:
    """Raises UsageError for one that is none, or whose score is not among the metrics that were chosen."""
    from gancli.evaluation.evaluator import metric_of, parse_bound

    bounds = [parse_bound(text) for text in texts]
    if chosen is not None:
        scored = {metric_of(m) for m in chosen}
        left_out = [b for b in bounds if metric_of(b.metric) not in scored]
        if left_out:
            raise UsageError(
                f"--fail-if {left_out[0]}: its score is not in --metrics", f"add {metric_of(left_out[0].metric)}"
            )
    return bounds


def _tell(console: Console, result: Evaluation, fakes: Fakes, folder: Path | None) -> None:
    from gancli.core.files import replace
    from gancli.report.evaluation import picture, table
    from gancli.runs.files import disk

    if console.json:
        import sys

        sys.stdout.write(result.to_json() + "\n")
    else:
        console.table(table(result, words=console.wide))
    if folder is not None:
        with disk("the evaluation", folder, then=""):
            folder.mkdir(parents=True, exist_ok=True)
            replace(folder / "evaluation.json", (result.to_json() + "\n").encode())
            picture(result, fakes, folder / "evaluation.png")
        console.note(f"report   {folder / 'evaluation.json'}   {folder / 'evaluation.png'}")
