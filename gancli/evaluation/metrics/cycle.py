"""Cycle and identity L1 (1703.10593, equations 2 and section 5.2): |F(G(x)) - x| and |F(x) - x|, 0 to 255, for inputs x.

The identity mapping is that of the inverse, whose output domain x belongs to.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from gancli.core.images import CycleSamples
from gancli.core.samples import Samples
from gancli.evaluation.contracts import Inputs, Metric, Score
from gancli.evaluation.metrics.resampling import standard_error


def difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The mean absolute difference of images uint8 [n, C, H, W], [n]."""
    return np.asarray(np.abs(a.astype(np.int16) - b).mean((1, 2, 3)))


def of_cycle(samples: CycleSamples) -> np.ndarray:
    """|F(G(x)) - x|, [n]."""
    return difference(samples.cycles, samples.inputs)


def of_identity(samples: CycleSamples) -> np.ndarray:
    """|F(x) - x|, [n]; not a number where channels differ."""
    if samples.identities is None:
        return np.full(len(samples), np.nan)
    return difference(samples.identities, samples.inputs)


class Cycle(Metric):
    name = "cycle"
    accepts: ClassVar[type[Samples]] = CycleSamples
    reference: ClassVar[Literal["real", "paired", "none"]] = "none"
    gives = ("cycle-l1", "identity-l1")
    space = "pixels"
    rank = 6

    def compute(self, inputs: Inputs) -> dict[str, Score]:
        out = {}
        for key, of, what in (
            ("cycle-l1", of_cycle, "inputs mapped there and back against the inputs"),
            ("identity-l1", of_identity, "inputs mapped by the inverse alone against the inputs"),
        ):
            values = inputs.fake.view(of)
            if np.isfinite(values).all():
                error = standard_error(values)
                out[key] = Score(float(values.mean()), f"{what}, 0 to 255", "lower", error, "over samples")
        return out

    def baselines(self, inputs: Inputs) -> dict[str, dict[str, Score]]:  # noqa: ARG002
        return {}
