"""What is evaluated, and against what: samples of a run, or pictures from anywhere, against a data set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gancli.core.config import Data
from gancli.core.data import Dataset, Reading, Source, Spec, Split
from gancli.core.errors import UsageError
from gancli.core.registry import Part, build, validated
from gancli.core.samples import Ask, with_options
from gancli.core.task import Task, converted
from gancli.data import find
from gancli.evaluation.contracts import classes_of
from gancli.evaluation.generated import Generated
from gancli.evaluation.selection import compared_with
from gancli.inference.generator import Model
from gancli.inference.loading import load
from gancli.inference.spool import spooled
from gancli.inference.stream import Stream
from gancli.runs import folder, history

Progress = Callable[[str, int, int], None]


def feature_part(name: str | None, weights: Path | None, sha256: str = "") -> Part | None:
    """The feature net asked for. Raises UsageError if it is unknown, takes no file of weights, or has a hash but no file."""
    if sha256 and weights is None:
        raise UsageError("--feature-hash is that of a file of weights", "add --feature-weights FILE")
    if weights is not None:
        return build("features", {"name": name or "inception", "weights": str(weights), "sha256": sha256})
    return None if name is None else build("features", name)


def data(text: str, how: Reading, skip_broken: bool = False) -> tuple[Source, Split[Any]]:
    """A data set by name or path; with `skip_broken` files that cannot be read are left out."""
    source = _lenient(build("data", find.source_for(text)), skip_broken)
    return source, find.read(source, how)


def against(text: str, how: Reading, skip_broken: bool = False) -> tuple[Source, Split[Any]]:
    """Data that images of no run are compared with: all of a folder or file; a known data set with its own test set as it is."""
    source = _lenient(build("data", find.source_for(text)), skip_broken)
    if not hasattr(source, "path"):
        return source, find.read(source, how)
    found = find.read(source, replace(how, holdout=0.0, validation=0.0, whole=True)).train
    return source, Split(found, found)


def _lenient(source: Part, skip_broken: bool) -> Source:
    assert isinstance(source, Source)
    return source.replace(skip_broken=True) if skip_broken and "skip_broken" in type(source).model_fields else source


def data_dir(run: folder.Run) -> Path | None:
    """Where the run found its data, if that is there."""
    if not (run.path / "data.json").is_file():
        return None
    where = run.json("data.json").get("data_dir")
    return Path(where) if isinstance(where, str) and Path(where).is_dir() else None


def of_run(
    run: folder.Run,
    against: str | None,
    how: Reading,
    ema: bool,
    device: torch.device,
    step: int | None = None,
    warn: Callable[[str], None] = lambda _text: None,
    standing: int = 0,
    skip_broken: bool = False,
    moved: str | None = None,
    change: Callable[[Model], Model] = lambda model: model,
    options: Mapping[str, Any] | None = None,
) -> tuple[Model, Source, Split[Any]]:
    """A run's model, and the data to compare with: its own, or another brought to its images' shape.

    Of its own data `facts["same_data"]` says whether it is what the run was trained on.

    Args:
        run: its folder.
        against: other data, by name or path; None: the run's own.
        how: the data are read.
        ema: the averaged nets, or the raw ones.
        device: of the nets.
        step: of the checkpoint; None: the newest.
        warn: called if the data are not what the run was trained on.
        standing: batches for the standing statistics of batch norm; 0: those of training.
        skip_broken: leave files out that cannot be read.
        moved: where the run's own data is now; None: where it was.
        change: makes another model of it, such as one with other degradations, before the data are read.
        options: keys of the run's own data that are changed.

    Raises:
        UsageError: a bare model does not say what its data are.
        CheckpointError, DataError: the run or the data cannot be read.
    """
    model = change(load(run.path, step=step, ema=ema, device=device, standing=standing, note=how.note))
    if against is not None:
        source, split = data(against, _shaped(how, model.spec), skip_broken)
        return model, source, converted(split, model.task)
    if not (run.path / "data.json").is_file():
        raise UsageError(
            f"{run.path} is a bare model: it does not say which data to compare with",
            "gan evaluate --against mnist, or a folder",
        )
    cfg = validated(Data, {**run.config().data.model_dump(mode="json"), **(options or {})}, "data")
    own = find.elsewhere(cfg.source, moved, f"gan evaluate {run.word}")
    split = converted(find.read(_lenient(own, skip_broken), how.requested(cfg)), model.task)
    model.facts["same_data"] = split.train.fingerprint == _trained_on(run, model.tick.step)
    if not model.facts["same_data"]:
        warn("the data is not what this run was trained on: it is evaluated against what is there now")
    return model, own, split


def facing(split: Split[Any], model: Model, direction: str) -> Split[Any]:
    """The data for a direction of a translation: input and output are exchanged, unless it is the model's first.

    Raises:
        UsageError: the model has not learned this direction.
    """
    known = list(model.task.maps(model.spec))
    if direction not in known:
        raise UsageError(
            f"this model has not learned the direction {direction!r}", f"it has: {', '.join(known) or 'none'}"
        )
    if direction == known[0]:
        return split
    parts: list[Any] = [split.train, split.test, split.validation]
    return Split(*(part.swapped() for part in parts))


def _shaped(how: Reading, spec: Spec) -> Reading:
    """To read data with the height, width and channels of a spec, where it has them."""
    image = getattr(spec, "image", spec)
    height, width, channels = (getattr(image, name, None) for name in ("height", "width", "channels"))
    return replace(how, size=(height, width) if height and width else None, channels=channels)


def _trained_on(run: folder.Run, step: int) -> Any:
    """The fingerprint of the data of the steps before this one."""
    later = [line["data"] for line in history.read(run.path) if "data" in line and line["step"] < step]
    return later[-1] if later else run.json("data.json").get("fingerprint")


def asked(task: Task, spec: Spec, train: Dataset, reals: Dataset, n: int, seed: int) -> Ask:
    """What is asked of a task for an evaluation of n samples.

    Args:
        task: of the model.
        spec: of its data.
        train: the training data, in whose proportions labels and attributes occur.
        reals: the data that samples are compared with: a task that makes its samples from input is given theirs.
        n: samples, at most.
        seed: of the first sample.
    """
    if not task.asks.paired:
        return task.evaluation(spec, train, n, seed)
    rows = compared_with(len(reals), n, seed)
    return task.evaluation(spec, reals if len(rows) == len(reals) else reals.take(rows), n, seed)


def of_model(
    model: Model,
    train: Dataset,
    reals: Dataset,
    n: int,
    seed: int,
    cache_dir: Path,
    progress: Progress,
    options: Mapping[str, Any] | None = None,
) -> Generated:
    """A model's samples, which are made as they are read.

    Several ranks make them together and at once: each must call this.

    Args:
        model: to sample from.
        train: the training data.
        reals: the data that samples are compared with.
        n: samples, at most.
        seed: samples of seeds seed .. seed + n - 1, where the task takes seeds.
        cache_dir: where temporary files may be written.
        progress: called with what is done, samples done and all samples.
        options: of the request; those that are None are left out.
    """
    given = {name: value for name, value in (options or {}).items() if value is not None}
    ask = with_options(asked(model.task, model.spec, train, reals, n, seed), given)
    stream = Stream(model, ask, lambda done: progress("sampling", done, len(ask)))
    when = {"step": model.tick.step, "images_seen": model.tick.images}
    samples = stream if model.ranks.world == 1 else spooled(stream, len(ask), cache_dir)
    return Generated(samples, {**when, "seed": seed, **given, **model.facts}, type(ask).paired)


def pictures(path: Path, split: Split[Any], how: Reading, skip_broken: bool = False) -> Generated:
    """Samples from a folder, a zip or an npz, in the shape of the data."""
    found = _lenient(build("data", find.source_for(str(path.absolute()))), skip_broken)
    names: list[str] = []
    shaped = replace(_shaped(how, split.test.spec), holdout=0.0, validation=0.0, whole=True, files=names.extend)
    both = find.read(found, shaped).train
    packed = both.samples().pack()
    beside = {key: value for key, value in packed.items() if key not in ("labels", "attributes")}
    labels = _translated(packed.get("labels"), classes_of(both), classes_of(split.train))
    if labels is not None:
        beside["labels"] = labels
    elif packed.get("labels") is not None and classes_of(split.train):
        how.note("the classes of the images are not those of the data, and are not used")
    return Generated(type(both.samples()).unpack(beside), {"images": path.name}, names=tuple(names))


def _translated(labels: np.ndarray | None, own: Sequence[str], wanted: Sequence[str]) -> np.ndarray | None:
    """Labels as numbers of other classes of the same names; classes named by numbers alone may be meant as these numbers."""
    if labels is None or not wanted:
        return None
    numbers = all(name.isdecimal() and int(name) < len(wanted) for name in own) and not any(
        n.isdecimal() for n in wanted
    )
    if not numbers and not set(own) <= set(wanted):
        return None
    table = [int(name) if numbers else list(wanted).index(name) for name in own]
    translated: np.ndarray = np.array(table, np.int64)[labels]
    return translated
