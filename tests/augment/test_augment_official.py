"""ADA draws its parameters as the published code does: distribution functions of 40,000 of its draws, in tests/golden/official.

Made from NVlabs/stylegan2-ada-pytorch at commit d72cc7d041b4: `AugmentPipe.forward` of 28x28 images, cut off before the matrices are
applied, with the strengths of the configuration `bgc`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from gancli.augment.ada import Draw, color_matrix, geometric, pixel_blitting

OFFICIAL = json.loads((Path(__file__).parents[1] / "golden" / "official" / "ada.json").read_text())
N, SIDE = 40_000, 28
CRITICAL = 1.95 * (2 / N) ** 0.5  # Kolmogorov-Smirnov, two samples of N: exceeded by chance once in a thousand
SHIFTS, MATRIX, OFFSET = np.linspace(-12, 12, 49) + 0.01, np.linspace(-2, 2, 41), np.linspace(-1, 1, 41)


def distance(ours: Tensor, grid: np.ndarray, theirs: Sequence[float]) -> float:
    """The largest gap between the distribution functions at the points of a grid."""
    below = np.searchsorted(np.sort(ours.double().numpy()), grid + 1e-6, side="right") / len(ours)
    return float(np.abs(below - np.array(theirs)).max())


def draw(p: float, seed: int = 1) -> Draw:
    return Draw(N, p, torch.Generator().manual_seed(seed))


def pixels(matrix: Tensor) -> Tensor:
    """Translations [N, 2] in pixels, of maps in units of half the height."""
    return matrix[:, :2, 2] * SIDE / 2


@pytest.mark.parametrize("p", ["0.2", "0.6", "1.0"])
def test_geometric_and_color_matrices(p: str) -> None:
    drawn, official = draw(float(p)), OFFICIAL[p]
    matrix = pixel_blitting(torch.eye(3).repeat(N, 1, 1), drawn, SIDE, SIDE, mirror=True)
    matrix = geometric(matrix, drawn, 1.0)
    colors, offset = color_matrix(drawn)
    shift = pixels(matrix)
    found = {
        "g00": distance(matrix[:, 0, 0], MATRIX, official["g00"]),
        "g01": distance(matrix[:, 0, 1], MATRIX, official["g01"]),
        "g02": distance(shift[:, 0], SHIFTS, official["g02"]),
        "g12": distance(shift[:, 1], SHIFTS, official["g12"]),
        "c00": distance(colors[:, 0, 0], np.linspace(-3, 3, 41), official["c00"]),
        "c01": distance(colors[:, 0, 1], np.linspace(-3, 3, 41), official["c01"]),
        "c03": distance(offset[:, 0], OFFSET, official["c03"]),
    }
    assert max(found.values()) < CRITICAL, found


@pytest.mark.parametrize(("kind", "p"), [(kind, p) for kind in ("xint", "xfrac") for p in ("0.2", "0.6", "1.0")])
def test_how_many_images_are_not_shifted_or_along_one_axis_only(kind: str, p: str) -> None:
    shift = _shift(kind, float(p))
    still = float((shift == 0).all(1).float().mean())
    along_one = float(((shift == 0).sum(1) == 1).float().mean())
    assert (still, along_one) == pytest.approx(OFFICIAL[kind][p], abs=0.01)


@pytest.mark.parametrize("kind", ["xint", "xfrac"])
def test_both_axes_of_a_shift(kind: str) -> None:
    shift, half = _shift(kind, 0.6), SHIFTS[24:]
    assert distance(shift[:, 0], SHIFTS, OFFICIAL[kind]["x"]) < CRITICAL
    assert distance(shift.abs().amax(1), half, OFFICIAL[kind]["max"]) < CRITICAL
    assert distance(shift.abs().amin(1), half, OFFICIAL[kind]["min"]) < CRITICAL


def _shift(kind: str, p: float) -> Tensor:
    """Shifts [N, 2] in pixels."""
    if kind == "xint":
        x, y = draw(p).uniform_shift(0.125)
        return (torch.stack([x, y], 1) * SIDE).round()
    return torch.stack(draw(p).normal_shift(0.125), 1) * SIDE
