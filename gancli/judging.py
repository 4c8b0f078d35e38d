"""What is judged, and by what: samples of a run, or pictures from anywhere, against a data set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from gancli.data import find
from gancli.errors import UsageError
from gancli.evaluate import Fakes
from gancli.images import to_uint8
from gancli.loading import load
from gancli.model import Model
from gancli.registry import Part, build
from gancli.run import folder
from gancli.sources import Reading, Source, Split

Progress = Callable[[str, int, int], None]


def feature_part(name: str | None, weights: Path | None, sha256: str = "") -> Part | None:
    """The feature net asked for. Raises UsageError if it is unknown or takes no file of weights."""
    if weights is not None:
        return build("features", {"name": name or "inception", "weights": str(weights), "sha256": sha256})
    return None if name is None else build("features", name)


def data(text: str, how: Reading) -> tuple[Source, Split]:
    """A data set by name or path."""
    source = build("data", find.source_for(text))
    assert isinstance(source, Source)
    return source, find.read(source, how)


def of_run(
    run: folder.Run,
    against: str | None,
    how: Reading,
    average: bool,
    device: torch.device,
    step: int | None = None,
) -> tuple[Model, Source, Split]:
    """A run's model, and the data to judge it by: its own, or another brought to its images' shape."""
    model = load(run.path, step=step, average=average, device=device)
    shape = model.shape
    how = replace(how, size=(shape.height, shape.width), channels=shape.channels)
    if against is not None:
        return model, *data(against, how)
    if not (run.path / "data.json").is_file():
        raise UsageError(
            f"{run.path} is a bare model: it does not say by what to judge it", "add --against mnist, or a folder"
        )
    cfg = run.config()
    where = run.json("data.json").get("data_dir")
    missing = isinstance(where, str) and not how.data_dir.is_dir()
    how = replace(how, data_dir=Path(where) if missing and where else how.data_dir, holdout=cfg.data.holdout)
    return model, cfg.data.source, find.read(cfg.data.source, how)


def fakes(model: Model, split: Split, n: int, seed: int, average: bool, progress: Progress) -> Fakes:
    """n samples of seeds seed .. seed + n - 1; of a conditional model, with the data's labels or attributes."""
    labels = model.labels_like(split.train.labels, n)
    attributes = model.attributes_like(split.train.attributes, n)
    made = model.sample(
        n, seed, labels=labels, attributes=attributes, progress=lambda done: progress("sampling", done, n)
    )
    asked = None if labels is None else np.array(labels, np.int64)
    when = {"step": model.tick.step, "images_seen": model.tick.images}
    return Fakes(to_uint8(made), asked, {**when, "average": average, "seed": seed, **model.facts}, attributes)


def pictures(path: Path, split: Split, how: Reading) -> Fakes:
    """Pictures from a folder, a zip or an npz, in the size of the data."""
    _, c, h, w = split.test.images.shape
    found = build("data", find.source_for(str(path.absolute())))
    assert isinstance(found, Source)
    both = find.read(found, replace(how, size=(h, w), channels=c, holdout=0.0))
    return Fakes(both.train.images, None, {"images": path.name})
