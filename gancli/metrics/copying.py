"""Statistics of copying: nearest training images of samples against those of held-out reals.

C_T (2004.05675): within cells of the training data, a Mann-Whitney test of whether samples are nearer to the training images than held-out
reals are. AuthPct (2102.08921, eq. 7): the share of samples farther from their nearest training image than that is from its own
nearest. Copies: samples much nearer to one training image than to any other (the ratio of Lowe 2004 and, for generated images,
2301.13188), tested against held-out reals.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

TAILS = (0.005, 0.01, 0.025, 0.05, 0.1)  # shares of the pooled set in which copies would gather
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
    held-out reals in the cell; distances [n] and [m], cells [n] and [m]. One cell of all, if none has enough.
    """
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


def hypergeometric_tail(found: int, total: int, marked: int, drawn: int) -> float:
    """P(X >= found), X the number of marked ones among `drawn` of `total`, `marked` of which are."""

    def log_choose(n: int, k: int) -> float:
        return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)

    low, high = max(found, drawn - (total - marked), 0), min(drawn, marked)
    base = log_choose(total, drawn)
    terms = [
        math.exp(log_choose(marked, x) + log_choose(total - marked, drawn - x) - base) for x in range(low, high + 1)
    ]
    return min(1.0, math.fsum(terms))


def copy_test(held: np.ndarray, fake: np.ndarray) -> float:
    """Probability, at most, that so many of the smallest ratios are the fakes', if they are as the held-out reals'.

    held [n] and fake [m] are ratios. Exact hypergeometric tails for several sizes of the tail, times their number (Bonferroni);
    ties count for the held-out reals.
    """
    n, m = len(held), len(fake)
    order = np.lexsort((np.r_[np.zeros(n), np.ones(m)], np.r_[held, fake]))
    is_fake = order >= n
    sizes = sorted({min(n + m, max(FEWEST, math.ceil(t * (n + m)))) for t in TAILS})
    best = min(hypergeometric_tail(int(is_fake[:k].sum()), n + m, m, k) for k in sizes)
    return min(1.0, best * len(sizes))


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
    error = math.sqrt(f * (1 - f) / len(fake) + h * (1 - h) / len(held)) / (1 - h)
    return Copies(max(0.0, (f - h) / (1 - h)), error, threshold)
