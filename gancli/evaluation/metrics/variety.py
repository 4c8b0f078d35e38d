"""Variety of outputs: over inputs, in features; and over the noise, for the same input, in pixels.

Over inputs it is the mean distance of the features of two outputs, over that of two images of the output domain.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from gancli.core.images import ManySamples, PairSamples
from gancli.core.samples import Samples
from gancli.evaluation.contracts import Inputs, Metric, Score, too_few
from gancli.evaluation.metrics.cycle import difference

LEAST = 0.3  # of the variety of the output domain
LEAST_OVER_NOISE = 1.0  # of 255
MOST = 1000  # outputs that are compared


def mean_distance(features: np.ndarray) -> float:
    """The mean Euclidean distance of two of the features [n, d]."""
    x = features[:MOST]
    squares = np.square(x).sum(1)
    apart = np.sqrt(np.maximum(squares[:, None] + squares - 2 * x @ x.T, 0))
    return float(apart.sum() / (len(x) * (len(x) - 1)))


def over_noise(samples: ManySamples) -> np.ndarray:
    """The mean absolute difference of two outputs for the same input, [n]."""
    return difference(samples.images, samples.others)


class Variety(Metric):
    name = "variety"
    accepts: ClassVar[type[Samples]] = PairSamples
    gives = ("variety", "variety-z@pixels")
    space = "both"
    rank = 10

    def objection(self, inputs: Inputs) -> str:
        if not issubclass(inputs.fake.kind, PairSamples):
            return "there are no inputs"
        return too_few(inputs, 2)

    def compute(self, inputs: Inputs) -> dict[str, Score]:
        value = mean_distance(inputs.fake.features) / max(mean_distance(inputs.real.features), 1e-12)
        alike = value < LEAST
        remedy = ": outputs are alike  ->  train longer, or with another --seed" if alike else ""
        meaning = f"mean distance of outputs for different inputs, over that of the output domain{remedy}"
        out = {"variety": Score(value, meaning, "reference", alarm=alike)}
        if issubclass(inputs.fake.kind, ManySamples):
            apart = float(inputs.fake.view(over_noise).mean())
            ignored = apart < LEAST_OVER_NOISE
            remedy = (
                ": the noise is ignored  ->  train with --set task.lambda_modes=1 --set task.lambda_l1=10"
                if ignored
                else ""
            )
            meaning = f"mean difference of two outputs for the same input, 0 to 255{remedy}"
            out["variety-z@pixels"] = Score(apart, meaning, "higher", alarm=ignored)
        return out

    def baselines(self, inputs: Inputs) -> dict[str, dict[str, Score]]:  # noqa: ARG002
        return {"reference": {"variety": Score(1.0, "the output domain itself", "reference")}}
