"""Multi-scale gradients (MSG-GAN, 1903.06048): G generates images at all scales, which are all inputs of D.

All scales are packed in one tensor [N, C, H, W + W // 2], as in a mipmap: the full image at the left, the smaller scales
below one another at its right, zeros elsewhere. Losses and penalties are the same as for plain images. D concatenates each
scale to its feature maps (the simplest variant of the paper). A gradient penalty takes one norm over all scales. The condition
vector is concatenated to z after pixel norm.
"""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.core.contracts import Nets
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


def packed(images: list[Tensor]) -> Tensor:
    """Pack images [N, C, H, W], [N, C, H // 2, W // 2], ... in one tensor [N, C, H, W + W // 2]."""
    height, width = images[0].shape[2], images[0].shape[3] // 2
    column = [F.pad(image, (0, width - image.shape[3])) for image in images[1:]]
    used = sum(image.shape[2] for image in column)
    column.append(images[0].new_zeros(*images[0].shape[:2], height - used, width))
    return torch.cat([images[0], torch.cat(column, 2)], 3)


def unpacked(x: Tensor, sizes: list[Size]) -> list[Tensor]:
    """The inverse of `packed`; `sizes` are (height, width) of all scales, the largest first."""
    out = [x[:, :, :, : sizes[0][1]]]
    at = 0
    for h, w in sizes[1:]:
        out.append(x[:, :, at : at + h, sizes[0][1] : sizes[0][1] + w])
        at += h
    return out


class MultiScaleGenerator(nn.Module):
    """(z [N, z], c) -> images of all scales, packed, in training; else images [N, C, H, W]."""

    normalizes_z = True

    def __init__(self, cfg: MultiScale, spec: Images, condition: int) -> None:
        super().__init__()
        self.sizes = map_sizes(spec)[::-1]
        wide = widths(cfg.width, cfg.widest, len(self.sizes))[::-1]
        blocks = [initial_block(cfg.z + condition, wide[0], self.sizes[0])]
        blocks += [nn.Sequential(*conv_layers(a, b, b, pixel=True)) for a, b in pairwise(wide)]
        self.unit, self.blocks = PixelNorm(), nn.ModuleList(blocks)
        self.images = nn.ModuleList(EqualConv(c, spec.channels, 1) for c in wide)

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        z = self.unit(z)
        x = z if c is None else torch.cat([z, c.to(z.dtype)], 1)
        images: list[Tensor] = []
        for i, block in enumerate(self.blocks):
            x = block(upsample(x, self.sizes[i], smooth=False) if i else x)
            if self.training or i == len(self.blocks) - 1:
                images.append(self.images[i](x))
        return packed(images[::-1]) if self.training else images[-1]


class MultiScaleTrunk(nn.Module):
    """Images of all scales, packed -> features [N, out_features]."""

    def __init__(self, cfg: MultiScale, spec: Images, condition: int) -> None:
        super().__init__()
        self.sizes = map_sizes(spec)
        wide = widths(cfg.width, cfg.widest, len(self.sizes))
        planes = spec.channels + condition
        self.first = nn.Sequential(EqualConv(planes, wide[0], 1), ScaledLeakyReLU())
        before = [wide[0], *(w + planes for w in wide[1:])]
        extra = int(cfg.group > 1)
        stats = [[MinibatchStddev(cfg.group)] if extra else [] for _ in wide]
        self.blocks = nn.ModuleList(
            nn.Sequential(*s, *conv_layers(a + extra, b, c))
            for s, a, b, c in zip(stats, before, wide, [*wide[1:], wide[-1]], strict=True)
        )
        h, w = self.sizes[-1]
        self.last = nn.Sequential(nn.Flatten(), EqualLinear(wide[-1] * h * w, wide[-1]), ScaledLeakyReLU())
        self.out_features = wide[-1]

    def forward(self, x: Tensor) -> Tensor:
        images = unpacked(x, self.sizes)
        y: Tensor = self.blocks[0](self.first(images[0]))
        for image, block in zip(images[1:], self.blocks[1:], strict=True):
            y = block(torch.cat([F.avg_pool2d(y, 2), image], 1))
        out: Tensor = self.last(y)
        return out


class MultiScale(Model):
    name = "msg"
    single_scale: ClassVar[bool] = False
    z: int = Field(512, ge=1, description="width of the latent vector")
    width: int = Field(32, ge=1, description="channels at the image size; doubled at each smaller scale")
    widest: int = Field(512, ge=1, description="maximum number of channels")
    group: int = Field(4, ge=1, description="group size of minibatch stddev; 1: off")

    def generator(self, spec: Images, condition: int) -> nn.Module:
        return MultiScaleGenerator(self, spec, condition)

    def discriminator(self, spec: Images, condition: int) -> Trunk:
        net = MultiScaleTrunk(self, spec, condition)
        return PlainTrunk(net, net.out_features, equalize)

    def view(self, nets: Nets, x: Tensor) -> Tensor:  # noqa: ARG002
        images = [x]
        for _ in halved_sizes(x.shape[2], x.shape[3])[1:]:
            images.append(F.avg_pool2d(images[-1], 2))
        return packed(images)
