"""StyleGAN2 (1912.04958) in plain torch: mapping network, weight modulation, noise, skip generator, residual discriminator.

    w = f(z / |z|),    each layer: x -> lrelu(modulated_conv(x, w) + strength * noise + b),    image = sum of RGB of all scales

Sizes of 8 to 1,024 are possible: feature maps are halved while both sides are at least 8. Channels are `width` at the image size,
doubled with each halving, at most `widest`. Path-length regularization is the penalty `path-length`.

Departs from the published code (NVlabs/stylegan2-ada-pytorch): the smallest scale of G has two styled convolutions (one); the RGB
layer of a scale has the style of its second convolution (that of the next scale's first, which differs under style mixing only);
upsampling repeats the border of feature maps (zeros), so that G has no darker border; D downsamples before its second convolution
(the convolution has stride 2 on the blurred map), which takes a third of the time; the average of w is updated once per step (in
each pass of G, that is twice).
"""

from __future__ import annotations

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
    NoiseOf,
    ScaledLeakyReLU,
    conv_layers,
    downsample,
    equalize,
    scaled_leaky_relu,
    upsample,
)
from gancli.models.layers import PlainTrunk, map_sizes, widths
from gancli.models.norms import pixel_norm

AVERAGE = 0.995  # decay of the average of w, per step


class Mapping(nn.Module):
    """Mapping network: z [N, z], c [N, condition] or None -> w [N, w].

    The moving average of w, a buffer, is the center of truncation: w' = mean + psi (w - mean).
    """

    def __init__(self, z: int, condition: int, width: int, depth: int, rate: float) -> None:
        super().__init__()
        self.embed = EqualLinear(condition, z) if condition else None
        before = 2 * z if condition else z
        sizes = [before] + [width] * depth
        layers = [EqualLinear(a, b, lr_multiplier=rate) for a, b in pairwise(sizes)]
        self.layers = nn.ModuleList(layers)
        self.mean: Tensor
        self.register_buffer("mean", torch.zeros(width))

    def forward(self, z: Tensor, c: Tensor | None = None, truncation: float = 1.0, track: bool = True) -> Tensor:
        w = pixel_norm(z)
        if self.embed is not None and c is not None:
            w = torch.cat([w, pixel_norm(self.embed(c.to(z.dtype)))], 1)
        for layer in self.layers:
            w = scaled_leaky_relu(layer(w))
        if track and self.training and torch.is_grad_enabled():  # in G's steps only, whatever n_critic is
            with torch.no_grad():
                rate = (1 - AVERAGE) * sharding.fraction()
                self.mean.lerp_(sharding.mean_over_ranks(w.detach().float().mean(0)), rate)
        return w if truncation == 1 else torch.lerp(self.mean.to(w.dtype), w, truncation)


