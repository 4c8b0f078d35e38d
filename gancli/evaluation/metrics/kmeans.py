"""K-means (Lloyd 1982, k-means++ start 2007), deterministic by seed, float64."""

from __future__ import annotations

import numpy as np
import torch

from gancli.core.seeds import derive
from gancli.evaluation.contracts import need
from gancli.evaluation.metrics.distances import blocks


def assign(x: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """The nearest center [N] of each point x [N, d]; centers [K, d]."""
    c = torch.from_numpy(centers)
    half = c.square().sum(1) / 2
    out = np.empty(len(x), np.int64)
    for rows in blocks(len(x), max(len(centers), x.shape[1])):
        out[rows] = torch.addmm(half, torch.from_numpy(x[rows].astype(np.float64)), c.T, alpha=-1).argmin(1).numpy()
    return out


def _start(x: np.ndarray, k: int, random: np.random.Generator) -> np.ndarray:
    """k-means++: each next center is drawn in proportion to its squared distance from those before."""
    norms = np.concatenate([np.square(x[rows]).sum(1) for rows in blocks(len(x), x.shape[1])])

    def apart(center: np.ndarray) -> np.ndarray:
        d = norms - 2 * (x @ center) + center @ center
        return np.where(d > 1e-9 * norms.max(), d, 0.0)  # below: rounding

    centers = [x[int(random.integers(len(x)))]]
    nearest = apart(centers[0])
    for _ in range(k - 1):
        total = nearest.sum()
        chosen = int(np.searchsorted(np.cumsum(nearest), random.random() * total)) if total > 0 else 0
        centers.append(x[min(chosen, len(x) - 1)])
        nearest = np.minimum(nearest, apart(centers[-1]))
    return np.stack(centers)


def kmeans(points: np.ndarray, k: int, seed: int, rounds: int = 20, most: int = 10_000) -> np.ndarray:
    """Centers [k, d] of points [N, d]; at most `most` of them are looked at. Raises DataError for fewer than k points."""
    need(len(points), k, f"k-means with {k} centers")
    random = np.random.Generator(np.random.PCG64(derive(seed, "k-means", k)))
    x = points[random.permutation(len(points))[:most]].astype(np.float64)
    centers = _start(x, k, random)
    last = np.full(len(x), -1)
    for _ in range(rounds):
        label = assign(x, centers)
        if (label == last).all():
            break
        last = label
        members = np.zeros((k, len(x)))
        members[label, np.arange(len(x))] = 1
        counts = members.sum(1)
        full = counts > 0
        centers[full] = (members @ x)[full] / counts[full, None]
    return centers
