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

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.core.contracts import Model, Nets, Tick, Trunk
from gancli.core.specs import Images
from gancli.models.blocks import EqualConv, EqualLinear, Leaky, MinibatchStddev, equalized, up
from gancli.models.layers import PlainTrunk, Reshape, halvings, stages, widths
from gancli.models.norms import PixelNorm

Size = tuple[int, int]
GROWING = 0.4  # share of a run in which scales come
PAPER = 600_000  # images that a scale is held, and faded; of a net that was never fitted to a run


class Level(nn.Module):
    """How far a net has grown, in scales."""

    def __init__(self) -> None:
        super().__init__()
        self.value: Tensor
        self.register_buffer("value", torch.zeros((), dtype=torch.float32))

    def now(self) -> tuple[int, float]:
        """The newest scale that is seen, and its share: 1 where none is fading."""
        level = float(self.value)
        top = math.ceil(level)
        return top, 1 - (top - level)


def faded(x: Tensor, share: float) -> Tensor:
    """Images of a scale that has faded in by `share`: the rest of them is the scale below, enlarged."""
    if share == 1:
        return x
    return torch.lerp(up(F.avg_pool2d(x, 2), (x.shape[2], x.shape[3]), smooth=False), x, share)


class GrowingGenerator(nn.Module):
    def __init__(self, cfg: Progressive, spec: Images, condition: int) -> None:
        super().__init__()
        self.sizes = stages(spec)[::-1]
        wide = widths(cfg.width, cfg.widest, len(self.sizes))[::-1]
        self.level, self.unit = Level(), PixelNorm()
        h, w = self.sizes[0]
        dense = [EqualLinear(cfg.z + condition, wide[0] * h * w), Reshape(wide[0], h, w), Leaky(), PixelNorm()]
        self.base = nn.Sequential(*dense, EqualConv(wide[0], wide[0]), Leaky(), PixelNorm())
        self.blocks = nn.ModuleList(_two(a, b, pixel=True) for a, b in pairwise(wide))
        self.images = nn.ModuleList(EqualConv(c, spec.channels, 1) for c in wide)

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        top, share = self.level.now()
        z = self.unit(z)
        x: Tensor = self.base(z if c is None else torch.cat([z, c.to(z.dtype)], 1))
        image: Tensor = self.images[0](x)
        held = x
        for i in range(1, top + 1):
            x = self.blocks[i - 1](up(x, self.sizes[i], smooth=False))
            if i == top:
                new = self.images[i](x)
                before = up(self.images[i - 1](held), self.sizes[i], smooth=False) if share < 1 else new
                image = torch.lerp(before, new, share)
            held = x
        return image if self.training else up(image, self.sizes[-1], smooth=False)


class GrowingTrunk(nn.Module):
    def __init__(self, cfg: Progressive, spec: Images, condition: int) -> None:
        super().__init__()
        self.sizes = stages(spec)[::-1]
        wide = widths(cfg.width, cfg.widest, len(self.sizes))[::-1]
        self.level = Level()
        self.seen = nn.ModuleList(nn.Sequential(EqualConv(spec.channels + condition, c, 1), Leaky()) for c in wide)
        self.blocks = nn.ModuleList(_two(b, a) for a, b in pairwise(wide))
        h, w = self.sizes[0]
        last = [MinibatchStddev(cfg.group), EqualConv(wide[0] + 1, wide[0]), Leaky(), nn.Flatten()]
        self.last = nn.Sequential(*last, EqualLinear(wide[0] * h * w, wide[0]), Leaky())

    def forward(self, x: Tensor) -> Tensor:
        top, share = self.level.now()
        y: Tensor = self.seen[top](x)
        for i in range(top, 0, -1):
            y = F.avg_pool2d(self.blocks[i - 1](y), 2)
            if i == top and share < 1:
                y = torch.lerp(self.seen[i - 1](F.avg_pool2d(x, 2)), y, share)
        out: Tensor = self.last(y)
        return out


def _two(a: int, b: int, pixel: bool = False) -> nn.Sequential:
    """Two convolutions; D's widen in the second, G's in the first."""
    inner = b if pixel else a
    norms = [[PixelNorm()] if pixel else [] for _ in range(2)]
    return nn.Sequential(EqualConv(a, inner), Leaky(), *norms[0], EqualConv(inner, b), Leaky(), *norms[1])


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
        return PlainTrunk(net, net.last[-2].weight.shape[0], equalized)  # type: ignore[index, arg-type]

    def resolved(self, images: int, spec: Images) -> Self:
        """Not given: all scales have come after two fifths of the run."""
        span = max(1, round(GROWING * images / 2 / max(1, len(stages(spec)) - 1)))
        return self.but(hold=span if self.hold is None else self.hold, fade=self.fade or span)

    def level(self, images: int, scales: int) -> float:
        """The level after so many images, 0 to scales - 1: hold, fade, hold, fade, ..., hold."""
        hold, fade = PAPER if self.hold is None else self.hold, self.fade or PAPER
        k, rest = divmod(images, hold + fade)
        return min(scales - 1.0, k + max(0, rest - hold) / fade)

    def prepare(self, nets: Nets, spec: Images, tick: Tick) -> None:
        for level in _levels(nets):
            level.value.fill_(self.level(tick.images, len(stages(spec))))

    def view(self, nets: Nets, x: Tensor) -> Tensor:
        top, share = _levels(nets)[0].now()
        for _ in range(len(halvings(x.shape[2], x.shape[3])) - 1 - top):
            x = F.avg_pool2d(x, 2)
        return faded(x, share)


def _levels(nets: Nets) -> list[Level]:
    return [m for net in nets.values() for m in net.modules() if isinstance(m, Level)]
