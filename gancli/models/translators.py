"""Layers of image-to-image nets: images of any size, nearest-neighbor upsampling, convolutions with reflection padding."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.models.norms import GroupNorm, NormName, norm

SMALLEST_NORM = 4  # side of a feature map; instance norm of 2x2 and 1x1 maps removes most or all of the information


def reflected(n: int, total: int) -> list[int]:
    """Indices of n pixels extended to `total` by reflection without repeating the last one, any number of times."""
    period = max(1, 2 * (n - 1))
    return [min(i % period, period - i % period) if n > 1 else 0 for i in range(total)]


def extended_size(n: int, grid: int, smallest: int) -> int:
    """The least multiple of `grid` that is not below n and `smallest`."""
    return -(-max(n, smallest) // grid) * grid


def extended(x: Tensor, grid: int, smallest: Sequence[int]) -> Tensor:
    """Extend images by reflection at the right and at the bottom.

    Args:
        x: [N, C, H, W].
        grid: height and width of the result are multiples of it.
        smallest: least height and width of the result.

    Returns:
        [N, C, H', W']; x itself if nothing is missing.
    """
    for dim, least in ((2, smallest[0]), (3, smallest[1])):
        n = x.shape[dim]
        total = extended_size(n, grid, least)
        if total > n:
            x = x.index_select(dim, torch.tensor(reflected(n, total), device=x.device))
    return x


class AnySize(nn.Module):
    """A fully convolutional net for images of any size: extended by reflection to what the net can halve, then cut back.

    Args:
        net: a module (x, features or None) -> images of the size of x, for sides that are multiples of `grid`.
        grid: of the net.
        smallest: least height and width, those of the training images.
    """

    def __init__(self, net: nn.Module, grid: int, smallest: tuple[int, int]) -> None:
        super().__init__()
        self.net, self.grid, self.smallest = net, grid, smallest

    def forward(self, x: Tensor, features: list[Tensor] | None = None) -> Tensor:
        height, width = x.shape[2:]
        out: Tensor = self.net(extended(x, self.grid, self.smallest), features)
        return out[:, :, :height, :width]

    def encode(self, x: Tensor) -> list[Tensor]:
        """The feature maps of the net's encoder, without those of its decoder."""
        found: list[Tensor] = self.net.encode(extended(x, self.grid, self.smallest))  # type: ignore[operator]
        return found


class UpConv(nn.Conv2d):
    """Nearest-neighbor upsampling by 2 and a 3x3 convolution (1603.07285), [N, a, H, W] -> [N, b, 2 H, 2 W].

    Computed as one transposed convolution, whose 4x4 kernel is the sum of shifted copies of the 3x3 kernel: the result is
    the same, with 4/9 of the multiplications. Unlike a free 4x4 kernel, it cannot produce checkerboard patterns. Edge
    pixels are repeated at the border.
    """

    def __init__(self, a: int, b: int) -> None:
        super().__init__(a, b, 3)

    def forward(self, x: Tensor) -> Tensor:
        kernel = self.weight.flip(2, 3).transpose(0, 1)  # [a, b, 3, 3]
        kernel = F.pad(kernel, (0, 1)) + F.pad(kernel, (1, 0))
        kernel = F.pad(kernel, (0, 0, 0, 1)) + F.pad(kernel, (0, 0, 1, 0))  # [a, b, 4, 4]
        x = F.pad(x, (1, 1, 1, 1), mode="replicate")
        return F.conv_transpose2d(x, kernel, self.bias, stride=2, padding=3)


def conv(a: int, b: int, k: int, stride: int = 1) -> nn.Conv2d:
    """A k x k convolution with reflection padding: [N, a, H, W] -> [N, b, H / stride, W / stride]."""
    return nn.Conv2d(a, b, k, stride, (k - 1) // 2, padding_mode="reflect")


def normalized(
    kind: NormName, channels: int, size: tuple[int, int] = (SMALLEST_NORM, SMALLEST_NORM)
) -> list[nn.Module]:
    """The normalization layer for feature maps that are of this size in training; none below 4x4.

    Instance norm is group norm with one channel per group, whose kernel is faster on a CPU.
    """
    if kind == "none" or min(size) < SMALLEST_NORM:
        return []
    return [GroupNorm(channels, channels) if kind == "instance" else norm(kind, channels)]


def initialize(net: nn.Module, std: float = 0.02) -> None:
    """Draw all weights of convolutions from N(0, std) and set biases to 0, as in 1611.07004, section 6.2."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, 0.0, std)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
