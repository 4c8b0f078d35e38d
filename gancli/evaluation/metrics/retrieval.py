"""Retrieval: the share of outputs whose own input is the nearest of all inputs, by edges: does the output belong to its input?

Edges are gradients' magnitudes of the luma, averaged over a 16x16 grid, without their mean, of norm 1. The reference is that of the
real pairs, where they are known.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from gancli.core.images import PairSamples
from gancli.core.samples import Samples
from gancli.evaluation.contracts import Inputs, Metric, SampleSet, Score, too_few
from gancli.evaluation.metrics.resampling import binomial

LUMA = (0.299, 0.587, 0.114)
GRID = 16
MOST = 500  # inputs that are compared
FEWEST = 20
CHANCES = 3  # times the rate of chance, below which the input is ignored


def luma(images: np.ndarray) -> np.ndarray:
    """uint8 [n, C, H, W] -> float64 [n, H, W]."""
    x = images.astype(np.float64)
    return np.tensordot(x, LUMA, (1, 0)) if x.shape[1] == 3 else x.mean(1)


def edges(images: np.ndarray) -> np.ndarray:
    """Edges of images uint8 [n, C, H, W], unit vectors float64 [n, d]."""
    y = luma(images)
    dy, dx = np.gradient(y, axis=(1, 2))
    magnitude = np.hypot(dy, dx)
    h, w = (min(GRID, s) for s in magnitude.shape[1:])
    rows = np.array_split(magnitude, h, axis=1)
    pooled = np.stack([[part.mean((1, 2)) for part in np.array_split(row, w, axis=2)] for row in rows])
    flat = pooled.reshape(h * w, -1).T
    flat = flat - flat.mean(1, keepdims=True)
    return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12))


def of_outputs(samples: PairSamples) -> np.ndarray:
    """Edges of the outputs."""
    return edges(samples.images)


def of_inputs(samples: PairSamples) -> np.ndarray:
    """Edges of the inputs."""
    return edges(samples.inputs)


def rate(samples: SampleSet[PairSamples]) -> float:
    """The share of outputs whose nearest input is their own."""
    a, b = (samples.view(of)[:MOST] for of in (of_outputs, of_inputs))
    return float(((a @ b.T).argmax(1) == np.arange(len(a))).mean())


class Retrieval(Metric):
    name = "retrieval"
    accepts: ClassVar[type[Samples]] = PairSamples
    reference: ClassVar[Literal["real", "paired", "none"]] = "none"
    gives = ("retrieval",)
    space = "pixels"
    rank = 8

    def objection(self, inputs: Inputs) -> str:
        return too_few(inputs, FEWEST)

    def compute(self, inputs: Inputs) -> dict[str, Score]:
        value, n = rate(inputs.fake), min(MOST, len(inputs.fake))
        ignored = value < CHANCES / n
        remedy = ": the input is ignored  ->  a higher task.lambda_l1 or task.lambda_nce" if ignored else ""
        meaning = f"outputs whose own input is the nearest by edges; chance: {1 / n:.3g}{remedy}"
        return {"retrieval": Score(value, meaning, "higher", binomial(value, n), "binomial", alarm=ignored)}

    def baselines(self, inputs: Inputs) -> dict[str, dict[str, Score]]:
        if not issubclass(inputs.real.kind, PairSamples):
            return {}
        return {"reference": {"retrieval": Score(rate(inputs.real), "the real pairs", "higher")}}