class StyledConv(nn.Module):
    """Modulated convolution, noise, bias, leaky ReLU: [N, a, H, W] -> [N, b, H, W]."""

    def __init__(self, a: int, b: int, style: int, key: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.conv, self.noise = ModulatedConv(a, b, style), Noise(key, *size)
        self.bias = nn.Parameter(torch.zeros(b))

    def forward(self, x: Tensor, w: Tensor, seeds: NoiseOf = None) -> Tensor:
        return scaled_leaky_relu(self.noise(self.conv(x, w), seeds) + self.bias[:, None, None])


class ToRGB(nn.Module):
    """1x1 modulated convolution without demodulation: feature maps [N, a, H, W] -> images [N, channels, H, W]."""

    def __init__(self, a: int, channels: int, style: int) -> None:
        super().__init__()
        self.conv = ModulatedConv(a, channels, style, k=1, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        out: Tensor = self.conv(x, w) + self.bias[:, None, None]
        return out


class StyleGenerator(nn.Module):
    """Mapping (`styles`) and synthesis (`synthesis`) network. Each of the `depth` layers has its own w."""

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

    def forward(self, z: Tensor, c: Tensor | None = None, seeds: NoiseOf = None, truncation: float = 1.0) -> Tensor:
        w = self.styles(z, c, truncation)
        if self.training and self.mixing:
            other = self.styles(sharding.randn(*z.shape, like=z), c, track=False)
            cut = sharding.randint(1, self.depth, (len(z), 1, 1), device=z.device)
            cut = torch.where(sharding.rand(len(z), 1, 1, like=z.float()) < self.mixing, cut, self.depth)
            w = torch.where(torch.arange(self.depth, device=z.device)[:, None] < cut, w, other)
        return self.synthesis(w, seeds)

    def styles(self, z: Tensor, c: Tensor | None = None, truncation: float = 1.0, track: bool = True) -> Tensor:
        """The mapping network: w [N, depth, w], the same for all layers. `track`: in training, update the average of w."""
        w: Tensor = self.mapping(z, c, truncation, track)
        return w[:, None].expand(-1, self.depth, -1)

    def synthesis(self, w: Tensor, seeds: NoiseOf = None) -> Tensor:
        """The synthesis network: w [N, depth, w] and seeds of the noise (see `Noise`) -> images [N, C, H, W]."""
        x = self.const.expand(w.shape[0], -1, -1, -1)
        image: Tensor | None = None
        for i, size in enumerate(self.sizes):
            x = self.first[i](upsample(x, size) if i else x, w[:, 2 * i], seeds)
            x = self.second[i](x, w[:, 2 * i + 1], seeds)
            layer = self.rgb[i](x, w[:, 2 * i + 1])
            image = layer if image is None else upsample(image, size) + layer
        return cast(Tensor, image)


class Down(nn.Module):
    """Block of two convolutions with downsampling, [N, a, H, W] -> [N, b, H // 2, W // 2] (1912.04958, figure 7c).

    Args:
        a: channels of the input.
        b: channels of the output.
        residual: whether there is a 1x1 skip convolution.
    """

    def __init__(self, a: int, b: int, residual: bool) -> None:
        super().__init__()
        self.first, self.second = EqualConv(a, a), EqualConv(a, b)
        self.skip = EqualConv(a, b, 1, bias=False) if residual else None

    def forward(self, x: Tensor) -> Tensor:
        y = scaled_leaky_relu(self.second(downsample(scaled_leaky_relu(self.first(x)))))
        if self.skip is None:
            return y
        out: Tensor = (y + self.skip(downsample(x))) / sqrt(2)
        return out


class Style(Model):
    name = "style"
    z: int = Field(512, ge=1, description="width of the latent vector")
    w: int = Field(512, ge=1, description="width of w")
    mapping: int = Field(8, ge=1, description="layers of the mapping network")
    mapping_rate: float = Field(0.01, gt=0, description="learning-rate multiplier of the mapping network")
    width: int = Field(32, ge=1, description="channels at the image size; doubled at each smaller scale")
    widest: int = Field(512, ge=1, description="maximum number of channels")
    mixing: float = Field(0.0, ge=0, le=1, description="probability of style mixing")
    group: int = Field(4, ge=1, description="group size of minibatch stddev; 1: off")
    residual: bool = Field(True, description="skip convolutions in D; false: as 2006.06676 for CIFAR-10")

    def generator(self, spec: Images, condition: int) -> nn.Module:
        mapping = Mapping(self.z, condition, self.w, self.mapping, self.mapping_rate)
        return StyleGenerator(mapping, self.w, widths(self.width, self.widest, len(map_sizes(spec))), spec, self.mixing)

    def discriminator(self, spec: Images, condition: int) -> Trunk:
        sizes = map_sizes(spec)
        wide = widths(self.width, self.widest, len(sizes))
        layers: list[nn.Module] = [EqualConv(spec.channels + condition, wide[0], 1), ScaledLeakyReLU()]
        layers += [Down(a, b, self.residual) for a, b in pairwise(wide)]
        layers += [MinibatchStddev(self.group)] if self.group > 1 else []
        h, w = sizes[-1]
        layers += [*conv_layers(wide[-1] + (self.group > 1), wide[-1]), nn.Flatten()]
        layers += [EqualLinear(wide[-1] * h * w, wide[-1]), ScaledLeakyReLU()]
        return PlainTrunk(nn.Sequential(*layers), wide[-1], equalize)
