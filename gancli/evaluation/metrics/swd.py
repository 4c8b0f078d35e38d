"""Sliced Wasserstein distance (Rabin et al. 2011; as a GAN score in 1710.10196) of the pixels.

The mean over random directions u, |u| = 1, of the Wasserstein-1 distance of u.x and u.y; pixels are in 0 .. 1. In one dimension
that distance is the area between the two distribution functions. The score of that name in 1710.10196 is another one: it compares
7x7 patches of the levels of a Laplacian pyramid, normalized per channel.
"""

from __future__ import annotations

import numpy as np
import torch
from pydantic import Field

from gancli.core.seeds import generator
from gancli.data.cache import release
from gancli.evaluation import raw
from gancli.evaluation.contracts import Inputs, Metric, Score
from gancli.evaluation.metrics.pixels import pixels
from gancli.evaluation.metrics.resampling import HOW, groups_of, jackknife

BLOCK = 1 << 27  # bytes of pixels in float64 at a time


def directions(width: int, count: int, seed: int) -> np.ndarray:
    """Unit vectors [width, count], float64."""
    u = torch.randn(width, count, generator=generator(seed, "swd", width), dtype=torch.float64)
    out: np.ndarray = (u / u.norm(dim=0)).numpy()
    return out


def wasserstein(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Wasserstein-1 distances [P] of the columns of x [N, P] and y [M, P], each sorted."""
    n, m = len(x), len(y)
    if n == m:
        out: np.ndarray = np.abs(x - y).mean(0)
        return out
    areas = np.empty(x.shape[1])
    for p in range(x.shape[1]):
        every = np.sort(np.concatenate([x[:, p], y[:, p]]), kind="stable")
        below = np.searchsorted(x[:, p], every[:-1], "right") / n - np.searchsorted(y[:, p], every[:-1], "right") / m
        areas[p] = (np.abs(below) * np.diff(every)).sum()
    return areas


def sliced_wasserstein(x: np.ndarray, y: np.ndarray, u: np.ndarray) -> float:
    """The mean distance over directions u [d, P] of x [N, d] and y [M, d]. Raises DataError for numbers that are not finite."""
    x, y = raw.pair(x, y)
    return float(wasserstein(np.sort(x @ u, 0), np.sort(y @ u, 0)).mean())


def projected(pixels: np.ndarray, u: np.ndarray) -> np.ndarray:
    """pixels [N, d] in 0 .. 255, scaled to 0 .. 1, times u [d, P]: [N, P] float64, in blocks of at most 128 MiB."""
    rows = max(1, BLOCK // (8 * len(u)))
    parts = []
    for start in range(0, len(pixels), rows):
        parts.append((pixels[start : start + rows] / np.float32(255)).astype(np.float64) @ u)
        release(pixels)
    return np.concatenate(parts)


class SWD(Metric):
    name = "swd"
    gives = ("swd",)
    space = "pixels"
    directions: int = Field(128, ge=1, description="random directions")

    def compute(self, inputs: Inputs) -> dict[str, Score]:
        x, y = inputs.real.view(pixels), inputs.fake.view(pixels)
        u = directions(x.shape[1], self.directions, inputs.seed)
        a, b = projected(x, u), projected(y, u)
        a_order, b_order = np.argsort(a, 0, kind="stable"), np.argsort(b, 0, kind="stable")
        a, b = np.take_along_axis(a, a_order, 0), np.take_along_axis(b, b_order, 0)
        a_group, b_group = groups_of(len(a))[a_order], groups_of(len(b))[b_order]

        def left(values: np.ndarray, group: np.ndarray, g: int) -> np.ndarray:
            kept = values.T[(group != g).T].reshape(values.shape[1], -1)  # [P, n], still sorted
            return np.ascontiguousarray(kept.T)

        def without(g: int) -> float:
            return float(wasserstein(left(a, a_group, g), left(b, b_group, g)).mean())

        error = jackknife(without, min(len(a), len(b)))
        meaning = "distance of the two sets' pixels"
        return {"swd": Score(float(wasserstein(a, b).mean()), meaning, "lower", error, HOW)}
