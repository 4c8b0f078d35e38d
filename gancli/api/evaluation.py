"""Evaluation from Python: the same as `gan evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gancli.core.data import Reading, Source, Split
from gancli.core.errors import UsageError
from gancli.evaluation import inputs
from gancli.evaluation.evaluator import evaluate as scored
from gancli.report.console import Console
from gancli.runs import folder
from gancli.training import precision
from gancli.training.prepare import cache_dir

if TYPE_CHECKING:
    from gancli.evaluation.generated import Generated
    from gancli.evaluation.results import Evaluation

USUAL = 10_000  # samples of a run


def evaluate(
    run: str | Path | None = None,
    *,
    images: str | Path | None = None,
    against: str | None = None,
    metrics: Sequence[str] | None = None,
    n: int | None = None,
    seed: int = 0,
    split: str = "test",
    features: str | None = None,
    runs_dir: str | Path = "runs",
    data_dir: str | Path | None = None,
    download: bool = True,
    device: str = "auto",
    quiet: bool = True,
) -> Evaluation:
    """Score the samples of a run, or images of another origin.

    Args:
        run: name or path of a run, or a model folder.
        images: folder, .zip or .npz of images, instead of a run.
        against: data to compare with; default: the run's own.
        metrics: names of metrics or scores, such as ["fid", "prc"]; default: all that apply, except slow ones.
        n: number of samples; default: 10,000, of `images` all.
        seed: of the samples and subsets.
        split: "test", "validation" or "train", the part of the data to compare with.
        features: feature extractor; default: the one that suits the data.
        runs_dir: where run folders are.
        data_dir: folder of downloaded data sets; default: that of the run.
        download: whether missing ones may be downloaded.
        device: of the nets: "auto", "cpu", "cuda", ...
        quiet: print nothing.

    Returns:
        The scores: `evaluation.score("fid").value`, `.error`, `.reference`. Nothing is written.

    Raises:
        GanError: the run, the data or a metric are not available; with cause and remedy.
    """
    if (run is None) == (images is None):
        raise UsageError("evaluate takes a run or images", 'evaluate("NAME"), or evaluate(images=..., against=...)')
    console, on = Console(quiet=quiet), precision.device(device)
    found = None if run is None else folder.find(Path(runs_dir), str(run))
    place = Path(data_dir) if data_dir is not None else found and inputs.data_dir(found)
    place = place or cache_dir() / "data"
    how = Reading(place, cache_dir(), download=download, progress=console.bar, note=console.note, warn=console.warn)
    if found is None:
        source, generated, data = _of_images(images, against, how)
    else:
        model, source, whole = inputs.of_run(found, against, how, True, on, warn=console.warn)
        data = Split(whole.train, getattr(whole, split))
        generated = inputs.of_model(model, whole.train, data.test, n or USUAL, seed, cache_dir(), console.bar)
    return scored(
        generated, data, source.features, metrics=metrics, n=n, name=f"{split} set", seed=seed,
        untrained=found is None and data.train is data.test, features=inputs.feature_part(features, None),
        cache_dir=cache_dir(), device=str(on), progress=console.bar, note=console.note,
    )  # fmt: skip


def _of_images(images: str | Path | None, against: str | None, how: Reading) -> tuple[Source, Generated, Split[Any]]:
    """Images of no run, and the data to compare them with."""
    if images is None or against is None:
        raise UsageError("images need data to compare with", "add against=, a data set or a folder")
    source, data = inputs.against(against, how)
    return source, inputs.pictures(Path(images), data, how), data
