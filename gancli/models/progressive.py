"""Progressive growing (PGGAN, 1710.10196): training begins with small images; scales fade in one after the other.

All scales exist from step 0, so no optimizer ever changes shape; those not reached have no gradient. The level is a function
of the images seen, kept in a buffer of each net: k + t is scale k fading into k + 1. In training G makes, and D sees, images of
the present scale only; the reals are averaged down to it and faded alike. Otherwise G's images are enlarged to full size.
Departs: Adam is not begun afresh at each scale. Its count of steps runs on, so a new scale's first tens of steps are several times larger.
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
GROWING = 0.4  # share of a run in which scales come
PAPER = 600_000  # images that a scale is held, and faded; of a net that was never fitted to a run


class Level(nn.Module):
    """How far a net has grown, in scales: its newest scale, `top`, has faded in by `share` (1: it is not fading).

    The level is kept twice: as numbers, which a training pass takes its size from, set before each; and as a buffer, which is saved,
    and which evaluation goes by.
    """

    def __init__(self) -> None:
        super().__init__()
        self.value: Tensor
        self.register_buffer("value", torch.zeros((), dtype=torch.float32))
        self.top, self.share = 0, 1.0

    def set(self, level: float) -> None:
        """Set both, to the same float32 number."""
        self.value.fill_(level)
        level = float(np.float32(level))
        self.top = math.ceil(level)
        self.share = 1 - (self.top - level)

    def shares(self, scales: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """By the buffer: which of the scales is the newest, [scales], and its share, a scalar."""
        top = self.value.double().ceil()
        return torch.arange(scales, device=top.device) == top, (1 - (top - self.value.double())).to(like.dtype)


def faded(x: Tensor, share: float) -> Tensor:
    """Images of a scale that has faded in by `share`: the rest of them is the scale below, enlarged."""
    if share == 1:
        return x
    return torch.lerp(upsample(F.avg_pool2d(x, 2), (x.shape[2], x.shape[3]), smooth=False), x, share)


class GrowingGenerator(nn.Module):
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
        return self._present(x) if self.training else self._full(x)

    def _present(self, x: Tensor) -> Tensor:
        """Images of the newest scale."""
        top, share = self.level.top, self.level.share
        held = x
        for i in range(1, top + 1):
            held, x = x, self._grown(x, i)
        new: Tensor = self.images[top](x)
        return new if share == 1 else self._faded(held, new, top, share)

    def _full(self, x: Tensor) -> Tensor:
        """Images of the full size, whatever the newest scale: all are made, and that one is chosen by the buffer."""
        newest, share = self.level.shares(len(self.sizes), x)
        image: Tensor = upsample(self.images[0](x), self.sizes[-1], smooth=False)
        for i in range(1, len(self.sizes)):
            held, x = x, self._grown(x, i)
            new = self._faded(held, self.images[i](x), i, share)
            image = torch.where(newest[i], upsample(new, self.sizes[-1], smooth=False), image)
        return image

    def _grown(self, x: Tensor, i: int) -> Tensor:
        """The maps of scale i, of those of the scale below."""
        out: Tensor = self.blocks[i - 1](upsample(x, self.sizes[i], smooth=False))
        return out

    def _faded(self, held: Tensor, new: Tensor, i: int, share: float | Tensor) -> Tensor:
        """Images of scale i, faded in over those of the scale below."""
        return torch.lerp(upsample(self.images[i - 1](held), self.sizes[i], smooth=False), new, share)


class GrowingTrunk(nn.Module):
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
        top, share = self.level.top, self.level.share
        y: Tensor = self.seen[top](x)
        for i in range(top, 0, -1):
            y = F.avg_pool2d(self.blocks[i - 1](y), 2)
            if i == top and share < 1:
                y = torch.lerp(self.seen[i - 1](F.avg_pool2d(x, 2)), y, share)
        out: Tensor = self.last(y)
        return out


class Progressive(Model):
    name = "progressive"
    z: int = Field(512, ge=1, description="width of the latent vector")
    width: int = Field(32, ge=1, description="channels at the image's size; doubled at each smaller map")
    widest: int = Field(512, ge=1, description="channels at most")
    hold: int | None = Field(None, ge=0, description="images that each scale is trained on before the next fades in")
    fade: int | None = Field(None, ge=1, description="images over which a scale fades in")
    group: int = Field(4, ge=1, description="samples per minibatch standard deviation")

    def generator(self, spec: Images, condition: int) -> nn.Module:
        return GrowingGenerator(self, spec, condition)

    def discriminator(self, spec: Images, condition: int) -> Trunk:
        net = GrowingTrunk(self, spec, condition)
        return PlainTrunk(net, net.last[-2].weight.shape[0], equalize)  # type: ignore[index, arg-type]

    def resolved(self, images: int, spec: Images) -> Self:
        """Not given: all scales have come after two fifths of the run."""
        span = max(1, round(GROWING * images / 2 / max(1, len(map_sizes(spec)) - 1)))
        return self.replace(hold=span if self.hold is None else self.hold, fade=self.fade or span)

    def level(self, images: int, scales: int) -> float:
        """The level after so many images, 0 to scales - 1: hold, fade, hold, fade, ..., hold."""
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
        return faded(x, level.share)


def _levels(nets: Nets) -> list[Level]:
    return [m for net in nets.values() for m in net.modules() if isinstance(m, Level)]
