"""GMSD, the gradient magnitude similarity deviation of output and target (1308.3052, eqs. 4 to 6).

Luma (ITU-R 601) is averaged over blocks of 2x2. Of the gradient magnitudes m of a Prewitt filter, GMS = (2 m_a m_b + c) /
(m_a^2 + m_b^2 + c), c = 170 on the scale 0 to 255. GMSD is its standard deviation over the image. Borders are zero, as in the
authors' code.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from gancli.evaluation.paired import PairedMetric

C = 170.0
LUMA = (0.299, 0.587, 0.114)


def _halved(x: Tensor) -> Tensor:
    """Means [N, 1, ceil(H / 2), ceil(W / 2)] of blocks of 2x2 of [N, 1, H, W], zero beyond the border."""
    return F.avg_pool2d(F.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2)), 2)


def _gradients(x: Tensor) -> Tensor:
    """Gradient magnitudes [N, 1, h, w] of images [N, C, H, W]."""
    weights = x.new_tensor(LUMA if x.shape[1] == 3 else (1.0,)).view(1, -1, 1, 1)
    prewitt = x.new_tensor([[1.0, 0.0, -1.0]] * 3) / 3
    both = F.conv2d(_halved((x * weights).sum(1, keepdim=True)), torch.stack([prewitt, prewitt.T])[:, None], padding=1)
    return both.square().sum(1, keepdim=True).sqrt()


class GMSD(PairedMetric):
    name = "gmsd"
    gives = ("gmsd", "gmsd-hole")
    rank = 4
    meaning = "gradient magnitude similarity deviation (0: equal)"
    better = "lower"

    def maps(self, a: Tensor, b: Tensor) -> Tensor:
        x, y = _gradients(a), _gradients(b)
        return (2 * x * y + C) / (x.square() + y.square() + C)

    def summary(self, values: Tensor, weights: Tensor) -> Tensor:
        n = weights.sum(1)
        mean = (values * weights).sum(1) / n
        spread = ((values - mean[:, None]).square() * weights).sum(1)
        return (spread / (n - 1).clamp(min=1)).sqrt()

    def placed(self, masks: Tensor, size: tuple[int, int]) -> Tensor:  # noqa: ARG002
        return (_halved(masks) > 0).double()
