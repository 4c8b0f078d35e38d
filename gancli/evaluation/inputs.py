"""What is judged, and by what: samples of a run, or pictures from anywhere, against a data set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gancli.core.data import Reading, Source, Split
from gancli.core.errors import UsageError
from gancli.core.images import to_uint8
from gancli.core.registry import Part, build
from gancli.data import find
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


def data(text: str, how: Reading) -> tuple[Source, Split]:
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
) -> tuple[Model, Source, Split]:
    """A run's model, and the data to judge it by: its own, or another brought to its images' shape.

    Of its own data `facts["same_data"]` says whether it is what the run was trained on.
    """
    model = load(run.path, step=step, ema=ema, device=device, note=how.note)
    shape = model.shape
    if against is not None:
        return model, *data(against, replace(how, size=(shape.height, shape.width), channels=shape.channels))
    if not (run.path / "data.json").is_file():
        raise UsageError(
            f"{run.path} is a bare model: it does not say by what to judge it", "add --against mnist, or a folder"
        )
    cfg = run.config().data
    split = find.read(cfg.source, replace(how, size=cfg.image_size, channels=cfg.channels, holdout=cfg.holdout))
    model.facts["same_data"] = find.fingerprint(split.train) == _trained_on(run, model.tick.step)
    if not model.facts["same_data"]:
        warn("the data is not what this run was trained on: it is judged by what is there now")
    return model, cfg.source, split


def _trained_on(run: folder.Run, step: int) -> Any:
    """The fingerprint of the data of the steps before this one."""
    later = [line["data"] for line in history.read(run.path) if "data" in line and line["step"] < step]
    return later[-1] if later else run.json("data.json").get("fingerprint")


def fakes(model: Model, split: Split, n: int, seed: int, ema: bool, progress: Progress) -> Fakes:
    """n samples of seeds seed .. seed + n - 1; of a conditional model, with the data's labels or attributes."""
    labels = model.labels_like(split.train.labels, n)
    attributes = model.attributes_like(split.train.attributes, n)
    made = model.sample(
        n, seed, labels=labels, attributes=attributes, progress=lambda done: progress("sampling", done, n)
    )
    asked = None if labels is None else np.array(labels, np.int64)
    when = {"step": model.tick.step, "images_seen": model.tick.images}
    return Fakes(to_uint8(made), asked, {**when, "ema": ema, "seed": seed, **model.facts}, attributes)


def pictures(path: Path, split: Split, how: Reading) -> Fakes:
    """Pictures from a folder, a zip or an npz, in the size of the data."""
    _, c, h, w = split.test.images.shape
    found = build("data", find.source_for(str(path.absolute())))
    assert isinstance(found, Source)
    both = find.read(found, replace(how, size=(h, w), channels=c, holdout=0.0))
    return Fakes(both.train.images, None, {"images": path.name})
