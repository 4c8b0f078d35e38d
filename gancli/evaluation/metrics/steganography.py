"""Hidden information (1712.02950): how much noise of standard deviation 3 of 255 on the outputs harms the way back.

    |F(round(G(x)) + noise) - x| / |F(G(x)) - x|

A ratio well above 1 says that G hides the input in pixels that one does not see, so that F can read it there.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from gancli.core.images import CycleSamples
from gancli.core.samples import Samples
from gancli.evaluation.contracts import Inputs, Metric, Score
from gancli.evaluation.metrics.cycle import difference, of_cycle

MOST = 2.0  # of the ratio


def of_noisy_cycle(samples: CycleSamples) -> np.ndarray:
    """|F(round(G(x)) + noise) - x|, [n]."""
    return difference(samples.noisy_cycles, samples.inputs)


class Steganography(Metric):
    name = "steganography"
    accepts: ClassVar[type[Samples]] = CycleSamples
    reference: ClassVar[Literal["real", "paired", "none"]] = "none"
    gives = ("steganography",)
    space = "pixels"
    rank = 7

    def compute(self, inputs: Inputs) -> dict[str, Score]:
        plain, noisy = (float(inputs.fake.view(of).mean()) for of in (of_cycle, of_noisy_cycle))
        ratio = noisy / max(plain, 1e-9)
        hidden = ratio > MOST
        remedy = (
            ": the input is hidden in the output  ->  train with a lower task.lambda_cycle, or with --preset cut"
            if hidden
            else ""
        )
        meaning = f"cycle error with noise of 3 on the outputs, over that without; 1: nothing is hidden{remedy}"
        return {"steganography": Score(ratio, meaning, "lower", alarm=hidden)}

    def baselines(self, inputs: Inputs) -> dict[str, dict[str, Score]]:  # noqa: ARG002
        return {}
