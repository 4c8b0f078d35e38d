"""SSIM, the structural similarity of output and target (Wang et al. 2004, IEEE TIP 13, eq. 13).

    SSIM = (2 mu_a mu_b + c1)(2 s_ab + c2) / ((mu_a^2 + mu_b^2 + c1)(s_a^2 + s_b^2 + c2)),   c1 = (0.01 L)^2, c2 = (0.03 L)^2

in Gaussian windows of sigma 1.5 and 11 pixels (fewer where the image is smaller) that lie within the image, at the image's
own size, of each channel; L = 255. The value of the missing part is that of the windows whose middle is missing.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from gancli.evaluation.paired import PairedMetric

SMALL = 64 * 64  # pixels of a plane up to which windows are not taken apart into columns and rows


def window(height: int, width: int, sigma: float = 1.5) -> Tensor:
    """Gaussian weights [k, k], k the largest odd number that fits, at most 11; they sum to 1."""
    g = _profile(height, width, sigma)
    return g[:, None] * g[None]


def _profile(height: int, width: int, sigma: float = 1.5) -> Tensor:
    k = min(11, height, width)
    k -= 1 - k % 2
    x = torch.arange(k, dtype=torch.float64) - (k - 1) / 2
    g = torch.exp(-(x**2) / (2 * sigma**2))
    return g / g.sum()


def _windowed(planes: Tensor) -> Tensor:
    """Means [N, 1, h, w] of planes [N, 1, H, W] over all windows that lie within them; large planes by columns, then by rows."""
    h, w = planes.shape[2:]
    if h * w <= SMALL:
        return F.conv2d(planes, window(h, w)[None, None])
    g = _profile(h, w)
    parts = [F.conv2d(F.conv2d(plane, g[None, None, :, None]), g[None, None, None]) for plane in torch.split(planes, 1)]
    return torch.cat(parts)


def similarity(a: Tensor, b: Tensor) -> Tensor:
    """Structural similarity [N, C, h, w] of images [N, C, H, W], 0 to 255, in all windows that lie within the image."""
    n, c, h, w = a.shape
    x, y = a.double().reshape(n * c, 1, h, w), b.double().reshape(n * c, 1, h, w)
    mx, my, xx, yy, xy = _windowed(torch.cat([x, y, x * x, y * y, x * y])).chunk(5)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    sx, sy, sxy = (xx - mx * mx).clamp_min(0), (yy - my * my).clamp_min(0), xy - mx * my
    index = (2 * mx * my + c1) * (2 * sxy + c2) / ((mx * mx + my * my + c1) * (sx + sy + c2))
    return index.view(n, c, *index.shape[2:])


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """Mean structural similarity [N] of uint8 images a and b [N, C, H, W]."""
    return similarity(a, b).flatten(1).mean(1)


class SSIM(PairedMetric):
    name = "ssim"
    gives = ("ssim", "ssim-hole")
    rank = 2
    headlines = ("ssim",)
    meaning = "structural similarity (1: equal)"
    better = "higher"

    def maps(self, a: Tensor, b: Tensor) -> Tensor:
        return similarity(a, b)
