"""How many real images new ones are worth: coverage of held-out images of their class.

Coverage (2002.09797, eq. 6): the share of held-out images, within whose distance to their k-th neighbor among the held-out images lies
at least one of the images in question, in the features of a classifier. Half of the held-out images are those that are to be covered; the
others stand for further real images: n of them, drawn without replacement, cover on average

    1 - mean_i C(m - b_i, n) / C(m, n),

where m is their number and b_i of them lie in the ball of image i. The effective number of a set is the n at which this equals
its coverage: near-copies of twenty images are worth about twenty, however many there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import lgamma

import numpy as np

from gancli.evaluation.metrics.distances import centered, neighbours, squared

K = 5  # the neighbor that a ball reaches to
FEWEST = 20  # held-out images


@dataclass(frozen=True)
class Worth:
    """Coverage of held-out images by some images, and by how many real ones it is reached on average."""

    coverage: float
    effective: float  # at most `limit`
    limit: int  # held-out images that stand for further real ones


def worth(held: np.ndarray, images: np.ndarray, k: int = K) -> Worth | None:
    """The coverage and effective number of a set of images.

    Args:
        held: features of real images of the class that were not trained on, [N, d].
        images: features of the images, [M, d].
        k: the neighbor that a ball reaches to.

    Returns:
        None if there are fewer than 20 held-out images.
    """
    if len(held) < FEWEST:
        return None
    anchors, others = held[::2], held[1::2]
    radii = neighbours(anchors, k)[:, -1] ** 2
    inside = (_squared(anchors, others) <= radii[:, None]).sum(1)
    covered = float((_squared(anchors, images).min(1) <= radii).mean()) if len(images) else 0.0
    m = len(others)
    curve = np.array([expected(inside, m, n) for n in range(m + 1)])
    at = int(np.searchsorted(curve, covered))
    if at > m:
        return Worth(covered, float(m), m)
    below = curve[at - 1] if at else 0.0
    part = 0.0 if at == 0 else (covered - below) / max(curve[at] - below, 1e-12)
    return Worth(covered, max(0.0, float(at - 1 + part)) if at else 0.0, m)


def expected(inside: np.ndarray, m: int, n: int) -> float:
    """The mean coverage by n of m images, of which `inside` [N] lie in each ball."""
    values, counts = np.unique(inside, return_counts=True)
    missed = [0.0 if n > m - b else np.exp(_log_choose(m - b, n) - _log_choose(m, n)) for b in values.tolist()]
    return float(1 - np.dot(missed, counts) / counts.sum())


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)


def _squared(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    a, b = centered(x, y)
    return np.asarray(squared(a, b).numpy())
