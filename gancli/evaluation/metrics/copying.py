"""Statistics of copying: nearest training images of samples against those of held-out reals.

C_T (2004.05675): within cells of the training data, a Mann-Whitney test of whether samples are nearer to the training images than held-out
reals are. The nearest training image is searched for in all training data (the published code: within the cell), which is never
farther, for reals and samples alike. AuthPct (2102.08921, eq. 7): the share of samples farther from their nearest training image
than that is from its own nearest. Copies: samples much nearer to one training image than to any other (the ratio of Lowe 2004 and,
for generated images, 2301.13188), tested against held-out reals.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gancli.core.errors import DataError
from gancli.evaluation.metrics.resampling import binomial

TAILS = (0.005, 0.01, 0.025, 0.05)  # shares of the pooled set in which copies would gather
FEWEST = 8  # images in a tail


def mann_whitney_z(held: np.ndarray, fake: np.ndarray) -> float:
    """Z of the U test that fake distances [m] exceed held-out ones [n] by chance; below 0: the fakes are nearer.

    U counts pairs (fake, held) with the fake farther, ties as half; Z = (U - nm/2) / sqrt(nm(n + m + 1) / 12).
    """
    n, m = len(held), len(fake)
    every = np.sort(held)
    u = (np.searchsorted(every, fake, "left").sum() + np.searchsorted(every, fake, "right").sum()) / 2
    return float((u - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12))


def three_sample_test(
    held: np.ndarray, fake: np.ndarray, held_cells: np.ndarray, fake_cells: np.ndarray, fewest: int = 20
) -> tuple[float, float]:
    """C_T and its standard deviation where nothing is copied.

    C_T = sum_c P(c) Z_c / sum_c P(c) over the cells with at least `fewest` held-out reals and samples, P(c) the share of
    held-out reals in the cell; distances [n] and [m], cells [n] and [m]. One cell of all, if none has enough. Raises DataError for
    distances that are not finite.
    """
    if not (np.isfinite(held).all() and np.isfinite(fake).all()):
        raise DataError("distances to training data are not finite", "check the features")
    weights, zs = [], []
    for c in np.unique(held_cells):
        p, q = held[held_cells == c], fake[fake_cells == c]
        if min(len(p), len(q)) >= fewest:
            weights.append(len(p))
            zs.append(mann_whitney_z(p, q))
    if not weights:
        return mann_whitney_z(held, fake), 1.0
    w = np.array(weights) / np.sum(weights)
    return float(w @ np.array(zs)), float(np.sqrt(np.square(w).sum()))


def authentic_share(to_nearest: np.ndarray, of_nearest: np.ndarray) -> float:
    """Share of samples whose distance to the nearest training image [m] exceeds that image's to its own nearest [m]."""
    return float((to_nearest > of_nearest).mean())


def ratios(distances: np.ndarray) -> np.ndarray:
    """distances [N, 2] to the nearest and second nearest training image -> nearest / second, [N]; 0 for an exact copy."""
    first, second = distances[:, 0], distances[:, 1]
    out: np.ndarray = np.divide(first, second, out=np.zeros(len(first)), where=first > 0)
    return out


def hypergeometric(total: int, marked: int, drawn: int) -> np.ndarray:
    """P(X = 0 .. drawn), X the number of marked ones among `drawn` of `total`, `marked` of which are."""

    def log_choose(n: int, k: int) -> float:
        return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)

    out = np.zeros(drawn + 1)
    base = log_choose(total, drawn)
    for x in range(max(0, drawn - (total - marked)), min(drawn, marked) + 1):
        out[x] = math.exp(log_choose(marked, x) + log_choose(total - marked, drawn - x) - base)
    return out


def tail_probability(in_tail: np.ndarray, is_fake: np.ndarray, cells: np.ndarray) -> float:
    """P of so many fakes or more in the tail, if within each cell the fakes are a random choice: exact; all are [n + m]."""
    chances = np.ones(1)
    for c in np.unique(cells[in_tail]):
        here = cells == c
        drawn = int((in_tail & here).sum())
        chances = np.convolve(chances, hypergeometric(int(here.sum()), int((is_fake & here).sum()), drawn))
    return float(min(1.0, chances[int((in_tail & is_fake).sum()) :].sum()))


def copy_test(
    held: np.ndarray, fake: np.ndarray, held_cells: np.ndarray | None = None, fake_cells: np.ndarray | None = None
) -> float:
    """Probability, at most, that so many of the smallest ratios are the fakes', if they are as the held-out reals'.

    held [n] and fake [m] are ratios. Several sizes of the tail are tried, and the smallest probability is multiplied by their
    number (Bonferroni); ties count for the held-out reals. With cells [n] and [m] (classes), fakes are compared with the
    held-out reals of their own cell: one class too many is no copying.
    """
    n, m = len(held), len(fake)
    is_fake = np.arange(n + m) >= n
    order = np.lexsort((is_fake, np.r_[held, fake]))
    cells = np.zeros(n + m, int) if held_cells is None or fake_cells is None else np.r_[held_cells, fake_cells]
    sizes = sorted({min(n + m, max(FEWEST, math.ceil(t * (n + m)))) for t in TAILS})
    found = []
    for k in sizes:
        in_tail = np.zeros(n + m, np.bool_)
        in_tail[order[:k]] = True
        found.append(tail_probability(in_tail, is_fake, cells))
    return min(1.0, min(found) * len(sizes))


@dataclass(frozen=True)
class Copies:
    """How many samples are copies, as far as held-out reals let one tell."""

    share: float
    error: float
    threshold: float  # ratio below which a sample looks like a copy


def copied_share(held: np.ndarray, fake: np.ndarray, quantile: float = 0.01) -> Copies:
    """The excess of fakes whose ratio is below the held-out reals' 1 % quantile: (F_fake - F_held) / (1 - F_held), at least 0."""
    threshold = float(np.quantile(held, quantile))
    f, h = float((fake < threshold).mean()), float((held < threshold).mean())
    error = math.hypot(binomial(f, len(fake)), binomial(h, len(held))) / (1 - h)
    return Copies(max(0.0, (f - h) / (1 - h)), error, threshold)
