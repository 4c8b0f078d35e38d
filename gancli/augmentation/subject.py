"""A run and its data, checked for leaks: what images are made from, and what a study is based on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gancli.augmentation.candidates import conditional
from gancli.augmentation.leaks import digests, unseen
from gancli.augmentation.parts import Parts, parts, pool
from gancli.core.data import Dataset, Reading, Source, Split
from gancli.core.errors import DataError
from gancli.core.specs import Images
from gancli.core.task import converted
from gancli.data import find
from gancli.data.images import ImageDataset
from gancli.data.pictures import Pictures
from gancli.evaluation import inputs
from gancli.inference.generator import Model
from gancli.runs import history
from gancli.runs.folder import Run

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Subject:
    """A class-conditional model, and the data that it enlarges."""

    run: Run
    model: Model
    train: Dataset
    parts: Parts
    files: tuple[Path, list[str]] | None  # the folder of the training images and their paths in it, if they lie in one


def subject(
    run: Run,
    how: Reading,
    warn: Callable[[str], None],
    against: str | None = None,
    moved: str | None = None,
    step: int | None = None,
    ema: bool = True,
    more: Path | None = None,
    device: torch.device = CPU,
) -> Subject:
    """Load a run and its data.

    Args:
        run: its folder.
        how: the data are read.
        warn: called with sentences on duplicates.
        against: other data than the run's own, by name or path.
        moved: where the run's own data is now; None: where it was.
        step: of the checkpoint; None: the newest.
        ema: the EMA weights, or the raw ones.
        more: a folder of further real images.
        device: of the model; classifiers are trained on the CPU.

    Raises:
        DataError: the data have changed since or during training, or the run was trained on test images.
        UsageError: the model is not class-conditional, or the data have no classes.
    """
    model, source, split = inputs.of_run(run, against, how, ema, device, step, warn, moved=moved)
    if against is None and not model.facts.get("same_data"):
        raise DataError(
            f"the data of {run.name} have changed since training: which images it was trained on is not known any more",
            "name the unchanged data with --data, or train again",
        )
    if any("data" in line for line in history.read(run.path)):
        raise DataError(
            f"{run.name} was resumed with other data: which images it was trained on is not known",
            "train it on one data set",
        )
    found = parts(split)
    conditional(model, len(found.names))
    if more is not None:
        found = parts(split, _further(more, found.names, split.train.spec, how))
    if against is not None:
        trained = digests(pool(_own(run, model, how, moved), len(found.names)).images)
        found = replace(found, test=unseen(found.test, trained, run.name))
    for said in found.twice:
        warn(said)
    return Subject(run, model, split.train, found, _files(source, run, how) if against is None else None)


def _own(run: Run, model: Model, how: Reading, moved: str | None) -> Dataset:
    """The images that a run was trained on. Raises DataError if they are not there any more."""
    cfg = run.config().data
    source = find.elsewhere(cfg.source, moved, f"gan augment {run.word}")
    split: Split[Any] = converted(find.read(source, how.requested(cfg)), model.task)
    if split.train.fingerprint != run.json("data.json").get("fingerprint"):
        raise DataError(f"the data that {run.name} was trained on have changed", "name the unchanged data with --data")
    train: Dataset = split.train
    return train


def _files(source: Source, run: Run, how: Reading) -> tuple[Path, list[str]] | None:
    """Where the training images lie, if they are files of a folder."""
    path = getattr(source, "path", None)
    if not isinstance(source, Pictures) or path is None or not Path(path).is_dir():
        return None
    found = source.names(replace(how.requested(run.config().data), note=lambda _text: None, warn=lambda _text: None))
    names = [entry.name for entry in source.files().entries]
    return Path(path), [names[i] for i in found.train.images[:, 0, 0, 0].tolist()]


def _further(place: Path, names: tuple[str, ...], spec: Images, how: Reading) -> tuple[Dataset, tuple[str, ...]]:
    """Further real images in the shape of the data, with the names of their classes: subfolders, or as any data."""
    shaped = replace(
        how, size=(spec.height, spec.width), channels=spec.channels, holdout=0.0, validation=0.0, whole=True
    )
    there = [name for name in names if (place / name).is_dir()]
    if not there:
        found = inputs.against(str(place), shaped)[1].train
        return found, tuple(getattr(found, "classes", ()))
    read = [
        inputs.against(str(place / name), replace(shaped, labels="none"))[1].train.samples().images for name in there
    ]
    labels = np.repeat(np.arange(len(read)), [len(images) for images in read])
    return ImageDataset(np.concatenate(read), labels, classes=tuple(there)), tuple(there)
