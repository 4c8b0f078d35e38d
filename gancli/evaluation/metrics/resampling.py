"""Standard errors, the same every time: the delete-a-group jackknife (Kott 2001, J. Official Statistics 17).

    se^2 = (G - 1) / G * sum_g (theta_(g) - mean theta)^2

where theta_(g) leaves the g-th group out on both sides. Groups are a fixed shuffle of the samples, for the order of these may say
their class. It counts the first-order and the second-order part of a statistic's spread, so that it is honest (somewhat
cautious) also where the two sets have the same distribution.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

GROUPS = 10
HOW = f"jackknife over {GROUPS} groups"


def groups_of(n: int, groups: int = GROUPS) -> np.ndarray:
    """Group [N] of each sample: groups of nearly equal size, shuffled in a way that depends on n alone."""
    return np.random.Generator(np.random.PCG64(n)).permutation(n) % groups


def jackknife(without: Callable[[int], float], n: int, groups: int = GROUPS) -> float | None:
    """Standard error of a statistic of n samples; `without(g)` is its value with the g-th group left out.

    None for fewer than two samples a group.
    """
    if n < 2 * groups:
        return None
    values = np.array([without(g) for g in range(groups)])
    return float(np.sqrt((groups - 1) / groups * np.square(values - values.mean()).sum()))


def binomial(share: float, n: int) -> float:
    """Standard error of a share of n, taken at (k + 1/2) / (n + 1): none of n is no proof of never."""
    p = (share * n + 0.5) / (n + 1)
    return float(np.sqrt(p * (1 - p) / n))


def standard_error(values: np.ndarray) -> float:
    """Standard error of the mean of independent values [N]."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")
