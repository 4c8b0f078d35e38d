"""Progressive growing (PGGAN, 1710.10196): training begins with small images, and larger scales fade in one by one.

The layers of all scales exist from step 0, so the optimizer state has a fixed shape; layers of later scales have no gradient
yet. The level, a function of the number of training images, is kept in a buffer of each net: at level k + t, scale k + 1
has faded in by the fraction t. In training, G generates and D gets images of the current scale; reals are downsampled and
faded in the same way. Otherwise G's images are upsampled to full size.
Departs: Adam is not reset at each scale. Since its step count continues, the first tens of updates of a new scale's layers
are several times larger. The condition vector is concatenated to z after pixel norm (before, in the published code), so that its
length does not depend on z.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Self

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.core.contracts import Nets, Tick
from gancli.core.nets import Model, Trunk
from gancli.core.specs import Images
from gancli.models.blocks import (
    EqualConv,
    EqualLinear,
    MinibatchStddev,
    ScaledLeakyReLU,
    conv_layers,
    equalize,
    initial_block,
    upsample,
)
from gancli.models.layers import PlainTrunk, halved_sizes, map_sizes, widths
from gancli.models.norms import PixelNorm

Size = tuple[int, int]
GROWING = 0.4  # fraction of training during which scales are added, by default
PAPER = 600_000  # images per phase in the paper, for a model whose schedule was not resolved


class Level(nn.Module):
    """The current scale of a net: scale `top`, faded in by the fraction `alpha`.

    The level is stored twice: as Python numbers, which determine the shapes in a training pass, and as a buffer, which is
    saved and used in evaluation.
    """

    def __init__(self) -> None:
        super().__init__()
        self.value: Tensor
        self.register_buffer("value", torch.zeros((), dtype=torch.float32))
        self.top, self.alpha = 0, 1.0

    def set(self, level: float) -> None:
        """Set numbers and buffer to the same float32 value."""
        self.value.fill_(level)
        level = float(np.float32(level))
        self.top = math.ceil(level)
        self.alpha = 1 - (self.top - level)

    def from_buffer(self, scales: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """The current scale as a one-hot mask bool [scales], and alpha as a scalar of the dtype of `like`."""
        top = self.value.double().ceil()
        return torch.arange(scales, device=top.device) == top, (1 - (top - self.value.double())).to(like.dtype)


def faded(x: Tensor, alpha: float) -> Tensor:
    """Blend images with their half-resolution version, upsampled, whose weight is 1 - alpha."""
    if alpha == 1:
        return x
    return torch.lerp(upsample(F.avg_pool2d(x, 2), (x.shape[2], x.shape[3]), smooth=False), x, alpha)


class GrowingGenerator(nn.Module):
    """(z [N, z], c) -> images of the current scale in training, else of full size."""

    normalizes_z = True

    def __init__(self, cfg: Progressive, spec: Images, condition: int) -> None:
        super().__init__()
        self.sizes = map_sizes(spec)[::-1]
        wide = widths(cfg.width, cfg.widest, len(self.sizes))[::-1]
        self.level, self.unit = Level(), PixelNorm()
        self.base = initial_block(cfg.z + condition, wide[0], self.sizes[0])
        self.blocks = nn.ModuleList(nn.Sequential(*conv_layers(a, b, b, pixel=True)) for a, b in pairwise(wide))
        self.images = nn.ModuleList(EqualConv(c, spec.channels, 1) for c in wide)

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        z = self.unit(z)
        x: Tensor = self.base(z if c is None else torch.cat([z, c.to(z.dtype)], 1))
        return self._at_current_scale(x) if self.training else self._at_full_size(x)

    def _at_current_scale(self, x: Tensor) -> Tensor:
        top, alpha = self.level.top, self.level.alpha
        previous = x
        for i in range(1, top + 1):
            previous, x = x, self._block(x, i)
        image: Tensor = self.images[top](x)
        return image if alpha == 1 else self._fade(previous, image, top, alpha)

    def _at_full_size(self, x: Tensor) -> Tensor:
        """Compute the images of all scales and select the current one, without control flow on the level (for export)."""
        is_current, alpha = self.level.from_buffer(len(self.sizes), x)
        out: Tensor = upsample(self.images[0](x), self.sizes[-1], smooth=False)
        for i in range(1, len(self.sizes)):
            previous, x = x, self._block(x, i)
            image = self._fade(previous, self.images[i](x), i, alpha)
            out = torch.where(is_current[i], upsample(image, self.sizes[-1], smooth=False), out)
        return out

    def _block(self, x: Tensor, i: int) -> Tensor:
        """Feature maps of scale i from those of scale i - 1."""
        out: Tensor = self.blocks[i - 1](upsample(x, self.sizes[i], smooth=False))
        return out

    def _fade(self, previous: Tensor, image: Tensor, i: int, alpha: float | Tensor) -> Tensor:
        """Blend the image of scale i with the upsampled image from the feature maps of scale i - 1."""
        return torch.lerp(upsample(self.images[i - 1](previous), self.sizes[i], smooth=False), image, alpha)


class GrowingTrunk(nn.Module):
    """Images of the current scale -> features [N, F]."""

    def __init__(self, cfg: Progressive, spec: Images, condition: int) -> None:
        super().__init__()
        self.sizes = map_sizes(spec)[::-1]
        wide = widths(cfg.width, cfg.widest, len(self.sizes))[::-1]
        self.level = Level()
        self.seen = nn.ModuleList(
            nn.Sequential(EqualConv(spec.channels + condition, c, 1), ScaledLeakyReLU()) for c in wide
        )
        self.blocks = nn.ModuleList(nn.Sequential(*conv_layers(b, b, a)) for a, b in pairwise(wide))
        h, w = self.sizes[0]
        last = [MinibatchStddev(cfg.group), *conv_layers(wide[0] + 1, wide[0]), nn.Flatten()]
        self.last = nn.Sequential(*last, EqualLinear(wide[0] * h * w, wide[0]), ScaledLeakyReLU())

    def forward(self, x: Tensor) -> Tensor:
        top, alpha = self.level.top, self.level.alpha
        y: Tensor = self.seen[top](x)
        for i in range(top, 0, -1):
            y = F.avg_pool2d(self.blocks[i - 1](y), 2)
            if i == top and alpha < 1:
                y = torch.lerp(self.seen[i - 1](F.avg_pool2d(x, 2)), y, alpha)
        out: Tensor = self.last(y)
        return out


class Progressive(Model):
    name = "progressive"
    z: int = Field(512, ge=1, description="width of the latent vector")
    width: int = Field(32, ge=1, description="channels at the image size; doubled at each smaller scale")
    widest: int = Field(512, ge=1, description="maximum number of channels")
    hold: int | None = Field(
        None, ge=0, description="training images per scale before the next fades in; default: by the length of training"
    )
    fade: int | None = Field(
        None, ge=1, description="training images over which a scale fades in; default: by the length of training"
    )
    group: int = Field(4, ge=1, description="group size of minibatch stddev")

    def generator(self, spec: Images, condition: int) -> nn.Module:
        return GrowingGenerator(self, spec, condition)

    def discriminator(self, spec: Images, condition: int) -> Trunk:
        net = GrowingTrunk(self, spec, condition)
        return PlainTrunk(net, net.last[-2].weight.shape[0], equalize)  # type: ignore[index, arg-type]

    def resolved(self, images: int, spec: Images) -> Self:
        """The default of `hold` and `fade` reaches full size after the fraction `GROWING` of training."""
        default = max(1, round(GROWING * images / 2 / max(1, len(map_sizes(spec)) - 1)))
        return self.replace(hold=default if self.hold is None else self.hold, fade=self.fade or default)

    def level(self, images: int, scales: int) -> float:
        """The level, from 0 to scales - 1, after a number of training images: hold, fade, hold, fade, ..., hold."""
        hold, fade = PAPER if self.hold is None else self.hold, self.fade or PAPER
        k, rest = divmod(images, hold + fade)
        return min(scales - 1.0, k + max(0, rest - hold) / fade)

    def prepare(self, nets: Nets, spec: Images, tick: Tick) -> None:
        for level in _levels(nets):
            level.set(self.level(tick.images, len(map_sizes(spec))))

    def view(self, nets: Nets, x: Tensor) -> Tensor:
        level = _levels(nets)[0]
        for _ in range(len(halved_sizes(x.shape[2], x.shape[3])) - 1 - level.top):
            x = F.avg_pool2d(x, 2)
        return faded(x, level.alpha)


def _levels(nets: Nets) -> list[Level]:
    return [m for net in nets.values() for m in net.modules() if isinstance(m, Level)]
