"""Inverted colors: the correlation of the luma of inputs and outputs. The reference is that of the real pairs, where they are known.

Without pairs, a translation can learn to exchange light and dark as well as not to.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from gancli.core.images import PairSamples
from gancli.core.samples import Samples
from gancli.evaluation.contracts import Inputs, Metric, Score
from gancli.evaluation.metrics.resampling import standard_error
from gancli.evaluation.metrics.retrieval import luma

CLEAR = 0.3  # correlation from which on its sign is clear


def correlation(samples: PairSamples) -> np.ndarray:
    """The correlation of the luma of input and output over pixels, [n]; 0 where one of them is constant."""
    a, b = (luma(x).reshape(len(x), -1) for x in (samples.inputs, samples.images))
    a, b = (x - x.mean(1, keepdims=True) for x in (a, b))
    return np.asarray((a * b).sum(1) / np.maximum(np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1), 1e-9))


class Inversion(Metric):
    name = "inversion"
    accepts: ClassVar[type[Samples]] = PairSamples
    reference: ClassVar[Literal["real", "paired", "none"]] = "none"
    gives = ("luma-correlation",)
    space = "pixels"
    rank = 9

    def objection(self, inputs: Inputs) -> str:
        inner = inputs.fake
        return "" if issubclass(inner.kind, PairSamples) else "there are no inputs"

    def compute(self, inputs: Inputs) -> dict[str, Score]:
        values = inputs.fake.view(correlation)
        value, real = float(values.mean()), self._real(inputs)
        inverted = value * real < 0 and min(abs(value), abs(real)) > CLEAR
        remedy = (
            ": colors are inverted  ->  train with another --seed, or a higher task.lambda_identity" if inverted else ""
        )
        meaning = f"correlation of light and dark in inputs and outputs{remedy}"
        error = standard_error(values)
        return {"luma-correlation": Score(value, meaning, "reference", error, "over samples", alarm=inverted)}

    def _real(self, inputs: Inputs) -> float:
        """That of the real pairs; where they are not known, of images that keep light and dark."""
        if not issubclass(inputs.real.kind, PairSamples):
            return 1.0
        return float(inputs.real.view(correlation).mean())

    def baselines(self, inputs: Inputs) -> dict[str, dict[str, Score]]:
        if not issubclass(inputs.real.kind, PairSamples):
            return {}
        return {"reference": {"luma-correlation": Score(self._real(inputs), "the real pairs", "reference")}}
