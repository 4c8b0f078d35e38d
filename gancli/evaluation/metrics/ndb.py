"""NDB (1805.12462): the share of bins whose frequency among the fakes differs from that among the reals.

The bins are the Voronoi cells of k-means on training images' pixels. In each, a two-sample proportion test with pooled variance at
the level alpha; real against real gives about alpha. JSD is the Jensen-Shannon divergence of the two histograms, in nats.
"""

from __future__ import annotations

import math

import numpy as np
from pydantic import Field

from gancli.evaluation.contracts import Inputs, Metric, Score
from gancli.evaluation.metrics.class_histogram import divergence, histogram
from gancli.evaluation.metrics.kmeans import assign, kmeans
from gancli.evaluation.metrics.pixels import pixels
from gancli.evaluation.metrics.resampling import binomial


def different(real: np.ndarray, fake: np.ndarray, alpha: float = 0.05) -> np.ndarray:
    """Which bins differ, bool [K]; real and fake are counts [K]."""
    n, m = real.sum(), fake.sum()
    pooled = (real + fake) / (n + m)
    error = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    z = np.divide(real / n - fake / m, error, out=np.zeros(len(real)), where=error > 0)
    p = np.array([math.erfc(abs(v) / math.sqrt(2)) for v in z])  # two-sided
    return p < alpha


def jensen_shannon(real: np.ndarray, fake: np.ndarray) -> float:
    """JSD in nats of counts [K]."""
    p, q = real / real.sum(), fake / fake.sum()
    middle = (p + q) / 2
    return (divergence(p, middle) + divergence(q, middle)) / 2


class NDB(Metric):
    name = "ndb"
    gives = ("ndb", "ndb-jsd")
    space = "pixels"
    bins: int = Field(100, ge=2, description="bins at most; fewer where a bin would hold less than 20 images")
    alpha: float = Field(0.05, gt=0, lt=1, description="level of the test in a bin")

    def _bins(self, inputs: Inputs) -> int:
        return min(self.bins, min(len(inputs.train), len(inputs.real), len(inputs.fake)) // 20)

    def objection(self, inputs: Inputs) -> str:
        return "fewer than 40 samples or reals" if self._bins(inputs) < 2 else ""

    def compute(self, inputs: Inputs) -> dict[str, Score]:
        k = self._bins(inputs)

        def of_reals() -> tuple[np.ndarray, np.ndarray]:
            random = np.random.Generator(np.random.PCG64(inputs.seed))
            chosen = random.permutation(len(inputs.train))[:10_000]
            centres = kmeans(inputs.train.view(pixels, np.sort(chosen)), k, inputs.seed)
            return centres, histogram(assign(inputs.real.view(pixels), centres), k)

        centres, real = inputs.shared_by_reals(f"bins {k}", of_reals)
        fake = histogram(assign(inputs.fake.view(pixels), centres), k)
        share = float(different(real, fake, self.alpha).mean())
        return {
            "ndb": Score(
                share,
                f"share of {k} bins filled unlike the reals' ({self.alpha:g} is chance)",
                "lower",
                binomial(share, k),
                "binomial over the bins",
            ),
            "ndb-jsd": Score(jensen_shannon(real, fake), "how unlike the bins are filled", "lower"),
        }
