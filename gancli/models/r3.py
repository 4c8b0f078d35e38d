"""The residual nets of R3GAN (2501.05441, section 4), without normalization or minibatch statistics.

A block is x + conv1x1(lrelu(conv3x3(lrelu(conv1x1(x))))) with a grouped 3x3 convolution, whose inner width is `expansion`
times the outer one. Initialization as in Fixup (1901.09321): the last convolution of a block is 0, the others are scaled by
L^(-1/4) for L blocks. Between scales there are resampling and, if the widths differ, a 1x1 convolution. G begins with a basis
of learned feature maps, weighted by a linear function of z; D ends with a depthwise convolution over the smallest feature
map. The output image is a linear function of the last feature map.

With `stem`, the most expensive feature maps, at the image size, are left out: D begins and G ends with a strided 4x4
convolution to or from half the image size, with a leaky ReLU, without which D would initially be linear.
"""

from __future__ import annotations

from itertools import pairwise
from math import sqrt

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.core.nets import Model, Trunk
from gancli.core.specs import Images
from gancli.models.blocks import downsample, upsample
from gancli.models.layers import PlainTrunk, map_sizes, widths

LEAKY_GAIN = sqrt(2 / (1 + 0.2**2))


def _conv(a: int, b: int, k: int = 1, groups: int = 1, gain: float = 1.0, bias: bool = False) -> nn.Conv2d:
    """A convolution with weights from N(0, gain^2 / fan_in) and bias 0."""
    conv = nn.Conv2d(a, b, k, padding=k // 2, groups=groups, bias=bias)
    nn.init.normal_(conv.weight, 0.0, gain / sqrt(a // groups * k * k))
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


def _stem(inputs: int, channels: int) -> nn.Module:
    """The first layer of D with `stem`: images -> feature maps of half the size."""
    conv = nn.Conv2d(inputs, channels, 4, 2, 1)
    nn.init.normal_(conv.weight, 0.0, LEAKY_GAIN / sqrt(16 * inputs))
    return nn.Sequential(conv, nn.LeakyReLU(0.2))


def _output(channels: int, spec: Images, size: tuple[int, int]) -> nn.Module:
    """The last layer of G with `stem`: feature maps of half the size -> images. The fan-in of a pixel is 4 * channels."""
    odd = (spec.height - 2 * size[0], spec.width - 2 * size[1])
    conv = nn.ConvTranspose2d(channels, spec.channels, 4, 2, 1, output_padding=odd)
    nn.init.normal_(conv.weight, 0.0, LEAKY_GAIN / sqrt(4 * channels))
    return nn.Sequential(nn.LeakyReLU(0.2), conv)


class Block(nn.Module):
    """Residual block, [N, channels, H, W] -> [N, channels, H, W].

    Args:
        channels: outer width.
        expansion: ratio of inner to outer width.
        group: channels per group of the 3x3 convolution.
        blocks: number L of blocks in the net.
    """

    def __init__(self, channels: int, expansion: float, group: int, blocks: int) -> None:
        super().__init__()
        groups = max(1, round(channels * expansion / group))
        inner = groups * group
        gain = LEAKY_GAIN * blocks**-0.25
        self.into = _conv(channels, inner, gain=gain, bias=True)
        self.spatial = _conv(inner, inner, 3, groups, gain=gain, bias=True)
        self.out = _conv(inner, channels, gain=0.0)

    def forward(self, x: Tensor) -> Tensor:
        y = F.leaky_relu(self.into(x), 0.2)
        return x + self.out(F.leaky_relu(self.spatial(y), 0.2))  # type: ignore[no-any-return]


class Up(nn.Module):
    """1x1 convolution, if the widths differ, then upsampling: [N, a, H, W] -> [N, b, *size]."""

    def __init__(self, a: int, b: int, size: tuple[int, int], smooth: bool) -> None:
        super().__init__()
        self.size, self.smooth = size, smooth
        self.width = _conv(a, b) if a != b else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return upsample(self.width(x), self.size, self.smooth)


class Down(nn.Module):
    """Downsampling, then 1x1 convolution, if the widths differ: [N, a, H, W] -> [N, b, H // 2, W // 2]."""

    def __init__(self, a: int, b: int, smooth: bool) -> None:
        super().__init__()
        self.smooth = smooth
        self.width = _conv(a, b) if a != b else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.width(downsample(x, self.smooth))  # type: ignore[no-any-return]


class Basis(nn.Module):
    """z [N, z], c [N, condition] or None -> learned feature maps [N, C, h, w], weighted by a linear function of (z, c)."""

    def __init__(self, inputs: int, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.maps = nn.Parameter(torch.randn(channels, *size))
        self.weigh = nn.Linear(inputs, channels, bias=False)
        nn.init.normal_(self.weigh.weight, 0.0, 1 / sqrt(inputs))

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        z = z if c is None else torch.cat([z, c.to(z.dtype)], 1)
        weights: Tensor = self.weigh(z)
        return self.maps * weights[:, :, None, None]


class R3Generator(nn.Module):
    """(z [N, z], c [N, condition] or None) -> images [N, C, H, W]."""

    def __init__(self, basis: Basis, net: nn.Module) -> None:
        super().__init__()
        self.basis, self.net = basis, net

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        images: Tensor = self.net(self.basis(z, c))
        return images


class R3(Model):
    name = "r3"
    z: int = Field(64, ge=1, description="width of the latent vector")
    g_width: int = Field(64, ge=1, description="channels of G at the image size; doubled at each smaller scale")
    d_width: int = Field(64, ge=1, description="channels of D at the image size; doubled at each smaller scale")
    widest: int = Field(256, ge=1, description="maximum number of channels")
    blocks: int = Field(2, ge=1, description="residual blocks per scale")
    expansion: float = Field(2.0, gt=0, description="ratio of inner to outer width of a block")
    group: int = Field(16, ge=1, description="channels per group of the 3x3 convolutions")
    smooth: bool = Field(True, description="bilinear resampling; false: nearest and average pooling, which is faster")
    stem: bool = Field(False, description="no blocks at the image size, several times faster")

    def _blocks(self, channels: int, scales: int) -> list[nn.Module]:
        """The residual blocks of one scale."""
        return [Block(channels, self.expansion, self.group, self.blocks * scales) for _ in range(self.blocks)]

    def generator(self, spec: Images, condition: int) -> nn.Module:
        image, *smaller = map_sizes(spec)
        sizes = (smaller if self.stem else [image, *smaller])[::-1]
        wide = widths(self.g_width, self.widest, len(sizes))[::-1]
        layers = self._blocks(wide[0], len(sizes))
        for a, b, size in zip(wide[:-1], wide[1:], sizes[1:], strict=True):
            layers += [Up(a, b, size, self.smooth), *self._blocks(b, len(sizes))]
        layers.append(_output(wide[-1], spec, sizes[-1]) if self.stem else _conv(wide[-1], spec.channels))
        return R3Generator(Basis(self.z + condition, wide[0], sizes[0]), nn.Sequential(*layers))

    def discriminator(self, spec: Images, condition: int) -> Trunk:
        sizes = map_sizes(spec)[int(self.stem) :]
        wide = widths(self.d_width, self.widest, len(sizes))
        inputs = spec.channels + condition
        layers: list[nn.Module] = [_stem(inputs, wide[0]) if self.stem else _conv(inputs, wide[0])]
        layers += self._blocks(wide[0], len(sizes))
        for a, b in pairwise(wide):
            layers += [Down(a, b, self.smooth), *self._blocks(b, len(sizes))]
        h, w = sizes[-1]
        last = nn.Conv2d(wide[-1], wide[-1], (h, w), groups=wide[-1], bias=False)
        nn.init.normal_(last.weight, 0.0, 1 / sqrt(h * w))
        return PlainTrunk(nn.Sequential(*layers, last, nn.Flatten()), wide[-1])
