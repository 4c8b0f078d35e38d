"""Layers of the larger families: attention, minibatch statistics, noise, equalized and modulated convolutions, resampling."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod, sqrt

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.core import sharding
from gancli.core.seeds import generator
from gancli.models.layers import Reshape
from gancli.models.norms import PixelNorm


class SelfAttention(nn.Module):
    """Self-attention over a map's places (SAGAN, 1805.08318, equations 1 to 3), in the published code's economical form.

        o_j = v( sum_i softmax_i( f(x_i) . g(x_j) ) h(x_i) ),    y = x + gamma o,    gamma = 0 at the start

    f, g: C -> C/8, h: C -> C/2; f and h are max-pooled 2x2, which quarters the places that are attended to.
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
    """One more plane: the standard deviation over groups of samples, averaged (1710.10196, section 3)."""

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
        spread = ((y - y.mean(0)).square().mean(0) + 1e-8).sqrt().mean(1)  # [N / group]
        plane = spread.repeat(group).to(x.dtype).reshape(n, 1, 1, 1).expand(n, 1, h, w)
        return torch.cat([x, plane], 1)

    def _across_ranks(self, x: Tensor, ranks: sharding.Group) -> Tensor:
        """The same where a group's samples lie on several ranks: sums of each group, gathered."""
        n, _, h, w = x.shape
        total = n * ranks.world
        group = next(g for g in range(min(self.group, total), 0, -1) if total % g == 0)
        of = (torch.arange(n, device=x.device) + ranks.rank * n) % (total // group)
        y = x.float().flatten(1)
        none = y.new_zeros(total // group, y.shape[1])
        mean = ranks.gather(none.index_add(0, of, y)).sum(0) / group
        variance = ranks.gather(none.index_add(0, of, (y - mean[of]).square())).sum(0) / group
        spread = (variance + 1e-8).sqrt().mean(1)
        return spread[of].to(x.dtype).reshape(n, 1, 1, 1).expand(n, 1, h, w)


class Noise(nn.Module):
    """x + strength * noise, one value per place (StyleGAN, 1812.04948, section 2); strength is learned, 0 at the start.

    In training the noise comes from torch's generator, which the engine seeds. Else it is a function of the sample's seed and of
    this layer's key, or, without seeds, the same for every sample.
    """

    def __init__(self, key: int, height: int, width: int) -> None:
        super().__init__()
        self.key = key
        self.strength = nn.Parameter(torch.zeros(()))
        self.fixed: Tensor
        noise = torch.randn(1, 1, height, width, generator=generator("noise", key), device="cpu")
        self.register_buffer("fixed", noise.to(self.strength.device), persistent=False)

    def forward(self, x: Tensor, seeds: Sequence[int] | None = None) -> Tensor:
        n, _, h, w = x.shape
        if self.training:
            noise = sharding.randn(n, 1, h, w, like=x)
        elif seeds is not None:
            each = [torch.randn(1, h, w, generator=generator("noise", self.key, s)) for s in seeds]
            noise = torch.stack(each).to(x.device, x.dtype)
        else:
            noise = self.fixed.to(x.dtype)
        return x + self.strength * noise


class EqualLinear(nn.Module):
    """A linear layer with equalized learning rate (1710.10196, section 4.1): weights N(0, 1), scaled at each use.

    `rate` slows the layer's learning (1812.04948): its weights start `1 / rate` as large and count for `rate` as much.
    """

    def __init__(self, a: int, b: int, bias: bool = True, start: float = 0.0, rate: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(b, a) / rate)
        self.bias = nn.Parameter(torch.full((b,), start / rate)) if bias else None
        self.scale, self.rate = rate / sqrt(a), rate

    def forward(self, x: Tensor) -> Tensor:
        bias = None if self.bias is None else self.bias * self.rate
        return F.linear(x, self.weight * self.scale, bias)


class EqualConv(nn.Module):
    """A convolution with equalized learning rate and an output of the input's size (`padding` k // 2)."""

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

    s = A(w) + 1 is the style of input channel i. Scaling the maps before and after one shared convolution gives the same as
    a convolution with each sample's own weights.
    """

    def __init__(self, a: int, b: int, style: int, k: int = 3, demodulate: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(b, a, k, k))
        self.style = EqualLinear(style, a, start=1.0)
        self.scale, self.padding, self.demodulate = 1 / sqrt(a * k * k), k // 2, demodulate

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """x [N, A, H, W], w [N, style] -> [N, B, H, W]."""
        s = self.style(w)
        out = F.conv2d(x * s[:, :, None, None], self.weight * self.scale, padding=self.padding)
        if self.demodulate:
            power = (self.weight.float() * self.scale).square().sum((2, 3))  # [B, A]
            d = (s.float().square() @ power.t() + 1e-8).rsqrt().to(x.dtype)
            out = out * d[:, :, None, None]
        return out


def equalize(head: nn.Module) -> nn.Module:
    """A head with its linear layers equalized. A table's rows, of which few are used at a time, start as large as it has columns."""
    for name, child in head.named_children():
        if isinstance(child, nn.Linear):
            a, b = child.in_features, child.out_features
            equal = EqualLinear(a, b, child.bias is not None)
            equal.scale = 1 / sqrt(max(a, b))
            setattr(head, name, equal)
    return head


def conv_layers(*widths: int, pixel: bool = False) -> list[nn.Module]:
    """3x3 convolutions with equalized learning rate from each width to the next, each with leaky and, if asked, pixel norm."""
    layers: list[nn.Module] = []
    for a, b in pairwise(widths):
        layers += [EqualConv(a, b), ScaledLeakyReLU(), *([PixelNorm()] if pixel else [])]
    return layers


def initial_block(inputs: int, channels: int, size: tuple[int, int]) -> nn.Sequential:
    """[N, inputs] -> maps [N, channels, *size], as G of 1710.10196 begins."""
    dense = EqualLinear(inputs, channels * prod(size))
    return nn.Sequential(
        dense, Reshape(channels, *size), ScaledLeakyReLU(), PixelNorm(), *conv_layers(channels, channels, pixel=True)
    )


def scaled_leaky_relu(x: Tensor) -> Tensor:
    """LeakyReLU 0.2 that keeps the variance (1812.04948's gain of sqrt 2)."""
    return F.leaky_relu(x, 0.2) * sqrt(2)


class ScaledLeakyReLU(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return scaled_leaky_relu(x)


def upsample(x: Tensor, size: tuple[int, int], smooth: bool = True) -> Tensor:
    """To about twice the size: bilinear, which is the filter [1, 3, 3, 1] of StyleGAN2; or each pixel repeated."""
    if smooth:
        return F.interpolate(x, size, mode="bilinear", align_corners=False)
    return F.interpolate(x, size, mode="nearest")


def downsample(x: Tensor, smooth: bool = True) -> Tensor:
    """To half the size, rounded down: the filter [1, 3, 3, 1] / 8 in each direction; or the mean of 2x2."""
    if not smooth:
        return F.avg_pool2d(x, 2)
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0], device=x.device, dtype=x.dtype) / 8
    kernel = (taps[:, None] * taps).expand(x.shape[1], 1, 4, 4)
    return F.conv2d(x, kernel, stride=2, padding=1, groups=x.shape[1])
