"""The label asked for is the class seen: the share of samples that the features' classifier gives the label they were asked for.

The classifier errs, too: the reference score is its accuracy on as many training images. (Known as classification accuracy of
conditional samples, as in AC-GAN, 1610.09585, section 4.2, which has it of a net trained on the data.)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gancli.evaluation.contracts import Inputs, Metric, Score
from gancli.evaluation.metrics.resampling import binomial


def agreement(asked: np.ndarray, seen: np.ndarray) -> float:
    """The share of [N] that is equal."""
    return float((asked == seen).mean())


def by_class(asked: np.ndarray, seen: np.ndarray, names: Sequence[str]) -> dict[str, float]:
    """The agreement within each class that was asked for, by its name; asked and seen are [N]."""
    return {name: agreement(asked[asked == k], seen[asked == k]) for k, name in enumerate(names) if (asked == k).any()}


class LabelAgreement(Metric):
    name = "label-agreement"
    gives = ("label-agreement",)
    reference = "none"

    def objection(self, inputs: Inputs) -> str:
        if inputs.fake.labels is None:
            return "the samples were not asked for by label"
        same = tuple(inputs.columns) == tuple(inputs.classes) and len(inputs.classes) > 1
        return (
            ""
            if same and inputs.fake.classified
            else "the features do not know the data's classes (--features classifier learns them)"
        )

    def compute(self, inputs: Inputs) -> dict[str, Score]:
        asked, seen = inputs.fake.labels, inputs.fake.predicted
        assert asked is not None and seen is not None  # noqa: PT018
        share, n = agreement(asked, seen), len(asked)
        named = by_class(asked, seen, inputs.classes)
        meaning = "share of samples seen as the class asked for"
        return {"label-agreement": Score(share, meaning, "higher", binomial(share, n), "binomial", detail=named)}
