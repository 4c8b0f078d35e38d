"""StyleGAN2's essentials (1912.04958) in plain torch: a mapping net, modulated convolutions, noise, skip and residual nets.

    w = f(z / |z|),    each layer: x -> scaled_leaky_relu(modulated_conv(x, w) + strength * noise + b),    image = sum of every scale's RGB

Not here: path-length regularization (switched off for small images in 2006.06676, too). Any size from 8 to 1,024: maps halve while
both sides are at least 8. Channels at a map are width * (smallest side of the image / of the map), at most `widest`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import sqrt
from typing import cast

import torch
from pydantic import Field
from torch import Tensor, nn

from gancli.core import sharding
from gancli.core.nets import Model, Trunk
from gancli.core.specs import Images
from gancli.models.blocks import (
    EqualConv,
    EqualLinear,
    MinibatchStddev,
    ModulatedConv,
    Noise,
    ScaledLeakyReLU,
    conv_layers,
    downsample,
    equalize,
    scaled_leaky_relu,
    upsample,
)
from gancli.models.layers import PlainTrunk, map_sizes, widths


class Mapping(nn.Module):
    """z [N, z], c [N, condition] or None -> w [N, w]. Remembers the mean w, towards which truncation shrinks."""

    def __init__(self, z: int, condition: int, width: int, depth: int, rate: float) -> None:
        super().__init__()
        self.embed = EqualLinear(condition, z) if condition else None
        before = 2 * z if condition else z
        sizes = [before] + [width] * depth
        layers = [EqualLinear(a, b, rate=rate) for a, b in pairwise(sizes)]
        self.layers = nn.ModuleList(layers)
        self.mean: Tensor
        self.register_buffer("mean", torch.zeros(width))

    def forward(self, z: Tensor, c: Tensor | None = None, truncation: float = 1.0) -> Tensor:
        w = _unit(z)
        if self.embed is not None and c is not None:
            w = torch.cat([w, _unit(self.embed(c.to(z.dtype)))], 1)
        for layer in self.layers:
            w = scaled_leaky_relu(layer(w))
        if self.training and torch.is_grad_enabled():  # once in a step of G, however often the critic asks for fakes
            with torch.no_grad():
                self.mean.lerp_(sharding.mean_over_ranks(w.detach().float().mean(0)), 0.002 * sharding.fraction())
        return w if truncation == 1 else torch.lerp(self.mean.to(w.dtype), w, truncation)


def _unit(z: Tensor) -> Tensor:
    return z * (z.float().square().mean(1, keepdim=True) + 1e-8).rsqrt().to(z.dtype)


class StyledConv(nn.Module):
    """Modulated convolution, noise, bias, leaky."""

    def __init__(self, a: int, b: int, style: int, key: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.conv, self.noise = ModulatedConv(a, b, style), Noise(key, *size)
        self.bias = nn.Parameter(torch.zeros(b))

    def forward(self, x: Tensor, w: Tensor, seeds: Sequence[int] | None = None) -> Tensor:
        return scaled_leaky_relu(self.noise(self.conv(x, w), seeds) + self.bias[:, None, None])


class ToRGB(nn.Module):
    def __init__(self, a: int, channels: int, style: int) -> None:
        super().__init__()
        self.conv = ModulatedConv(a, channels, style, k=1, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        out: Tensor = self.conv(x, w) + self.bias[:, None, None]
        return out


class StyleGenerator(nn.Module):
    """Mapping and synthesis. `styles` and `paint` are its two parts; layer i of `depth` has its own w."""

    sampling_options = True

    def __init__(self, mapping: Mapping, style: int, channels: list[int], spec: Images, mixing: float) -> None:
        super().__init__()
        self.mapping, self.mixing = mapping, mixing
        self.sizes = map_sizes(spec)[::-1]
        wide = channels[::-1]
        self.const = nn.Parameter(torch.randn(1, wide[0], *self.sizes[0]))
        into = [wide[0], *wide[:-1]]
        maps = list(enumerate(zip(into, wide, self.sizes, strict=True)))
        self.first = nn.ModuleList(StyledConv(a, b, style, 2 * i, size) for i, (a, b, size) in maps)
        self.second = nn.ModuleList(StyledConv(b, b, style, 2 * i + 1, size) for i, (_, b, size) in maps)
        self.rgb = nn.ModuleList(ToRGB(b, spec.channels, style) for b in wide)
        self.depth = 2 * len(wide)

    def forward(
        self, z: Tensor, c: Tensor | None = None, seeds: Sequence[int] | None = None, truncation: float = 1.0
    ) -> Tensor:
        w = self.styles(z, c, truncation)
        if self.training and self.mixing:
            other = self.styles(sharding.randn(*z.shape, like=z), c)
            cut = sharding.randint(1, self.depth, (len(z), 1, 1), device=z.device)
            cut = torch.where(sharding.rand(len(z), 1, 1, like=z.float()) < self.mixing, cut, self.depth)
            w = torch.where(torch.arange(self.depth, device=z.device)[:, None] < cut, w, other)
        return self.synthesis(w, seeds)

    def styles(self, z: Tensor, c: Tensor | None = None, truncation: float = 1.0) -> Tensor:
        """[N, depth, w]: the same w for every layer."""
        w: Tensor = self.mapping(z, c, truncation)
        return w[:, None].expand(-1, self.depth, -1)

    def synthesis(self, w: Tensor, seeds: Sequence[int] | None = None) -> Tensor:
        """[N, depth, w] -> images [N, C, H, W]; `seeds` are those of the noise."""
        x = self.const.expand(w.shape[0], -1, -1, -1)
        image: Tensor | None = None
        for i, size in enumerate(self.sizes):
            x = self.first[i](upsample(x, size) if i else x, w[:, 2 * i], seeds)
            x = self.second[i](x, w[:, 2 * i + 1], seeds)
            layer = self.rgb[i](x, w[:, 2 * i + 1])
            image = layer if image is None else upsample(image, size) + layer
        return cast(Tensor, image)


class ResidualDown(nn.Module):
    """Two convolutions and half the size, beside a 1x1 one (1912.04958, figure 7c)."""

    def __init__(self, a: int, b: int) -> None:
        super().__init__()
        self.first, self.second, self.skip = EqualConv(a, a), EqualConv(a, b), EqualConv(a, b, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = scaled_leaky_relu(self.second(downsample(scaled_leaky_relu(self.first(x)))))
        out: Tensor = (y + self.skip(downsample(x))) / sqrt(2)
        return out


class Style(Model):
    name = "style"
    z: int = Field(512, ge=1, description="width of the latent vector")
    w: int = Field(512, ge=1, description="width of the mapped vector")
    mapping: int = Field(8, ge=1, description="layers of the mapping net")
    mapping_rate: float = Field(0.01, gt=0, description="how slowly the mapping net learns")
    width: int = Field(32, ge=1, description="channels at the image's size; doubled at each smaller map")
    widest: int = Field(512, ge=1, description="channels at most")
    mixing: float = Field(0.0, ge=0, le=1, description="share of samples trained with two styles")
    group: int = Field(4, ge=1, description="samples per minibatch standard deviation; 1: without")

    def generator(self, spec: Images, condition: int) -> nn.Module:
        mapping = Mapping(self.z, condition, self.w, self.mapping, self.mapping_rate)
        return StyleGenerator(mapping, self.w, widths(self.width, self.widest, len(map_sizes(spec))), spec, self.mixing)

    def discriminator(self, spec: Images, condition: int) -> Trunk:
        sizes = map_sizes(spec)
        wide = widths(self.width, self.widest, len(sizes))
        layers: list[nn.Module] = [EqualConv(spec.channels + condition, wide[0], 1), ScaledLeakyReLU()]
        layers += [ResidualDown(a, b) for a, b in pairwise(wide)]
        layers += [MinibatchStddev(self.group)] if self.group > 1 else []
        h, w = sizes[-1]
        layers += [*conv_layers(wide[-1] + (self.group > 1), wide[-1]), nn.Flatten()]
        layers += [EqualLinear(wide[-1] * h * w, wide[-1]), ScaledLeakyReLU()]
        return PlainTrunk(nn.Sequential(*layers), wide[-1], equalize)
