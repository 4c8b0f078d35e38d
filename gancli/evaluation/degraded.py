"""Restoration evaluated on chosen degradations: of a run, of the outputs of another program, of a baseline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from gancli.core.data import Dataset, Reading, Split
from gancli.core.errors import UsageError
from gancli.core.images import ImageSamples, PairSamples
from gancli.core.registry import build
from gancli.data.degraded import DegradedDataset
from gancli.data.images import ImageDataset
from gancli.degradations.chain import parse
from gancli.evaluation.contracts import Baseline
from gancli.evaluation.generated import Generated
from gancli.evaluation.inputs import pictures
from gancli.inference.generator import Model


def restoring(model: Model, chain: str) -> Model:
    """The model with other degradations in place of those that it was trained on.

    Args:
        model: of a task that has degradations.
        chain: as in `gauss:25+jpeg:10`.

    Raises:
        UsageError: the task has none, or its nets do not fit these.
    """
    if "degrade" not in type(model.task).model_fields:
        raise UsageError(
            f"the task {model.task.name!r} does not restore images",
            "score outputs by --images FOLDER --against DATA, or a baseline by --baseline NAME --against DATA",
        )
    parts = parse(chain)
    task = model.task.replace(degrade=parts)
    scale, mask = int(np.prod([part.scale for part in parts])), any(part.masks for part in parts)
    there = (getattr(model.spec, "scale", 1), getattr(model.spec, "mask", False))
    if (scale, mask) != there:
        said = f"enlarges {there[0]} times and {'needs' if there[1] else 'has no'} masks"
        raise UsageError(f"this model {said}; {chain} does not fit it", "evaluate a run that was trained on the like")
    return replace(model, task=task)


def degraded(split: Split[Any], chain: str) -> Split[Any]:
    """The data with degraded inputs. Raises UsageError if they are no images."""
    parts = parse(chain)

    def change(data: Dataset) -> Dataset:
        if not isinstance(data, ImageDataset):
            raise UsageError(f"{data.spec.name} are not images to degrade", "leave --degrade away")
        return DegradedDataset(data, parts)

    train, test, validation = (change(part) for part in (split.train, split.test, split.validation))
    return Split(train, test.for_evaluation(), validation.for_evaluation())


def outputs(path: Path, split: Split[Any], how: Reading, skip_broken: bool = False) -> Generated:
    """Images from anywhere as the outputs for the test set, in its order.

    Raises:
        UsageError: there are more or fewer.
    """
    plain = Split(*(part.images for part in (split.train, split.test, split.validation)))
    made = pictures(path, plain, how, skip_broken)
    inputs = cast("PairSamples", split.test.samples())
    if len(made.samples) != len(inputs):
        raise UsageError(
            f"{path} has {len(made.samples)} images, and the test set {len(inputs)}",
            "the i-th image, sorted by name, must be the output for the i-th of the test set",
        )
    images = cast("ImageSamples", made.samples).images
    return replace(made, samples=PairSamples(images, inputs=inputs.inputs, masks=inputs.masks), paired=True)


def of_baseline(name: str, split: Split[Any]) -> Generated:
    """The outputs of a baseline for the test set. Raises UsageError if it does not apply."""
    part = build("baseline", name)
    if not isinstance(part, Baseline):
        raise UsageError(f"the baseline {name!r} does not restore images", "gan list baseline names others")
    train, test = split.train.take(slice(0, part.fits)).samples(), split.test.samples()
    if why := part.objection(train, split.train.spec):
        raise UsageError(f"the baseline {name!r} does not apply: {why}", "gan list baseline names others")
    fitted = part.fit(train)
    made = fitted(test.inputs, test.masks, test.images.shape[2:])
    options = fitted.model_dump(mode="json")
    return Generated(PairSamples(made, inputs=test.inputs, masks=test.masks), {"baseline": options}, paired=True)
