"""Distances between sets of points, in blocks: memory stays bounded whatever N is.

Squared Euclidean distances come from matrix products, ||x||^2 + ||y||^2 - 2 x.y, of points moved to a common centre in
float64. Where that difference cancels (less than 1e-8 of the norms), it is computed again from the coordinates, so that equal
points are at distance zero, exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gancli.metrics.contracts import Subject, need

BLOCK = 1 << 24  # distances in memory at a time (128 MiB in float64)
CANCELS = 1e-8
KEEP = 10  # neighbours kept of each point


def blocks(n: int, m: int) -> Iterator[slice]:
    """Slices of n rows such that a block of rows times m columns fits into `BLOCK`."""
    rows = max(1, min(n, BLOCK // max(1, m)))
    for start in range(0, n, rows):
        yield slice(start, min(n, start + rows))


def centred(*sets: np.ndarray) -> list[Tensor]:
    """The sets as float64 tensors, moved so that the first one's mean is at the origin."""
    middle = sets[0].astype(np.float64).mean(0)
    return [torch.from_numpy(s.astype(np.float64) - middle) for s in sets]


def squared(x: Tensor, y: Tensor) -> Tensor:
    """Squared distances [n, m] of points x [n, d] and y [m, d], float64."""
    norms = x.square().sum(1)[:, None] + y.square().sum(1)[None]
    out = torch.addmm(norms, x, y.T, alpha=-2)
    small = out < norms.mul_(CANCELS)
    many = int(small.sum())
    if many > out.numel() // 16:  # collapsed sets: everything is close to everything
        return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist").square_()
    if many:
        i, j = small.nonzero(as_tuple=True)
        for part in torch.split(torch.arange(many), BLOCK // max(1, x.shape[1])):
            out[i[part], j[part]] = (x[i[part]] - y[j[part]]).square().sum(1)
    return out


def neighbours(x: np.ndarray, k: int) -> np.ndarray:
    """Distances [N, k] of each point to its k nearest others, ascending; a point is not its own neighbour."""
    need(len(x), k + 1, f"a {k}-th nearest neighbour")
    (points,) = centred(x)
    out = torch.empty(len(points), k, dtype=torch.float64)
    for rows in blocks(len(points), len(points)):
        d = squared(points[rows], points)
        d[torch.arange(len(d)), torch.arange(rows.start, rows.stop)] = torch.inf
        out[rows] = d.topk(k, dim=1, largest=False, sorted=True).values
    return out.sqrt_().numpy()


@dataclass(frozen=True)
class Crossing:
    """Who lies in whose balls; ball i reaches from point i to its k-th neighbour in its own set."""

    fake_inside: np.ndarray  # bool [M]: within a real's ball, the edge included
    real_inside: np.ndarray  # bool [N]: within a fake's ball, the edge included
    fake_count: np.ndarray  # int64 [M]: real balls that hold the fake, the edge excluded
    real_reached: np.ndarray  # bool [N]: the real's ball holds a fake, the edge excluded


def crossings(
    real: np.ndarray, fake: np.ndarray, radii: dict[int, tuple[np.ndarray, np.ndarray]]
) -> dict[int, Crossing]:
    """Crossings by k, in one pass over the distances. `radii[k]` is (real radii [N], fake radii [M])."""
    x, y = centred(real, fake)
    n, m = len(x), len(y)
    squares = {k: tuple(torch.from_numpy(r).square() for r in pair) for k, pair in radii.items()}
    inside = {k: torch.zeros(m, dtype=torch.bool) for k in radii}
    count = {k: torch.zeros(m, dtype=torch.int64) for k in radii}
    covered = {k: torch.zeros(n, dtype=torch.bool) for k in radii}
    reached = {k: torch.zeros(n, dtype=torch.bool) for k in radii}
    for rows in blocks(n, m):
        d = squared(x[rows], y)
        nearest = d.amin(1)
        for k, (real_radius, fake_radius) in squares.items():
            inside[k] |= (d <= real_radius[rows, None]).any(0)
            count[k] += (d < real_radius[rows, None]).sum(0)
            covered[k][rows] = (d <= fake_radius[None]).any(1)
            reached[k][rows] = nearest < real_radius[rows]
    return {k: Crossing(inside[k].numpy(), covered[k].numpy(), count[k].numpy(), reached[k].numpy()) for k in radii}


def crossing(subject: Subject, k: int) -> Crossing:
    """The subject's crossing for k neighbours; those of 3 and 5, that the standard metrics use, come from one pass."""
    few = min(len(subject.real), len(subject.fake))
    need(few, k + 1, f"a {k}-th nearest neighbour")
    ks = {kk for kk in (3, 5) if kk < few} | {k}
    keep = max(k, min(KEEP, few - 1))
    real = subject.shared_by_reals(f"neighbours {keep}", lambda: neighbours(subject.real.features, keep))
    fake = subject.shared(f"neighbours {keep}", lambda: neighbours(subject.fake.features, keep))

    def make() -> dict[int, Crossing]:
        radii = {kk: (real[:, kk - 1], fake[:, kk - 1]) for kk in ks}
        return crossings(subject.real.features, subject.fake.features, radii)

    return subject.shared(f"crossings {sorted(ks)}", make)[k]


def nearest(query: np.ndarray, base: np.ndarray, k: int = 2, candidates: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Distances [N, k] float64 and indices [N, k] of the k nearest points of `base`, ascending.

    The search runs in float32 and keeps a few candidates, whose distances are then computed in float64 from the coordinates:
    the distances are exact, and so is the choice unless more than `candidates` points tie to 1e-6 of the norms.
    """
    need(len(base), k, "a search for nearest neighbours")
    take = min(len(base), max(k, candidates))
    middle = base.mean(0, dtype=np.float64).astype(np.float32)
    y = torch.from_numpy(base.astype(np.float32) - middle)
    half = y.square().sum(1).mul_(0.5)
    distances, indices = np.empty((len(query), k)), np.empty((len(query), k), np.int64)
    for rows in blocks(len(query), 2 * len(base)):
        x = torch.from_numpy(query[rows].astype(np.float32) - middle)
        found = torch.addmm(half, x, y.T, alpha=-1).topk(take, dim=1, largest=False, sorted=False).indices.numpy()
        exact = np.empty(found.shape)
        for c in range(take):
            gap = query[rows].astype(np.float64) - base[found[:, c]].astype(np.float64)
            exact[:, c] = np.sqrt(np.square(gap).sum(1))
        order = np.lexsort((found, exact), axis=1)[:, :k]
        distances[rows] = np.take_along_axis(exact, order, 1)
        indices[rows] = np.take_along_axis(found, order, 1)
    return distances, indices
