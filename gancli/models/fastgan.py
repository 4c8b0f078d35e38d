"""FastGAN (2101.04775): a light generator with skip-layer excitation, made for few and large images.

G: z -> 4x4 maps, then per scale nearest upsampling, a 3x3 convolution, batch norm and a gated linear unit. The maps of a small scale
gate the channels of the scale that is `reach` halvings larger (section 3.1, equation 2).
D: per scale the mean of a convolved and a pooled path (section 3.2).

Departs: no noise and one convolution per scale; D has one output, and no decoders that reconstruct reals from its maps. As in the
other convolutional nets here, maps at the image size are left out: D begins with a strided 4x4 convolution, and without `full_size`
G ends with one.
"""

from __future__ import annotations

from itertools import pairwise

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.core.nets import Model, Trunk
from gancli.core.specs import Images
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


class Excitation(nn.Module):
    """Skip-layer excitation: small maps [N, a, h, w] -> gates [N, b, 1, 1] of larger maps."""

    def __init__(self, a: int, b: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.AdaptiveAvgPool2d(4), nn.Conv2d(a, b, 4), nn.LeakyReLU(0.1), nn.Conv2d(b, b, 1), nn.Sigmoid()
        )

    def forward(self, small: Tensor) -> Tensor:
        gates: Tensor = self.net(small)
        return gates


class FastGenerator(nn.Module):
    """z [N, z] -> images [N, C, H, W]."""

    def __init__(self, cfg: FastGAN, spec: Images, inputs: int) -> None:
        super().__init__()
        image, *smaller = map_sizes(spec)
        self.sizes = smaller[::-1]
        wide = widths(cfg.g_width, cfg.widest, len(self.sizes))[::-1]
        h, w = self.sizes[0]
        self.first = nn.Sequential(
            nn.Linear(inputs, 2 * wide[0] * h * w, bias=False),
            ReshapeChannelsLast(2 * wide[0], h, w),
            nn.BatchNorm2d(2 * wide[0]),
            nn.GLU(1),
        )
        self.blocks = nn.ModuleList(_gated(a, b) for a, b in pairwise(wide))
        self.gates = nn.ModuleList(Excitation(wide[i], wide[i + cfg.reach]) for i in range(len(wide) - cfg.reach))
        self.reach = cfg.reach
        odd = (image[0] - 2 * self.sizes[-1][0], image[1] - 2 * self.sizes[-1][1])
        self.image: nn.Module = nn.ConvTranspose2d(wide[-1], spec.channels, 4, 2, 1, output_padding=odd)
        if cfg.full_size:
            channels = 2 * cfg.full_size  # convolved in front of the upsampling, which costs a quarter
            self.image = nn.Sequential(
                nn.Conv2d(wide[-1], channels, 3, padding=1, bias=False),
                nn.Upsample(tuple(image), mode="bilinear"),
                nn.BatchNorm2d(channels),
                nn.GLU(1),
                nn.Conv2d(cfg.full_size, spec.channels, 3, padding=1),
            )

    def forward(self, z: Tensor) -> Tensor:
        maps = [self.first(z)]
        for i, (block, size) in enumerate(zip(self.blocks, self.sizes[1:], strict=True), 1):
            x = block(F.interpolate(maps[-1], size, mode="nearest"))
            maps.append(x if i < self.reach else x * self.gates[i - self.reach](maps[i - self.reach]))
        return self.image(maps[-1]).tanh()  # type: ignore[no-any-return]


def _gated(a: int, b: int) -> nn.Sequential:
    """A 3x3 convolution and batch norm; half of the channels times the sigmoid of the other half."""
    return nn.Sequential(nn.Conv2d(a, 2 * b, 3, padding=1, bias=False), nn.BatchNorm2d(2 * b), nn.GLU(1))


class Down(nn.Module):
    """[N, a, H, W] -> [N, b, H // 2, W // 2]: the mean of two convolutions and of a pooled 1x1 convolution."""

    def __init__(self, a: int, b: int, kind: NormName) -> None:
        super().__init__()
        bare = kind == "none"
        self.main = nn.Sequential(
            nn.Conv2d(a, b, 4, 2, 1, bias=bare), norm(kind, b), nn.LeakyReLU(0.2),
            nn.Conv2d(b, b, 3, 1, 1, bias=bare), norm(kind, b), nn.LeakyReLU(0.2),
        )  # fmt: skip
        self.direct = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(a, b, 1, bias=bare), norm(kind, b), nn.LeakyReLU(0.2))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = (self.main(x) + self.direct(x)) / 2
        return out


class FastGAN(Model):
    name = "fastgan"
    z: int = Field(256, ge=1, description="width of the latent vector")
    g_width: int = Field(32, ge=1, description="channels of G at half the image size; doubled at each smaller scale")
    d_width: int = Field(32, ge=1, description="channels of D at half the image size; doubled at each smaller scale")
    widest: int = Field(256, ge=1, description="maximum number of channels")
    full_size: int = Field(
        0, ge=0, description="channels of G at the image size, as in the paper; 0: a strided convolution in their place"
    )
    reach: int = Field(
        2, ge=1, description="halvings between the maps that gate and those that are gated; the paper: 4"
    )
    d_norm: NormName = Field("none", description="normalization of D; not batch with a gradient penalty")
    spectral: NetChoice = Field("none", description="nets with spectral normalization (1802.05957)")

    def generator(self, spec: Images, condition: int) -> nn.Module:
        net = FastGenerator(self, spec, self.z + condition)
        return ConcatCondition(spectral_norm(net) if applies_to(self.spectral, "G") else net)

    def discriminator(self, spec: Images, condition: int) -> Trunk:
        sizes = map_sizes(spec)[1:]
        wide = widths(self.d_width, self.widest, len(sizes))
        layers: list[nn.Module] = [
            ChannelsLastConv(spec.channels + condition, wide[0], 4, 2, 1),
            nn.LeakyReLU(0.2),
            *(Down(a, b, self.d_norm) for a, b in pairwise(wide)),
        ]
        h, w = sizes[-1]
        net, wrap = nn.Sequential(*layers, FlattenChannelsLast()), None
        if applies_to(self.spectral, "D"):
            net, wrap = spectral_norm(net), spectral_norm
        return PlainTrunk(net, wide[-1] * h * w, wrap)
