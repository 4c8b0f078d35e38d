"""What is judged, and by what: samples of a run, or pictures from anywhere, against a data set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gancli.core.data import Dataset, Reading, Source, Spec, Split
from gancli.core.errors import UsageError
from gancli.core.images import ImageSamples
from gancli.core.registry import Part, build
from gancli.core.samples import FromSeeds
from gancli.core.specs import Images
from gancli.core.task import Task
from gancli.data import find
from gancli.data.images import ImageDataset
from gancli.evaluation.evaluator import Fakes
from gancli.inference.generator import Model
from gancli.inference.loading import load
from gancli.runs import folder, history

Progress = Callable[[str, int, int], None]


def feature_part(name: str | None, weights: Path | None, sha256: str = "") -> Part | None:
    """The feature net asked for. Raises UsageError if it is unknown, takes no file of weights, or has a hash but no file."""
    if sha256 and weights is None:
        raise UsageError("--feature-hash is that of a file of weights", "add --feature-weights FILE")
    if weights is not None:
        return build("features", {"name": name or "inception", "weights": str(weights), "sha256": sha256})
    return None if name is None else build("features", name)


def data(text: str, how: Reading) -> tuple[Source, Split[ImageDataset]]:
    """A data set by name or path."""
    source = build("data", find.source_for(text))
    assert isinstance(source, Source)
    return source, find.read(source, how)


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
) -> tuple[Model, Source, Split[ImageDataset]]:
    """A run's model, and the data to judge it by: its own, or another brought to its images' shape.

    Of its own data `facts["same_data"]` says whether it is what the run was trained on.
    """
    model = load(run.path, step=step, ema=ema, device=device, note=how.note)
    spec = model.spec
    if against is not None:
        assert isinstance(spec, Images)
        return model, *data(against, replace(how, size=(spec.height, spec.width), channels=spec.channels))
    if not (run.path / "data.json").is_file():
        raise UsageError(
            f"{run.path} is a bare model: it does not say by what to judge it", "add --against mnist, or a folder"
        )
    cfg = run.config().data
    split = find.read(
        cfg.source,
        replace(how, size=cfg.image_size, channels=cfg.channels, holdout=cfg.holdout, validation=cfg.validation),
    )
    model.facts["same_data"] = split.train.fingerprint == _trained_on(run, model.tick.step)
    if not model.facts["same_data"]:
        warn("the data is not what this run was trained on: it is judged by what is there now")
    return model, cfg.source, split


def _trained_on(run: folder.Run, step: int) -> Any:
    """The fingerprint of the data of the steps before this one."""
    later = [line["data"] for line in history.read(run.path) if "data" in line and line["step"] < step]
    return later[-1] if later else run.json("data.json").get("fingerprint")


def of_model(model: Model, data: Dataset, n: int, seed: int, progress: Progress) -> Fakes:
    """n samples of seeds seed .. seed + n - 1; of a conditional model, with labels or attributes in the data's proportions."""
    ask = model.task.evaluation(model.spec, data, n, seed)
    made = model.generate(ask, lambda done: progress("sampling", done, n))
    assert isinstance(made, ImageSamples)
    when = {"step": model.tick.step, "images_seen": model.tick.images}
    return Fakes(made.images, made.labels, {**when, "seed": seed, **model.facts}, made.attributes)


def blank(task: Task, spec: Spec, data: Dataset, n: int) -> Fakes:
    """What an evaluation will be of, with blank images for the samples: enough for a metric to object to."""
    ask = task.evaluation(spec, data, n, 0)
    assert isinstance(ask, FromSeeds) and isinstance(spec, Images)  # noqa: PT018
    labels = None if ask.labels is None else np.array(ask.labels, np.int64)
    return Fakes(np.zeros((n, spec.channels, spec.height, spec.width), np.uint8), labels, {}, ask.attributes)


def pictures(path: Path, split: Split[ImageDataset], how: Reading) -> Fakes:
    """Pictures from a folder, a zip or an npz, in the size of the data."""
    _, c, h, w = split.test.images.shape
    found = build("data", find.source_for(str(path.absolute())))
    assert isinstance(found, Source)
    both = find.read(found, replace(how, size=(h, w), channels=c, holdout=0.0, validation=0.0))
    return Fakes(both.train.images, None, {"images": path.name})
