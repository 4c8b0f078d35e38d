"""FID (1706.08500): the Frechet distance of two Gaussians that have the features' means and covariances.

    FID = |mu - nu|^2 + tr(S) + tr(T) - 2 tr((S^1/2 T S^1/2)^1/2)

(S^1/2 T S^1/2)^1/2 has the singular values of S^1/2 T^1/2, and square roots come from eigendecompositions of symmetric
matrices: as well behaved for N < d (singular S) as otherwise. Statistics are taken in float64 after the mean is removed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gancli.core.errors import DataError
from gancli.evaluation import raw
from gancli.evaluation.contracts import Inputs, Metric, Score, need, too_few
from gancli.evaluation.metrics.resampling import GROUPS, HOW, groups_of, jackknife

JACKKNIFE_WIDTH = 512  # beyond this many features, the analytic error is used: the jackknife takes ten more distances


@dataclass(frozen=True)
class Gaussian:
    """Mean [d] and unbiased covariance [d, d] of N features."""

    mean: np.ndarray
    covariance: np.ndarray


def statistics(features: np.ndarray) -> Gaussian:
    """features [N, d] -> Gaussian, float64. Raises DataError for fewer than two samples or values that are not finite."""
    need(len(features), 2, "FID")
    x = features.astype(np.float64)
    if not np.isfinite(x).all():
        raise DataError("FID: features are not finite")
    mean = x.mean(0)
    x -= mean
    correction = x.mean(0)  # what float64 left of the mean
    x -= correction
    return Gaussian(mean + correction, x.T @ x / (len(x) - 1))


def root(matrix: np.ndarray) -> np.ndarray:
    """The square root [d, d] of a symmetric matrix; eigenvalues that are rounding count as zero."""
    values, vectors = np.linalg.eigh(matrix)
    noise = len(values) * np.finfo(np.float64).eps * max(values[-1], 0.0)
    out: np.ndarray = (vectors * np.sqrt(np.where(values > noise, values, 0.0))) @ vectors.T
    return out


def frechet(a: Gaussian, b: Gaussian, root_a: np.ndarray | None = None) -> float:
    """FID of two Gaussians. `root_a` is the root of a's covariance, if it is known.

    The cross term is the sum of the singular values of S^1/2 T^1/2, which does not take roots of rounding errors.
    """
    half = root(a.covariance) if root_a is None else root_a
    cross = np.linalg.svd(half @ root(b.covariance), compute_uv=False).sum()
    gap = a.mean - b.mean
    return float(gap @ gap + np.trace(a.covariance) + np.trace(b.covariance) - 2 * cross)


def fid(real: np.ndarray, fake: np.ndarray) -> float:
    """FID of raw features [N, d] and [M, d]. Raises DataError for fewer than two of either, or bad numbers."""
    a, b = raw.pair(real, fake)
    return frechet(statistics(a), statistics(b))


@dataclass(frozen=True)
class Sums:
    """Sufficient statistics of groups of features: what leaves a group out in O(d^2)."""

    counts: np.ndarray  # [G]
    sums: np.ndarray  # [G, d], of features minus `middle`
    products: np.ndarray  # [G, d, d]
    middle: np.ndarray  # [d]

    def over(self, groups: np.ndarray) -> Gaussian:
        """The Gaussian of some groups' samples."""
        n = self.counts[groups].sum()
        mean = self.sums[groups].sum(0) / n
        scatter = self.products[groups].sum(0) - n * np.outer(mean, mean)
        return Gaussian(self.middle + mean, scatter / (n - 1))

    def without(self, group: int) -> Gaussian:
        return self.over(np.arange(len(self.counts)) != group)


def grouped(features: np.ndarray, group: np.ndarray, groups: int) -> Sums:
    """features [N, d], group [N] in 0 .. groups - 1 -> Sums."""
    middle = features.mean(0)
    parts = [features[group == g] - middle for g in range(groups)]
    return Sums(
        np.array([len(p) for p in parts]),
        np.stack([p.sum(0) for p in parts]),
        np.stack([p.T @ p for p in parts]),
        middle,
    )


def jackknife_error(real: np.ndarray, fake: np.ndarray) -> float | None:
    """Standard error of FID, both sides' groups left out together; None where there are too few samples."""
    a, b = (grouped(s, groups_of(len(s)), GROUPS) for s in (real, fake))
    return jackknife(lambda g: frechet(a.without(g), b.without(g)), min(len(real), len(fake)))


def influence_error(real: np.ndarray, fake: np.ndarray) -> float:
    """Standard error of FID by the delta method: the spread of its influence function over both sets.

    FID's derivative in a covariance T is I - A with A = S^1/2 (S^1/2 T S^1/2)^-1/2 S^1/2 (the transport map's matrix).
    """
    a, b = statistics(real), statistics(fake)

    def share(here: Gaussian, there: Gaussian, x: np.ndarray) -> float:
        half = root(there.covariance)
        values, vectors = np.linalg.eigh(half @ here.covariance @ half)
        keep = values > values.max(initial=0) * 1e-10
        inverse = (vectors[:, keep] / np.sqrt(values[keep])) @ vectors[:, keep].T
        slope = np.eye(len(half)) - half @ inverse @ half
        y = x - here.mean
        influence = 2 * y @ (here.mean - there.mean) + np.einsum("nd,nd->n", y @ slope, y)
        return float(influence.var() / len(x))

    return float(np.sqrt(share(b, a, fake) + share(a, b, real)))


def error(real: np.ndarray, fake: np.ndarray) -> tuple[float | None, str]:
    """Standard error of FID, and how it is had; None where there are too few samples."""
    if real.shape[1] <= JACKKNIFE_WIDTH:
        return jackknife_error(real, fake), HOW
    enough = min(len(real), len(fake)) >= 2 * GROUPS
    return influence_error(real, fake) if enough else None, "analytic (delta method)"


class FID(Metric):
    name = "fid"
    gives = ("fid",)
    rank = 10
    headlines = gives
    scores_baselines = True

    def objection(self, inputs: Inputs) -> str:
        return too_few(inputs, 2)

    def compute(self, inputs: Inputs) -> dict[str, Score]:
        real, fake = inputs.real.features, inputs.fake.features
        a = inputs.shared_by_reals("gaussian", lambda: statistics(real))
        half = inputs.shared_by_reals("gaussian root", lambda: root(a.covariance))
        value = frechet(a, statistics(fake), half)
        spread, how = error(real, fake)
        meaning = "distance of the two sets' features, as Gaussians"
        return {"fid": Score(value, meaning, "lower", spread, how)}
