"""DiffAugment (2006.10738): differentiable augmentation of reals and fakes in the losses of both nets.

color        brightness + U(-1/2, 1/2); saturation times U(0, 2); contrast times U(1/2, 3/2)
translation  by up to 1/8 of height and width, with zero padding
cutout       a rectangle of half the height and width, centered at a random pixel, set to 0

Fractions of a pixel are rounded half up, as in the published code.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from gancli.core import sharding
from gancli.core.contracts import Augment, Memory
from gancli.core.images import crop_each


class DiffAugment(Augment):
    name = "diffaugment"
    color: bool = Field(True, description="random brightness, saturation and contrast")
    translation: float = Field(0.125, ge=0, le=1, description="largest shift as fraction of height and width; 0: off")
    cutout: float = Field(0.5, ge=0, le=1, description="size of the cutout as fraction of height and width; 0: off")

    def __call__(self, x: Tensor, random: torch.Generator, memory: Memory) -> Tensor:  # noqa: ARG002
        if self.color:
            x = jitter_colors(x, random)
        if self.translation:
            x = translate(x, self.translation, random)
        if self.cutout:
            x = cutout(x, self.cutout, random)
        return x


def jitter_colors(x: Tensor, random: torch.Generator) -> Tensor:
    """Random brightness, saturation (of RGB images) and contrast of each image [N, C, H, W]; alpha is not changed."""
    if x.shape[1] == 4:
        return torch.cat([jitter_colors(x[:, :3], random), x[:, 3:]], 1)
    numbers = sharding.rand(3, len(x), 1, 1, 1, random=random, dim=1)
    brightness, saturation, contrast = numbers.to(x.device, x.dtype)
    x = x + (brightness - 0.5)
    if x.shape[1] > 1:
        gray = x.mean(1, keepdim=True)
        x = (x - gray) * (2 * saturation) + gray
    mean = x.mean((1, 2, 3), keepdim=True)
    out: Tensor = (x - mean) * (contrast + 0.5) + mean
    return out


def _randint(last: int, n: int, random: torch.Generator, device: torch.device) -> Tensor:
    """n uniform integers in [0, last], one per image: [n, 1]."""
    return sharding.randint(0, last + 1, (n, 1), random).to(device)


def translate(x: Tensor, fraction: float, random: torch.Generator) -> Tensor:
    """Shift each image [N, C, H, W] by its own integer number of pixels, at most `fraction` of height and width."""
    n, _, h, w = x.shape
    most_h, most_w = int(h * fraction + 0.5), int(w * fraction + 0.5)
    top = _randint(2 * most_h, n, random, x.device)
    left = _randint(2 * most_w, n, random, x.device)
    padded = torch.nn.functional.pad(x, (most_w, most_w, most_h, most_h))
    return crop_each(padded, top.flatten(), left.flatten(), h, w)


def cutout(x: Tensor, fraction: float, random: torch.Generator) -> Tensor:
    """Set a rectangle of `fraction` of height and width to 0 in each image [N, C, H, W], clipped at the border."""
    n, _, h, w = x.shape
    keep = []
    for side in (h, w):
        size = int(side * fraction + 0.5)
        first = _randint(side - size % 2, n, random, x.device) - size // 2
        at = torch.arange(side, device=x.device)
        keep.append((at < first) | (at >= first + size))  # [N, side]
    return x * (keep[0][:, :, None] | keep[1][:, None, :])[:, None].to(x.dtype)
