"""Precision and copies within each class: samples are compared with the reals, and the training images, of the class asked for.

Precision is that of 1904.06991 with the reals of one class: sharp samples of another class do not count. A copy is much nearer to
one training image of the class than to any other (as in `copying.py`), below the 1 % quantile of the reals of all classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from pydantic import Field

from gancli.evaluation.contracts import Inputs, Metric, Score, too_few
from gancli.evaluation.metrics.copying import copied_share, ratios
from gancli.evaluation.metrics.distances import crossings, nearest, neighbours
from gancli.evaluation.metrics.resampling import binomial

MOST = 100  # classes
FEWEST = 20  # samples or reals
FEWEST_OF_CLASS = 10  # reals of a class, for its precision
COPIED = 0.1  # from this share of copies on there is a warning


@dataclass(frozen=True)
class OfClass:
    """The features of one class, float64 [n, d]."""

    name: str
    real: np.ndarray
    fake: np.ndarray
    train: np.ndarray


def precision(real: np.ndarray, fake: np.ndarray, k: int) -> float:
    """The share of fakes [M, d] within the balls of reals [N, d], each as wide as the distance to its k-th neighbor."""
    radii = neighbours(real, k)[:, -1]
    return float(crossings(real, fake, {k: (radii, np.zeros(len(fake)))})[k].fake_inside.mean())


class ClassQuality(Metric):
    name = "class-quality"
    gives = ("class-precision", "class-copied")
    whole_train = True
    rank = 76
    by_class: ClassVar[Mapping[str, str]] = {"class-precision": "precision", "class-copied": "copies"}
    k: int = Field(3, ge=1, description="a ball reaches to the k-th neighbor")

    def objection(self, inputs: Inputs) -> str:
        if any(of.labels is None for of in (inputs.fake, inputs.real, inputs.train)):
            return "samples or data have no labels"
        return too_few(inputs, FEWEST) if 1 < len(inputs.classes) <= MOST else f"there are not 2 to {MOST} classes"

    def compute(self, inputs: Inputs) -> dict[str, Score]:
        return {**self._precision(inputs), **self._copied(inputs)}

    def baselines(self, inputs: Inputs) -> dict[str, dict[str, Score]]:
        """The reference score is that of training images; of these all are copies."""
        return {"reference": {**self._precision(inputs.reference), "class-copied": Score(0.0, "nothing is copied")}}

    def _precision(self, inputs: Inputs) -> dict[str, Score]:
        of = [one for one in _classes(inputs) if len(one.real) >= max(FEWEST_OF_CLASS, self.k + 1)]
        found = {one.name: precision(one.real, one.fake, self.k) for one in of}
        counts = {one.name: len(one.fake) for one in of}
        return _worst("class-precision", found, counts, "share of samples within the reals of their class", "higher")

    def _copied(self, inputs: Inputs) -> dict[str, Score]:
        of = [one for one in _classes(inputs) if len(one.train) > 1]
        near = [(ratios(nearest(one.real, one.train)[0]), ratios(nearest(one.fake, one.train)[0])) for one in of]
        held = np.concatenate([reals for reals, _ in near]) if near else np.zeros(0)
        if not len(held):
            return {}
        threshold = copied_share(held, held).threshold
        found = {one.name: float((fakes < threshold).mean()) for one, (_, fakes) in zip(of, near, strict=True)}
        counts = {one.name: len(one.fake) for one in of}
        return _worst(
            "class-copied", found, counts, "share of samples that repeat a training image of their class", "lower"
        )


def _classes(inputs: Inputs) -> Iterator[OfClass]:
    """The classes of which there are samples."""
    sets = [(of.labels, of.features) for of in (inputs.real, inputs.fake, inputs.train)]
    for k, name in enumerate(inputs.classes):
        real, fake, train = (x[labels == k] for labels, x in sets)
        if len(fake):
            yield OfClass(name, real, fake, train)


def _worst(
    score: str, found: Mapping[str, float], counts: Mapping[str, int], meaning: str, better: str
) -> dict[str, Score]:
    """The score of the worst class, with those of all in its detail."""
    if not found:
        return {}
    name = (min if better == "higher" else max)(found, key=lambda key: found[key])
    errors = {key: binomial(value, counts[key]) for key, value in found.items()}
    warnings = {
        key: f"class {key}: {value:.0%} of its samples repeat a training image"
        for key, value in found.items()
        if better == "lower" and value - 2 * errors[key] > COPIED
    }
    whole = f"{meaning}; worst class: {name}"
    return {
        score: Score(
            found[name], whole, better, errors[name], "binomial", detail=found, alarm=bool(warnings),  # type: ignore[arg-type]
            warnings=warnings,
        )
    }  # fmt: skip
