"""KID (1801.01401): the squared maximum mean discrepancy of the features under the kernel k(x, y) = (x.y / d + 1)^3.

The unbiased estimator over all pairs,

    KID = sum_{i != j} k(x_i, x_j) / n(n-1) + sum_{i != j} k(y_i, y_j) / m(m-1) - 2 sum_{ij} k(x_i, y_j) / nm

and not a mean over small subsets. Its standard error is the two-sample jackknife, leaving each sample out in turn; row sums of the
kernel give all n + m values in closed form. The value may lie slightly below zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gancli.evaluation import raw
from gancli.evaluation.contracts import Inputs, Metric, Score, need, too_few
from gancli.evaluation.metrics.distances import blocks


def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """k [n, m] of x [n, d] and y [m, d]."""
    k = x @ y.T
    k /= x.shape[1]
    k += 1
    out: np.ndarray = k * k * k
    return out


def rows_within(x: np.ndarray) -> np.ndarray:
    """sum_{j != i} k(x_i, x_j), [n]."""
    own = (np.square(x).sum(1) / x.shape[1] + 1) ** 3
    out: np.ndarray = np.concatenate([kernel(x[r], x).sum(1) for r in blocks(len(x), len(x))]) - own
    return out


def rows_between(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(sum_j k(x_i, y_j) [n], sum_i k(x_i, y_j) [m])."""
    left, right = [], np.zeros(len(y))
    for r in blocks(len(x), len(y)):
        k = kernel(x[r], y)
        left.append(k.sum(1))
        right += k.sum(0)
    return np.concatenate(left), right


@dataclass(frozen=True)
class RowSums:
    """All that KID and its error need."""

    real: np.ndarray  # [n], within the reals
    fake: np.ndarray  # [m], within the fakes
    real_fake: np.ndarray  # [n], of a real over the fakes
    fake_real: np.ndarray  # [m], of a fake over the reals


def row_sums(real: np.ndarray, fake: np.ndarray) -> RowSums:
    """float64 features [n, d], [m, d] -> RowSums."""
    return RowSums(rows_within(real), rows_within(fake), *rows_between(real, fake))


def discrepancy(sums: RowSums) -> float:
    """KID. Raises DataError for fewer than two samples."""
    n, m = len(sums.real), len(sums.fake)
    need(min(n, m), 2, "KID")
    within = sums.real.sum() / (n * (n - 1)) + sums.fake.sum() / (m * (m - 1))
    return float(within - 2 * sums.real_fake.sum() / (n * m))


def jackknife_error(sums: RowSums) -> float | None:
    """The standard error of KID; None for fewer than three samples."""
    n, m = len(sums.real), len(sums.fake)
    if min(n, m) < 3:
        return None
    cross = sums.real_fake.sum()

    def variance(rows: np.ndarray, between: np.ndarray, here: int, there: int) -> float:
        within = (rows.sum() - 2 * rows) / ((here - 1) * (here - 2))
        left_out = within - 2 * (cross - between) / ((here - 1) * there)
        return float((here - 1) / here * np.square(left_out - left_out.mean()).sum())

    return float(
        np.sqrt(variance(sums.real, sums.real_fake, n, m) + variance(sums.fake, sums.fake_real, m, n)),
    )


def kid(real: np.ndarray, fake: np.ndarray) -> float:
    """KID of raw features [n, d] and [m, d]. Raises DataError for fewer than two of either, or bad numbers."""
    return discrepancy(row_sums(*raw.pair(real, fake)))


class KID(Metric):
    name = "kid"
    gives = ("kid",)
    rank = 30
    headlines = gives
    scores_baselines = True

    def objection(self, inputs: Inputs) -> str:
        return too_few(inputs, 2)

    def compute(self, inputs: Inputs) -> dict[str, Score]:
        real, fake = inputs.real.features, inputs.fake.features
        own = inputs.shared_by_reals("kernel rows", lambda: rows_within(real))
        sums = RowSums(own, rows_within(fake), *rows_between(real, fake))
        meaning = "distance of the two sets, unbiased: 0 if alike"
        return {"kid": Score(discrepancy(sums), meaning, "lower", jackknife_error(sums), "jackknife over all samples")}
