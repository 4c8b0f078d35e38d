"""Scores of raw features, one function each: for researchers with features of their own.

    from gancli.evaluation import fid, kid
    fid(real, fake)                # arrays, tensors or lists, [N, d] and [M, d]
    value, error = kid(real, fake)

All functions refuse NaN, infinite values and shapes that do not fit (DataError). They are those that `gan evaluate` uses, so that the
numbers are the same. `evaluate_features` computes all of them at once, with a protocol.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gancli.core.seeds import derive
from gancli.evaluation import raw
from gancli.evaluation.metrics import copying
from gancli.evaluation.metrics import fid_inf as infinity
from gancli.evaluation.metrics.density_coverage import density_coverage
from gancli.evaluation.metrics.distances import nearest
from gancli.evaluation.metrics.fid import fid
from gancli.evaluation.metrics.fld import fld
from gancli.evaluation.metrics.inception_score import inception_score
from gancli.evaluation.metrics.kid import discrepancy, jackknife_error, row_sums
from gancli.evaluation.metrics.kmeans import assign, kmeans
from gancli.evaluation.metrics.prc import precision_recall

__all__ = [
    "auth_pct",
    "c_t",
    "density_coverage",
    "fid",
    "fid_infinity",
    "fld",
    "inception_score",
    "kid",
    "precision_recall",
]


def kid(real: Any, fake: Any) -> tuple[float, float | None]:
    """KID (1801.01401), the unbiased estimator over all pairs.

    Args:
        real: features [N, d].
        fake: features [M, d].

    Returns:
        The value, and its standard error (jackknife over all samples; None for fewer than three).

    Raises:
        DataError: fewer than two samples, or the features do not fit.
    """
    sums = row_sums(*raw.pair(real, fake))
    return discrepancy(sums), jackknife_error(sums)


def fid_infinity(
    real: Any, fake: Any, points: int = 15, first: float = 0.5, shrink: infinity.Shrink = "both", seed: int = 0
) -> float:
    """FID extrapolated to infinitely many samples (1911.07023).

    Args:
        real: features [N, d].
        fake: features [M, d].
        points: sizes at which FID is computed.
        first: the smallest size, as a share of all.
        shrink: which side is cut down: "both", or "fake" only, as in the paper.
        seed: of the order in which samples are taken.

    Returns:
        The value.

    Raises:
        DataError: too few samples, or the features do not fit.
    """
    sets = []
    for x, name in zip(raw.pair(real, fake), ("real", "fake"), strict=True):
        random = np.random.Generator(np.random.PCG64(derive(seed, "fid-inf", name)))
        sets.append(x[random.permutation(len(x))])
    sizes = infinity.spread_sizes(len(sets[1]), points, first)
    return infinity.fid_infinity(sets[0], sets[1], sizes, shrink)


def c_t(train: Any, test: Any, fake: Any, cells: int = 20, seed: int = 0) -> tuple[float, float]:
    """C_T (2004.05675): are samples nearer to the training data than test data are?

    Args:
        train: features of the training data, [L, d].
        test: of reals that were not trained on, [N, d].
        fake: of the samples, [M, d].
        cells: cells at most; fewer where one would hold less than 100 samples.
        seed: of the cells.

    Returns:
        The z-score (far below 0: copies), and its standard deviation if nothing is copied.

    Raises:
        DataError: too few samples, or the features do not fit.
    """
    x, y = raw.pair(train, fake)
    _, z = raw.pair(train, test)
    k = max(1, min(cells, min(len(z), len(y)) // 100))
    centers = kmeans(x, k, seed)
    held, made = (nearest(side, x, 1)[0][:, 0] for side in (z, y))
    return copying.three_sample_test(held, made, assign(z, centers), assign(y, centers))


def auth_pct(train: Any, fake: Any) -> float:
    """AuthPct (2102.08921, equation 7): the percentage of samples that stand apart from the training data.

    Args:
        train: features of the training data, [L, d].
        fake: of the samples, [M, d].

    Returns:
        The percentage. The nearest training datum of such a sample is farther from it than from its own nearest.

    Raises:
        DataError: fewer than two training data, or the features do not fit.
    """
    x, y = raw.pair(train, fake)
    distances, indices = nearest(y, x, 1)
    unique, back = np.unique(indices[:, 0], return_inverse=True)
    own, which = nearest(x[unique], x, 2)
    apart = np.where(which[:, 0] == unique, own[:, 1], own[:, 0])
    return 100 * copying.authentic_share(distances[:, 0], apart[back])
