"""Layers of the larger models: attention, minibatch stddev, noise, equalized learning rate, weight modulation, resampling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import prod, sqrt

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.core import sharding
from gancli.core.seeds import generator
from gancli.models.layers import Reshape
from gancli.models.norms import PixelNorm

NoiseOf = Sequence[int] | Mapping[int, Tensor] | None  # seeds of N samples, or the noise itself [N, 1, H, W] by layer


class SelfAttention(nn.Module):
    """Self-attention over the positions of a feature map (SAGAN, 1805.08318, equations 1 to 3), as in the published code.

        o_j = v( sum_i softmax_i( f(x_i) . g(x_j) ) h(x_i) ),    y = x + gamma o,    gamma initially 0

    f, g: C -> C/8 and h: C -> C/2 are 1x1 convolutions. f (keys) and h (values) are max-pooled 2x2, which divides the
    number of keys by four.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        small, half = max(1, channels // 8), max(1, channels // 2)
        self.f, self.g = nn.Conv2d(channels, small, 1, bias=False), nn.Conv2d(channels, small, 1, bias=False)
        self.h, self.v = nn.Conv2d(channels, half, 1, bias=False), nn.Conv2d(half, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        n, _, height, width = x.shape
        keys = F.max_pool2d(self.f(x), 2).flatten(2)  # [N, C/8, P/4]
        queries = self.g(x).flatten(2)  # [N, C/8, P]
        values = F.max_pool2d(self.h(x), 2).flatten(2)  # [N, C/2, P/4]
        weights = (keys.transpose(1, 2) @ queries).float().softmax(1).to(x.dtype)  # [N, P/4, P]
        out: Tensor = self.v((values @ weights).reshape(n, -1, height, width))
        return x + self.gamma * out


class MinibatchStddev(nn.Module):
    """Append a channel with the standard deviation over a group of samples, averaged over features (1710.10196, section 3)."""

    batch_statistics = True

    def __init__(self, group: int = 4) -> None:
        super().__init__()
        self.group = group

    def forward(self, x: Tensor) -> Tensor:
        n, _, h, w = x.shape
        ranks = sharding.group()
        if ranks is not None:
            return torch.cat([x, self._across_ranks(x, ranks)], 1)
        group = next(g for g in range(min(self.group, n), 0, -1) if n % g == 0)
        y = x.float().reshape(group, n // group, -1)
        std = ((y - y.mean(0)).square().mean(0) + 1e-8).sqrt().mean(1)  # [N / group]
        plane = std.repeat(group).to(x.dtype).reshape(n, 1, 1, 1).expand(n, 1, h, w)
        return torch.cat([x, plane], 1)

    def _across_ranks(self, x: Tensor, ranks: sharding.Group) -> Tensor:
        """The channel [N, 1, H, W] if the samples of a group are on several ranks: sums over groups are gathered."""
        n, _, h, w = x.shape
        total = n * ranks.world
        group = next(g for g in range(min(self.group, total), 0, -1) if total % g == 0)
        index = (torch.arange(n, device=x.device) + ranks.rank * n) % (total // group)  # the group of each sample
        y = x.float().flatten(1)
        zeros = y.new_zeros(total // group, y.shape[1])
        mean = ranks.gather(zeros.index_add(0, index, y)).sum(0) / group
        variance = ranks.gather(zeros.index_add(0, index, (y - mean[index]).square())).sum(0) / group
        std = (variance + 1e-8).sqrt().mean(1)
        return std[index].to(x.dtype).reshape(n, 1, 1, 1).expand(n, 1, h, w)


class Noise(nn.Module):
    """x + strength * noise, one value per pixel (StyleGAN, 1812.04948, section 2); strength is learned, initially 0.

    In training, the noise comes from torch's default generator, which the engine seeds. Otherwise it is a function of the
    seed of each sample and the key of this layer, or, without seeds, the same for all samples, or what is given.
    """

    def __init__(self, key: int, height: int, width: int) -> None:
        super().__init__()
        self.key = key
        self.strength = nn.Parameter(torch.zeros(()))
        self.fixed: Tensor
        noise = torch.randn(1, 1, height, width, generator=generator("noise", key), device="cpu")
        self.register_buffer("fixed", noise.to(self.strength.device), persistent=False)

    def forward(self, x: Tensor, seeds: NoiseOf = None) -> Tensor:
        n, _, h, w = x.shape
        if self.training:
            noise = sharding.randn(n, 1, h, w, like=x)
        elif isinstance(seeds, Mapping):
            noise = seeds[self.key].to(x.dtype)
        elif seeds is not None:
            each = [torch.randn(1, h, w, generator=generator("noise", self.key, s)) for s in seeds]
            noise = torch.stack(each).to(x.device, x.dtype)
        else:
            noise = self.fixed.to(x.dtype)
        return x + self.strength * noise


class EqualLinear(nn.Module):
    """Linear layer with equalized learning rate (1710.10196, section 4.1): weights N(0, 1), scaled in the forward pass.

    Args:
        a: input width.
        b: output width.
        bias: whether there is a bias.
        bias_init: initial value of the bias.
        lr_multiplier: factor of the effective learning rate (1812.04948, appendix C).
    """

    def __init__(self, a: int, b: int, bias: bool = True, bias_init: float = 0.0, lr_multiplier: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(b, a) / lr_multiplier)
        self.bias = nn.Parameter(torch.full((b,), bias_init / lr_multiplier)) if bias else None
        self.scale, self.lr_multiplier = lr_multiplier / sqrt(a), lr_multiplier

    def forward(self, x: Tensor) -> Tensor:
        bias = None if self.bias is None else self.bias * self.lr_multiplier
        return F.linear(x, self.weight * self.scale, bias)


class EqualConv(nn.Module):
    """k x k convolution with equalized learning rate and `same` padding, [N, a, H, W] -> [N, b, H, W]."""

    def __init__(self, a: int, b: int, k: int = 3, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(b, a, k, k))
        self.bias = nn.Parameter(torch.zeros(b)) if bias else None
        self.scale, self.padding = 1 / sqrt(a * k * k), k // 2

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.scale, self.bias, padding=self.padding)


class ModulatedConv(nn.Module):
    """Weight modulation and demodulation (StyleGAN2, 1912.04958, equations 1 and 3).

        w'_ijk = s_i w_ijk,    w''_ijk = w'_ijk / sqrt(sum_ik w'_ijk^2 + eps)

    The style s = A(w) has one entry per input channel, with bias initially 1. Instead of a convolution with different
    weights for each sample, the feature maps are scaled before and after one shared convolution, which is equivalent.
    """

    def __init__(self, a: int, b: int, style: int, k: int = 3, demodulate: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(b, a, k, k))
        self.style = EqualLinear(style, a, bias_init=1.0)
        self.scale, self.padding, self.demodulate = 1 / sqrt(a * k * k), k // 2, demodulate

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """x [N, a, H, W], w [N, style] -> [N, b, H, W]."""
        s = self.style(w)
        out = F.conv2d(x * s[:, :, None, None], self.weight * self.scale, padding=self.padding)
        if self.demodulate:
            power = (self.weight.float() * self.scale).square().sum((2, 3))  # [b, a]
            d = (s.float().square() @ power.t() + 1e-8).rsqrt().to(x.dtype)
            out = out * d[:, :, None, None]
        return out


def equalize(head: nn.Module) -> nn.Module:
    """Replace the linear layers of a head by layers with equalized learning rate.

    The scale is 1 / sqrt(max(inputs, outputs)), so that the vectors of an embedding table initially have norm about 1.

    Args:
        head: a head of D; changed in place.

    Returns:
        The same module.
    """
    for name, child in head.named_children():
        if isinstance(child, nn.Linear):
            a, b = child.in_features, child.out_features
            layer = EqualLinear(a, b, child.bias is not None)
            layer.scale = 1 / sqrt(max(a, b))
            setattr(head, name, layer)
    return head


def conv_layers(*widths: int, pixel: bool = False) -> list[nn.Module]:
    """3x3 convolutions with equalized learning rate and leaky ReLU.

    Args:
        widths: channels, from the input to the last output.
        pixel: whether pixel norm follows each convolution.

    Returns:
        The layers, for `nn.Sequential`.
    """
    layers: list[nn.Module] = []
    for a, b in pairwise(widths):
        layers += [EqualConv(a, b), ScaledLeakyReLU(), *([PixelNorm()] if pixel else [])]
    return layers


def initial_block(inputs: int, channels: int, size: tuple[int, int]) -> nn.Sequential:
    """The first block of a generator (1710.10196): [N, inputs] -> feature maps [N, channels, *size]."""
    dense = EqualLinear(inputs, channels * prod(size))
    return nn.Sequential(
        dense, Reshape(channels, *size), ScaledLeakyReLU(), PixelNorm(), *conv_layers(channels, channels, pixel=True)
    )


def scaled_leaky_relu(x: Tensor) -> Tensor:
    """Leaky ReLU (0.2) with a gain of sqrt(2), which preserves the variance (1812.04948)."""
    return F.leaky_relu(x, 0.2) * sqrt(2)


class ScaledLeakyReLU(nn.Module):
    """`scaled_leaky_relu` as a module."""

    def forward(self, x: Tensor) -> Tensor:
        return scaled_leaky_relu(x)


def upsample(x: Tensor, size: tuple[int, int], smooth: bool = True) -> Tensor:
    """Upsample feature maps. At the border, the outermost values are repeated (published codes of StyleGAN2 and R3GAN: zeros).

    Args:
        x: [N, C, H, W].
        size: (height, width) of the output, about twice those of x.
        smooth: bilinear, which for factor 2 is the filter [1, 3, 3, 1] of StyleGAN2 (1912.04958); False: nearest neighbor.

    Returns:
        [N, C, *size].
    """
    if smooth:
        return F.interpolate(x, size, mode="bilinear", align_corners=False)
    return F.interpolate(x, size, mode="nearest")


def downsample(x: Tensor, smooth: bool = True) -> Tensor:
    """Downsample feature maps by 2.

    Args:
        x: [N, C, H, W].
        smooth: filter with [1, 3, 3, 1] / 8 in each direction (1912.04958); False: 2x2 average pooling.

    Returns:
        [N, C, H // 2, W // 2].
    """
    if not smooth:
        return F.avg_pool2d(x, 2)
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0], device=x.device, dtype=x.dtype) / 8
    kernel = (taps[:, None] * taps).expand(x.shape[1], 1, 4, 4)
    return F.conv2d(x, kernel, stride=2, padding=1, groups=x.shape[1])
