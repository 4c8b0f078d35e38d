"""`dct`: hard thresholds in a sliding 8x8 DCT (Yu & Sapiro 2011, IPOL), whose noise level is chosen by the training data.

Channels are decorrelated by a DCT over the channels. In each window of 8x8 the coefficients below 2.7 sigma are set to zero, but for
the mean. A pixel is the mean over all windows that contain it, weighted by the inverse of the number of nonzero coefficients.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gancli.evaluation.filters import Filter, to_bytes

SIDE, THRESHOLD = 8, 2.7
AT_ONCE = 16  # images


def dct_matrix(n: int) -> Tensor:
    """The orthonormal DCT-II [n, n]."""
    k = torch.arange(n, dtype=torch.float32)
    matrix: Tensor = torch.cos(torch.pi * k[:, None] * (2 * k + 1) / (2 * n)) * (2 / n) ** 0.5
    matrix[0] /= 2**0.5
    return matrix


def denoised(x: Tensor, sigma: float) -> Tensor:
    """Denoise images [N, C, H, W] with noise of standard deviation sigma."""
    n, c, h, w = x.shape
    across = dct_matrix(c)
    side = SIDE - 1
    y = F.pad(
        torch.einsum("dc,nchw->ndhw", across, x), (side,) * 4, mode="reflect" if min(h, w) > side else "replicate"
    )
    planes = y.reshape(n * c, 1, *y.shape[2:])
    within = torch.kron(dct_matrix(SIDE), dct_matrix(SIDE))  # [64, 64]
    coefficients = within @ F.unfold(planes, SIDE)  # [N C, 64, windows]
    keep = coefficients.abs() > THRESHOLD * sigma
    keep[:, 0] = True
    weights = 1 / keep.sum(1, keepdim=True).float()
    windows = within.T @ (coefficients * keep) * weights
    size = (planes.shape[2], planes.shape[3])
    total, weight = (F.fold(part, size, SIDE) for part in (windows, weights.expand_as(windows)))
    out = (total / weight).view(n, c, *size)[:, :, side : side + h, side : side + w]
    return torch.einsum("dc,ndhw->nchw", across, out)


class SlidingDCT(Filter):
    name = "dct"
    strengths: ClassVar[tuple[float, ...]] = (
        2,
        4,
        6,
        8,
        10,
        12.5,
        15,
        17.5,
        20,
        22.5,
        25,
        27.5,
        30,
        35,
        40,
        45,
        50,
        60,
        75,
        100,
    )

    def filtered(self, images: np.ndarray, strength: float) -> np.ndarray:
        parts = torch.split(torch.from_numpy(np.ascontiguousarray(images)).float(), AT_ONCE)
        return to_bytes(torch.cat([denoised(part, strength) for part in parts]).numpy())
