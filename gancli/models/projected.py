"""Projected GAN (2111.01007): several small critics of the feature maps of a frozen net, and the generator of FastGAN.

The maps of EfficientNet-Lite0 at strides 4, 8, 16 and 32 are mixed across channels by random 1x1 convolutions, and across scales,
from the smallest to the largest, by bilinear upsampling and random 3x3 convolutions (section 3.2). All of this is frozen, but
differentiable. Each mixed map has a critic of strided convolutions with spectral normalization; the logits are [N, 4].

Departs: critics without batch norm; small images are enlarged to `side` pixels only. Scores from the same net favor what is trained
against it: compare it with others by other features.
"""

from __future__ import annotations

from math import sqrt

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.core.nets import Trunk
from gancli.core.specs import Images
from gancli.models.efficientnet import STAGES, TAPS, pretrained
from gancli.models.fastgan import FastGAN
from gancli.models.layers import map_sizes
from gancli.models.norms import spectral_norm

STRIDES = (4, 8, 16, 32)
CHANNELS = tuple(STAGES[tap][-1] for tap in TAPS[1:])


def _random(a: int, b: int, k: int) -> Tensor:
    """The weight [b, a, k, k] of a random convolution (Kaiming normal)."""
    return nn.init.normal_(torch.empty(b, a, k, k), 0.0, sqrt(2 / (a * k * k)))


class ProjectedTrunk(Trunk):
    """Images [N, C, H, W] -> features [N, 4, width] of four critics."""

    def __init__(self, height: int, width: int, side: int, mixed: int, features: int) -> None:
        super().__init__()
        self.out_features = features
        factor = max(1.0, side / min(height, width))
        self.size = (round(height * factor), round(width * factor))
        self.critics = nn.ModuleList()
        for i, (stride, channels) in enumerate(zip(STRIDES, CHANNELS, strict=True)):
            self.register_buffer(f"across_channels{i}", _random(channels, mixed, 1))
            self.register_buffer(f"across_scales{i}", _random(mixed, mixed, 3))
            self.critics.append(_critic(min(-(-s // stride) for s in self.size), mixed, features))

    def wrap_head(self, head: nn.Module) -> nn.Module:
        return spectral_norm(head)

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:  # noqa: ARG002
        features = [critic(y.to(x.dtype)) for critic, y in zip(self.critics, self.mixed(x), strict=True)]
        return torch.stack(features, 1)

    def mixed(self, x: Tensor) -> list[Tensor]:
        """The projections of images: maps [N, mixed, h, w], the largest first; float32."""
        rgb = x.float() if x.shape[1] == 3 else x.float().mean(1, keepdim=True).expand(-1, 3, -1, -1)
        if rgb.shape[2:] != self.size:
            rgb = F.interpolate(rgb, self.size, mode="bilinear", align_corners=False)
        maps = pretrained(x.device).maps(rgb.contiguous(memory_format=torch.channels_last))[1:]
        out: list[Tensor] = []
        for i in reversed(range(len(STRIDES))):
            y = F.conv2d(maps[i], self.get_buffer(f"across_channels{i}"))
            if out:
                y = (y + F.interpolate(out[0], y.shape[2:], mode="bilinear", align_corners=False)) * sqrt(0.5)
            out.insert(0, F.conv2d(y, self.get_buffer(f"across_scales{i}"), padding=1))
        return out


class MeanPool(nn.Module):
    """[N, C, H, W] -> [N, C]."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


def _critic(side: int, inputs: int, features: int) -> nn.Module:
    """Halves the map while its shorter side is above 4, then one more convolution and the mean over positions."""
    layers: list[nn.Module] = []
    while side > 4:
        layers += [nn.Conv2d(inputs, features, 4, 2, 1), nn.LeakyReLU(0.2)]
        side, inputs = side // 2, features
    layers += [nn.Conv2d(inputs, features, 3, 1, 1), nn.LeakyReLU(0.2), MeanPool()]
    return spectral_norm(nn.Sequential(*layers))


class Projected(FastGAN):
    name = "projected"
    d_width: int = Field(64, ge=1, description="channels and features of the critics")
    mixed: int = Field(64, ge=1, description="channels of the mixed maps")
    side: int = Field(64, ge=32, le=1024, description="pixels that the shorter side of images is enlarged to")

    def discriminator(self, spec: Images, condition: int) -> Trunk:  # noqa: ARG002
        map_sizes(spec)
        return ProjectedTrunk(spec.height, spec.width, self.side, self.mixed, self.d_width)
