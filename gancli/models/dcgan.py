"""DCGAN (1511.06434): strided convolutions, batch norm, weights initialized from N(0, 0.02).

Sizes of 8 to 1,024 are possible, square or not. The image size is halved while both sides are at least 8: 28x28 -> 7x7 in two
stages, 64x64 -> 4x4 in four. The number of channels doubles with each halving, up to `widest`.
"""

from __future__ import annotations

from typing import Literal, TypeVar

from pydantic import Field
from torch import Tensor, nn

from gancli.core.nets import Model, Trunk
from gancli.core.specs import Images
from gancli.models.blocks import upsample
from gancli.models.layers import (
    ChannelsLastConv,
    ConcatCondition,
    FlattenChannelsLast,
    PlainTrunk,
    ReshapeChannelsLast,
    map_sizes,
    widths,
)
from gancli.models.norms import NetChoice, NormName, applies_to, norm, spectral_norm


class SmoothUp(nn.Conv2d):
    """3x3 convolution, then bilinear upsampling, [N, a, H, W] -> [N, b, *size]: no phase of the grid has weights of its own."""

    def __init__(self, a: int, b: int, size: tuple[int, int], bias: bool) -> None:
        super().__init__(a, b, 3, padding=1, bias=bias)
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        return upsample(super().forward(x), self.size)


class DCGAN(Model):
    name = "dcgan"
    z: int = Field(100, ge=1, description="width of the latent vector")
    g_width: int = Field(64, ge=1, description="channels of G at half the image size")
    d_width: int = Field(64, ge=1, description="channels of D at half the image size")
    widest: int = Field(512, ge=1, description="maximum number of channels")
    slope: float = Field(0.2, ge=0, description="negative slope of D's leaky ReLU")
    g_norm: NormName = Field("batch", description="normalization of G")
    d_norm: NormName = Field("batch", description="normalization of D; not batch with a gradient penalty")
    up: Literal["transposed", "smooth"] = Field(
        "transposed", description="how G enlarges maps; smooth: 3x3 convolution, then bilinear, without grid patterns"
    )
    spectral: NetChoice = Field("none", description="nets with spectral normalization (1802.05957)")

    def generator(self, spec: Images, condition: int) -> nn.Module:
        sizes = map_sizes(spec)
        wide = widths(self.g_width, self.widest, len(sizes) - 1)[::-1]
        h, w = sizes[-1]
        bare = self.g_norm == "none"
        layers: list[nn.Module] = [
            nn.Linear(self.z + condition, wide[0] * h * w, bias=bare),
            ReshapeChannelsLast(wide[0], h, w),
        ]
        layers += [norm(self.g_norm, wide[0]), nn.ReLU(inplace=True)]
        for i, size in enumerate(sizes[-2::-1]):
            last = i + 1 == len(wide)
            out = spec.channels if last else wide[i + 1]
            layers.append(self._up(wide[i], out, sizes[-1 - i], size, bias=last or bare))
            layers += [nn.Tanh()] if last else [norm(self.g_norm, out), nn.ReLU(inplace=True)]
        net = _initialized(nn.Sequential(*layers))
        return ConcatCondition(spectral_norm(net) if applies_to(self.spectral, "G") else net)

    def _up(self, a: int, b: int, before: tuple[int, int], after: tuple[int, int], bias: bool) -> nn.Module:
        """The layer that enlarges feature maps: [N, a, *before] -> [N, b, *after]."""
        if self.up == "smooth":
            return SmoothUp(a, b, after, bias)
        odd = (after[0] - 2 * before[0], after[1] - 2 * before[1])
        return nn.ConvTranspose2d(a, b, 4, 2, 1, output_padding=odd, bias=bias)

    def discriminator(self, spec: Images, condition: int) -> Trunk:
        sizes = map_sizes(spec)
        layers: list[nn.Module] = []
        before = spec.channels + condition
        wide = widths(self.d_width, self.widest, len(sizes) - 1)
        for i, width in enumerate(wide):
            convolution = nn.Conv2d if i else ChannelsLastConv
            layers.append(convolution(before, width, 4, 2, 1, bias=i == 0 or self.d_norm == "none"))
            layers += [norm(self.d_norm, width)] if i else []
            layers.append(nn.LeakyReLU(self.slope, inplace=True))
            before = width
        h, w = sizes[-1]
        net = _initialized(nn.Sequential(*layers, FlattenChannelsLast()))
        is_spectral = applies_to(self.spectral, "D")
        return PlainTrunk(
            spectral_norm(net) if is_spectral else net, wide[-1] * h * w, spectral_norm if is_spectral else None
        )


N = TypeVar("N", bound=nn.Module)


def _initialized(net: N) -> N:
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
    return net
