"""DiffAugment (2006.10738): the same differentiable augmentation of reals and fakes, wherever D sees them.

color        brightness + U(-1/2, 1/2); saturation times U(0, 2); contrast times U(1/2, 3/2)
translation  by up to 1/8 of each side, padded with zeros
cutout       a square of half the sides, its center anywhere, set to 0
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from gancli.core import sharding
from gancli.core.contracts import Augment, Memory


class DiffAugment(Augment):
    name = "diffaugment"
    color: bool = Field(True, description="brightness, saturation, contrast")
    translation: float = Field(0.125, ge=0, le=1, description="share of a side; 0: none")
    cutout: float = Field(0.5, ge=0, le=1, description="share of a side; 0: none")

    def __call__(self, x: Tensor, random: torch.Generator, memory: Memory) -> Tensor:  # noqa: ARG002
        if self.color:
            x = colored(x, random)
        if self.translation:
            x = translated(x, self.translation, random)
        if self.cutout:
            x = cut_out(x, self.cutout, random)
        return x


def _draws(n: int, x: Tensor, random: torch.Generator) -> Tensor:
    """n numbers in [0, 1) per image: [n, N, 1, 1, 1]."""
    return sharding.rand(n, len(x), 1, 1, 1, random=random, dim=1).to(x.device, x.dtype)


def colored(x: Tensor, random: torch.Generator) -> Tensor:
    brightness, saturation, contrast = _draws(3, x, random)
    x = x + (brightness - 0.5)
    if x.shape[1] > 1:
        grey = x.mean(1, keepdim=True)
        x = (x - grey) * (2 * saturation) + grey
    level = x.mean((1, 2, 3), keepdim=True)
    out: Tensor = (x - level) * (contrast + 0.5) + level
    return out


def _whole(top: int, n: int, random: torch.Generator, device: torch.device) -> Tensor:
    """Whole numbers in [0, top], [n, 1]."""
    return sharding.randint(0, top + 1, (n, 1), random).to(device)


def translated(x: Tensor, share: float, random: torch.Generator) -> Tensor:
    """Each image shifted by its own whole number of pixels."""
    n, _, h, w = x.shape
    reach_h, reach_w = round(h * share), round(w * share)
    rows = torch.arange(h, device=x.device) + _whole(2 * reach_h, n, random, x.device)  # [N, H]
    columns = torch.arange(w, device=x.device) + _whole(2 * reach_w, n, random, x.device)  # [N, W]
    wide = torch.nn.functional.pad(x, (reach_w, reach_w, reach_h, reach_h)).movedim(1, 3)
    each = torch.arange(n, device=x.device)[:, None, None]
    return wide[each, rows[:, :, None], columns[:, None, :]].movedim(3, 1)


def cut_out(x: Tensor, share: float, random: torch.Generator) -> Tensor:
    """A rectangle of `share` of each side set to 0; at the border it may hang over."""
    n, _, h, w = x.shape
    keep = []
    for side in (h, w):
        size = round(side * share)
        first = _whole(side - size % 2, n, random, x.device) - size // 2
        at = torch.arange(side, device=x.device)
        keep.append((at < first) | (at >= first + size))  # [N, side]
    return x * (keep[0][:, :, None] | keep[1][:, None, :])[:, None].to(x.dtype)
