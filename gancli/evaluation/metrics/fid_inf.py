"""FID extrapolated to infinitely many samples (1911.07023, section 3).

FID of N samples is too high by about c / N. It is computed for several N and a straight line through (1/N, FID) is read off at
1/N = 0. The paper shrinks the fakes only, against very many reals; the test set is small, so by default both sides shrink alike.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from gancli.core.seeds import derive
from gancli.evaluation import raw
from gancli.evaluation.contracts import Inputs, Metric, Score, need, too_few
from gancli.evaluation.metrics.fid import JACKKNIFE_WIDTH, Gaussian, frechet, grouped
from gancli.evaluation.metrics.resampling import HOW, groups_of, jackknife

Shrink = Literal["both", "fake"]


def intercept(sizes: np.ndarray, values: np.ndarray) -> float:
    """Least-squares line of values [S] over 1 / sizes [S], at zero."""
    x = 1 / sizes.astype(np.float64)
    gap = x - x.mean()
    slope = (gap * (values - values.mean())).sum() / np.square(gap).sum()
    return float(values.mean() - slope * x.mean())


def prefixes(features: np.ndarray, ends: np.ndarray) -> list[Gaussian]:
    """The Gaussians of the first ends[0], ends[1], ... samples; `ends` ascends."""
    segment = np.searchsorted(ends, np.arange(len(features)), side="right")
    sums = grouped(features, segment, len(ends))  # what lies behind the last end belongs to no group
    return [sums.over(np.arange(len(ends)) <= i) for i in range(len(ends))]


def fid_infinity(real: np.ndarray, fake: np.ndarray, sizes: np.ndarray, shrink: Shrink = "fake") -> float:
    """FID at infinity of raw features [N, d] and [M, d] in random order; the first sizes[i] fakes are taken.

    With shrink="both" the reals are cut to the same share. Raises DataError for fewer than two sizes.
    """
    real, fake = raw.pair(real, fake)
    need(len(np.unique(sizes)), 2, "a straight line (over sizes of the set)")
    fakes = prefixes(fake, sizes)
    if shrink == "both":
        reals = prefixes(real, np.round(sizes * (len(real) / len(fake))).astype(int))
    else:
        reals = prefixes(real, np.array([len(real)])) * len(sizes)
    return intercept(sizes, np.array([frechet(a, b) for a, b in zip(reals, fakes, strict=True)]))


def spread_sizes(n: int, points: int, first: float) -> np.ndarray:
    """`points` sizes from first * n to n, evenly spaced."""
    return np.unique(np.linspace(first * n, n, points).round().astype(int))


class FIDInfinity(Metric):
    name = "fid-inf"
    gives = ("fid-inf",)
    rank = 20
    headlines = gives
    points: int = Field(15, ge=2, description="sizes at which FID is computed")
    first: float = Field(0.5, gt=0, lt=1, description="the smallest size, as a share of all")
    shrink: Shrink = Field("both", description="which side is cut down: both, or the fakes only (as in the paper)")

    def objection(self, inputs: Inputs) -> str:
        return too_few(inputs, 100)

    def compute(self, inputs: Inputs) -> dict[str, Score]:
        sets = []
        for side, name in ((inputs.real, "real"), (inputs.fake, "fake")):
            random = np.random.Generator(np.random.PCG64(derive(inputs.seed, "fid-inf", name)))
            sets.append(side.features[random.permutation(len(side))])
        real, fake = sets

        def value(x: np.ndarray, y: np.ndarray, points: int) -> float:
            return fid_infinity(x, y, spread_sizes(len(y), points, self.first), self.shrink)

        def without(g: int) -> float:  # five points make nearly the same line
            return value(real[groups_of(len(real)) != g], fake[groups_of(len(fake)) != g], min(5, self.points))

        cheap = real.shape[1] <= JACKKNIFE_WIDTH
        error = jackknife(without, min(len(real), len(fake))) if cheap else None
        meaning = "FID without the bias of few samples"
        return {"fid-inf": Score(value(real, fake, self.points), meaning, "lower", error, HOW if cheap else "")}
