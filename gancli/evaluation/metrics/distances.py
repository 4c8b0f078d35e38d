"""Distances between sets of points, in blocks: memory stays bounded whatever N is.

Squared Euclidean distances come from matrix products, ||x||^2 + ||y||^2 - 2 x.y, of points moved to a common center in
float64. Where that difference cancels (less than 1e-8 of the norms), it is computed again from the coordinates, so that equal
points are at distance zero, exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gancli.data.cache import release
from gancli.evaluation.contracts import Chart, Inputs, need

BLOCK = 1 << 20  # distances in memory at a time: 8 MiB in float64, that caches and the allocator like
CANCELS = 1e-8
TIE = 1e-9  # squared distances that agree to this are on the edge of a ball, whatever rounding says
KEEP = 10  # neighbours kept of each point
LEADING = 100  # principal components in which wide points are searched
IN_FULL = 256 * 2**20  # bytes of base points that are searched by all of their coordinates
OVERLAP = Chart("How the sets overlap", "blue: samples (95 %); grey: reference")


def blocks(n: int, m: int) -> Iterator[slice]:
    """Slices of n rows such that a block of rows times m columns fits into `BLOCK`."""
    rows = max(1, min(n, BLOCK // max(1, m)))
    for start in range(0, n, rows):
        yield slice(start, min(n, start + rows))


def centered(*sets: np.ndarray) -> list[Tensor]:
    """The sets as float64 tensors, moved so that the first one's mean is at the origin."""
    middle = sets[0].astype(np.float64).mean(0)
    return [torch.from_numpy(s.astype(np.float64) - middle) for s in sets]


def squared(x: Tensor, y: Tensor, norms: Tensor | None = None, itself: int | None = None) -> Tensor:
    """Squared distances [n, m] of points x [n, d] and y [m, d], float64.

    `norms` are y's squared norms [m], if they are known. With `itself`, row i is y's point itself + i: its distance to itself
    is infinite.
    """
    own = x.square().sum(1)
    theirs = y.square().sum(1) if norms is None else norms
    out = torch.addmm(theirs, x, y.T, alpha=-2)
    out += own[:, None]
    if itself is not None:
        out[torch.arange(len(x)), torch.arange(itself, itself + len(x))] = torch.inf
    suspects = torch.nonzero(out.amin(1) < CANCELS * (own + theirs.max()))[:, 0]
    for rows in torch.split(suspects, 64):
        _again(out, x, y, rows, CANCELS * (own[rows, None] + theirs))
    return out


def _again(out: Tensor, x: Tensor, y: Tensor, rows: Tensor, bound: Tensor) -> None:
    """In some rows of `out`, take distances below the bound from the coordinates."""
    small = out[rows] < bound
    i, j = small.nonzero(as_tuple=True)
    if len(i) > small.numel() // 16:  # collapsed sets: everything is close to everything
        exact = torch.cdist(x[rows], y, compute_mode="donot_use_mm_for_euclid_dist").square_()
        out[rows] = torch.where(small, exact, out[rows])
    else:
        out[rows[i], j] = (x[rows[i]] - y[j]).square().sum(1)


def neighbours(x: np.ndarray, k: int) -> np.ndarray:
    """Distances [N, k] of each point to its k nearest others, ascending; a point is not its own neighbour."""
    need(len(x), k + 1, f"a {k}-th nearest neighbour")
    (points,) = centered(x)
    norms = points.square().sum(1)
    out = torch.empty(len(points), k, dtype=torch.float64)
    for rows in blocks(len(points), len(points)):
        d = squared(points[rows], points, norms, rows.start)
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
    x, y = centered(real, fake)
    norms = y.square().sum(1)
    n, m = len(x), len(y)
    wide = {k: (np.square(a)[:, None] * (1 + TIE), np.square(b) * (1 + TIE)) for k, (a, b) in radii.items()}
    narrow = {k: np.square(a)[:, None] * (1 - TIE) for k, (a, _) in radii.items()}
    inside = {k: np.zeros(m, np.bool_) for k in radii}
    count = {k: np.zeros(m, np.int64) for k in radii}
    covered = {k: np.zeros(n, np.bool_) for k in radii}
    reached = {k: np.zeros(n, np.bool_) for k in radii}
    for rows in blocks(n, m):
        d = squared(x[rows], y, norms).numpy()
        nearest = d.min(1)
        for k in radii:
            inside[k] |= (d <= wide[k][0][rows]).any(0)
            covered[k][rows] = (d <= wide[k][1]).any(1)
            count[k] += (d < narrow[k][rows]).sum(0)
            reached[k][rows] = nearest < narrow[k][rows, 0]
    return {k: Crossing(inside[k], covered[k], count[k], reached[k]) for k in radii}


