"""`blur`: Gaussian blur, as of a lens out of focus."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from gancli.core.contracts import Degradation
from gancli.degradations.levels import Range, draw, quantized


def blurred(x: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of images [N, C, H, W], mirrored at the border."""
    if sigma < 1e-3:
        return x
    for side in (2, 3):
        radius = min(math.ceil(3 * sigma), x.shape[side] - 1)
        at = torch.arange(-radius, radius + 1, dtype=x.dtype, device=x.device)
        g = torch.exp(-at.square() / (2 * sigma**2))
        pad = (0, 0, radius, radius) if side == 2 else (radius, radius, 0, 0)
        shape = (-1, 1) if side == 2 else (1, -1)
        kernel = (g / g.sum()).view(1, 1, *shape).expand(x.shape[1], -1, -1, -1)
        x = F.conv2d(F.pad(x, pad, mode="reflect"), kernel, groups=x.shape[1])
    return x


class Blur(Degradation):
    name = "blur"
    argument: ClassVar[str] = "sigma"
    sigma: Range = Field((1.0, 2.0), description="standard deviation in pixels: a number or a range")

    def __call__(self, x: Tensor, random: torch.Generator) -> tuple[Tensor, None]:
        return quantized(blurred(x[None], draw(self.sigma, random))[0].clone()), None
