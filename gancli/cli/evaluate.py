"""`gan evaluate`: how good are the samples, by which protocol, with which error."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gancli.cli import groups as g
from gancli.cli import options as o
from gancli.cli.subjects import Restoration, Subject, subject
from gancli.cli.tradeoff import NO_CURVES, Curves, curve
from gancli.core.errors import BoundError, UsageError

if TYPE_CHECKING:
    from gancli.evaluation.results import Bound, Evaluation
    from gancli.report.console import Console
    from gancli.runs.folder import Run

PLACE = 4
FEW = 3  # warnings of classes


class PartName(StrEnum):
    """A part of the data."""

    test = "test"
    validation = "validation"
    train = "train"


Images = Annotated[Path | None, typer.Option(help="Evaluate this folder, .zip or .npz instead of a run.")]
Against = Annotated[str | None, typer.Option(help="Data set to compare with. Default: the run's own.")]
Metrics = Annotated[
    str | None,
    typer.Option(help="Comma-separated metrics (gan list metrics). Default: all that apply, but for slow ones."),
]
N = Annotated[
    int | None,
    typer.Option("--n", "-n", min=2, max=1_000_000, help="Number of samples.", show_default="10,000; of --images all"),
]
Part = Annotated[PartName, typer.Option("--split", help="Part of the data to compare with.")]
Seed = Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Random seed of samples and subsets.")]
FeatureName = Annotated[
    str | None, typer.Option(help="Feature extractor (gan list features), or two files: --features REAL.npz FAKE.npz.")
]
TrainFeatures = Annotated[Path | None, typer.Option(help="With two files: features of the training data.")]
FeatureWeights = Annotated[Path | None, typer.Option(help="Weights file of the feature extractor, if it needs one.")]
FeatureHash = Annotated[str, typer.Option(help="SHA-256 of that file.")]
Ema = Annotated[bool, typer.Option(help="Use the EMA weights, or the raw ones.")]
FailIf = Annotated[list[str] | None, typer.Option(help='Exit with code 8 if this holds: "fid>10".')]
Out = Annotated[Path | None, typer.Option(help="Folder for evaluation.json and .png. Default: the run.")]
Csv = Annotated[Path | None, typer.Option(help="Write the values of each image to this CSV file.")]


@dataclass(frozen=True)
class Written:
    """What is written, and where."""

    out: Out = None
    csv: Csv = None


USUAL = 10_000  # samples of a run
NO_RESTORATION, IN_THE_RUN, UNCHANGED = Restoration(), Written(), g.SetOptions()


@g.spread
def command(
    run: o.RunName = None,
    images: Images = None,
    against: Against = None,
    restoration: Restoration = NO_RESTORATION,
    curves: Curves = NO_CURVES,
    metrics: Metrics = None,
    n: N = None,
    seed: Seed = 0,
    split: Part = PartName.test,
    features: FeatureName = None,
    feature_weights: FeatureWeights = None,
    feature_hash: FeatureHash = "",
    train_features: TrainFeatures = None,
    ema: Ema = True,
    standing: o.Standing = 0,
    step: o.Step = None,
    fail_if: FailIf = None,
    written: Written = IN_THE_RUN,
    sets: g.SetOptions = UNCHANGED,
    data_dir: o.DataDir = None,
    download: o.Download = True,
    skip_broken: o.SkipBroken = None,
    data: o.Moved = None,
    runs_dir: o.RunsDir = o.RUNS,
    quiet: o.Quiet = False,
    json: o.Json = False,
    device: o.Device = None,
    threads: o.Threads = None,
) -> None:
    """Score the samples of a run, or a folder of images: FID, precision, recall, memorization and more."""
    from gancli.distributed.ranks import rank
    from gancli.evaluation import inputs
    from gancli.evaluation.evaluator import evaluate
    from gancli.report.console import Console
    from gancli.training.prepare import cache_dir

    console = Console(quiet=quiet, json=json, rank=rank())
    o.plugins(sets.plugin)
    if _of_files(console, (features, run, train_features), metrics, n or USUAL, seed, fail_if or [], written.out):
        return
    other = _is_no_run(images, restoration, run, against, step is not None or not ema or standing > 0)
    found = None if other else _run(console, runs_dir, run)
    bounds = _bounds(fail_if or [], chosen := _chosen(metrics))
    part, on = inputs.feature_part(features, feature_weights, feature_hash), _device(device, threads)
    rest = (ema, standing, step, restoration, split.value, g.data_layer(sets))
    of = Subject(found, images, against, data_dir, download, bool(skip_broken), data, *rest)
    if curve(console, of, curves, runs_dir, (n or USUAL, seed, part, on), written.out):
        return
    generated, source_features, whole = subject(console, of, n or USUAL, seed, on)
    if rank():
        return  # this rank has had its share of the sampling
    result = evaluate(
        generated, whole, source_features, metrics=chosen, n=n, name=f"{split.value} set",
        untrained=found is None and whole.train is whole.test, seed=seed, features=part, cache_dir=cache_dir(),
        device=str(on), progress=console.bar, note=console.note,
    )  # fmt: skip
    _report(console, result, written.out or (found.path if found else None), written.csv)
    _next(console, None if written.out else found)
    _check_bounds(bounds, result)


def _next(console: Console, run: Run | None) -> None:
    """Print the next command, if a run was evaluated in its own folder."""
    if run is not None:
        console.note(f"next     gan compare {run.word} OTHER")


def _run(console: Console, runs_dir: Path, name: str | None) -> Run:
    from gancli.runs import folder

    found = folder.find(runs_dir, name)
    if name is None:
        console.note(f"run {found.path}")
    return found


def _device(device: str | None, threads: int | None) -> Any:
    from gancli.distributed.ranks import here
    from gancli.training import precision

    precision.set_threads(threads or 0)
    return precision.device(here().device(device or "auto"))


def _chosen(metrics: str | None) -> list[str] | None:
    return [m.strip() for m in metrics.split(",") if m.strip()] if metrics else None


def _of_files(
    console: Console,
    files: tuple[str | None, str | None, Path | None],
    metrics: str | None,
    n: int,
    seed: int,
    fail_if: list[str],
    out: Path | None,
) -> bool:
    """Score features from files of reals, samples and training data. False if `--features` names no file."""
    from gancli.evaluation import own

    real, fake, train = files
    if real is None or Path(real).suffix not in (".npz", ".npy"):
        if train is not None:
            raise UsageError("--train-features goes with features from files", "add --features REAL.npz FAKE.npz")
        return False
    if fake is None:
        raise UsageError(
            "--features takes the features of reals and of samples", "example: --features REAL.npz FAKE.npz"
        )
    chosen = _chosen(metrics)
    bounds = _bounds(fail_if, chosen)
    reals, samples = own.read(Path(real), "reals"), own.read(Path(fake), "samples")
    known = None if train is None else own.read(train, "training data")
    result = own.evaluate_features(reals, samples, known, metrics=chosen, n=n, seed=seed, progress=console.bar)
    _report(console, result, out)
    _check_bounds(bounds, result)
    return True


def _is_no_run(
    images: Path | None, restoration: Restoration, run: str | None, against: str | None, of_run: bool
) -> bool:
    """Whether images or a baseline are evaluated. Raises UsageError for what does not go with them."""
    baseline = restoration.baseline
    if images is None and baseline is None:
        return False
    if baseline is not None and restoration.degrade is None:
        raise UsageError("--baseline restores degraded images", "add --degrade gauss:25")
    what = "--baseline" if images is None else "--images"
    if run is not None or (images is not None and baseline is not None):
        raise UsageError(
            f"{'a run' if run else '--baseline'} and {what} are two things to evaluate", "name one of them"
        )
    if against is None:
        raise UsageError(f"{what} needs data to compare with", "add --against mnist, or a folder")
    if images is not None and not images.exists():
        raise UsageError(f"--images {images}: there is no such file or folder")
    if of_run:
        raise UsageError(
            f"{what} is evaluated as they are", "leave away --step, --standing and --no-ema, which are of a run"
        )
    return True


def _bounds(texts: list[str], chosen: list[str] | None) -> list[Bound]:
    """Raises UsageError for one that is none, or whose score is not among the metrics that were chosen."""
    from gancli.evaluation.results import metric_of, parse_bound

    bounds = [parse_bound(text) for text in texts]
    if chosen is not None:
        scored = {metric_of(m) for m in chosen}
        left_out = [b for b in bounds if metric_of(b.metric) not in scored]
        if left_out:
            raise UsageError(
                f"--fail-if {left_out[0]}: its score is not in --metrics", f"add {metric_of(left_out[0].metric)}"
            )
    return bounds


def _check_bounds(bounds: list[Bound], result: Evaluation) -> None:
    """Raises BoundError for the first that fails."""
    for bound in bounds:
        if bound.fails(result):
            value = result.score(bound.metric).value
            raise BoundError(f"{bound} {'holds' if math.isfinite(value) else 'is undefined'}: {value:.4g}")


def _each(console: Console, result: Evaluation, file: Path) -> None:
    """Write the values of each image."""
    from gancli.core.files import write_atomic
    from gancli.report.each import as_csv
    from gancli.runs.files import disk

    with disk("the table", file, then=""):
        write_atomic(file, as_csv(result).encode())
    console.note(f"values   {file}")


def _report(console: Console, result: Evaluation, folder: Path | None, csv: Path | None = None) -> None:
    """Write the result, then draw and print it: what can be seen of it may fail, the result is there."""
    console.end()
    if csv is not None:
        _each(console, result, csv)
    from gancli.core.files import write_atomic
    from gancli.report.classes import warnings
    from gancli.report.evaluation import picture
    from gancli.report.scores import show
    from gancli.runs.files import disk

    if folder is not None:
        with disk("the evaluation", folder, then=""):
            folder.mkdir(parents=True, exist_ok=True)
            write_atomic(folder / "evaluation.json", (result.to_json() + "\n").encode())
    if console.json:
        console.dump(result.to_dict())
    else:
        show(console, result)
    doubts = warnings(result)
    for text in doubts[:FEW]:
        console.warn(text)
    if len(doubts) > FEW:
        console.warn(f"{len(doubts) - FEW} more like these, in the table of classes")
    if folder is not None:
        picture(result, folder / "evaluation.png")
        console.note(f"report   {folder / 'evaluation.json'}   {folder / 'evaluation.png'}")