def crossing(inputs: Inputs, k: int) -> Crossing:
    """The inputs's crossing for k neighbours; those of 3 and 5, that the standard metrics use, come from one pass."""
    few = min(len(inputs.real), len(inputs.fake))
    need(few, k + 1, f"a {k}-th nearest neighbour")
    ks = {kk for kk in (3, 5) if kk < few} | {k}
    keep = max(k, min(KEEP, few - 1))
    real = inputs.shared_by_reals(f"neighbours {keep}", lambda: neighbours(inputs.real.features, keep))
    fake = inputs.shared(f"neighbours {keep}", lambda: neighbours(inputs.fake.features, keep))

    def make() -> dict[int, Crossing]:
        radii = {kk: (real[:, kk - 1], fake[:, kk - 1]) for kk in ks}
        return crossings(inputs.real.features, inputs.fake.features, radii)

    return inputs.shared(f"crossings {sorted(ks)}", make)[k]


def nearest(query: np.ndarray, base: np.ndarray, k: int = 2, candidates: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Distances [N, k] float64 and indices [N, k] of the k nearest points of `base`, ascending; either may be memory-mapped.

    The search runs in float32, of many wide points in their leading principal components with the length of the rest beside
    them (a lower bound of the distance, tight for natural images); the candidates it finds are measured in float64 from the
    coordinates. So distances are exact, equal points are always found, and elsewhere the choice is exact but for near ties, for
    points that have most of their variance in the leading components, as images have. Of white noise, which has none, it finds
    6 % of the nearest neighbours.
    """
    need(len(base), k, "a search for nearest neighbours")
    width = base.shape[1]
    wide = width > 2 * LEADING
    worth = (
        len(query) * len(base) > 5 * width**2 or 4 * base.size > IN_FULL
    )  # components cost about 10 width³ operations
    take = min(len(base), max(k, 2 * candidates if wide else candidates))
    shorten = leading(base) if wide and worth else _centring(base)
    y = torch.cat([_released(shorten(base[rows]), base) for rows in blocks(len(base), base.shape[1])])
    half = y.square().sum(1).mul_(0.5)
    distances, indices = np.empty((len(query), k)), np.empty((len(query), k), np.int64)
    for rows in blocks(len(query), len(base) // 4):
        x = shorten(query[rows])
        found = torch.addmm(half, x, y.T, alpha=-1).topk(take, dim=1, largest=False, sorted=False).indices.numpy()
        wanted = query[rows].astype(np.float64)
        exact = np.stack([np.sqrt(np.square(wanted - base[found[:, c]]).sum(1)) for c in range(take)], 1)
        order = np.lexsort((found, exact), axis=1)[:, :k]
        distances[rows] = np.take_along_axis(exact, order, 1)
        indices[rows] = np.take_along_axis(found, order, 1)
        release(query)
        release(base)
    return distances, indices


def _released(made: Tensor, source: np.ndarray) -> Tensor:
    release(source)
    return made


def _centring(base: np.ndarray) -> Callable[[np.ndarray], Tensor]:
    middle = base.mean(0, dtype=np.float64).astype(np.float32)
    return lambda points: torch.from_numpy(points.astype(np.float32) - middle)


def leading(base: np.ndarray, most: int = 5_000) -> Callable[[np.ndarray], Tensor]:
    """Points [N, d] -> float32 [N, LEADING + 1]: principal components of (some of) `base`, and the norm of what is left."""
    some = _released(torch.from_numpy(base[:: max(1, len(base) // most)].astype(np.float64)), base)
    middle = some.mean(0)
    basis = torch.linalg.eigh((some - middle).T @ (some - middle)).eigenvectors[:, -LEADING:]  # [d, LEADING]
    axes, origin = basis.float(), middle.float()

    def shortened(points: np.ndarray) -> Tensor:
        x = torch.from_numpy(points.astype(np.float32)) - origin
        near = x @ axes
        rest = (x.square().sum(1) - near.square().sum(1)).clamp_min_(0).sqrt_()
        return torch.cat([near, rest[:, None]], 1)

    return shortened
