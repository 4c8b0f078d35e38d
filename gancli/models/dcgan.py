"""DCGAN (1511.06434): strided convolutions, batch norm, weights from N(0, 0.02).

The image's size is halved while both sides stay at 4 or more, which gives the smallest map and the number of stages; so any
size from 8 to 256 fits, square or not: 28x28 is 7x7 in two stages, 64x64 is 4x4 in four. Widths double towards
the smallest map, up to `widest`.
"""

from __future__ import annotations

from typing import TypeVar

from pydantic import Field
from torch import nn

from gancli.contracts import Model, Shape, Trunk
from gancli.errors import UsageError
from gancli.models.layers import Beside, PlainTrunk, Reshape


class DCGAN(Model):
    name = "dcgan"
    z: int = Field(100, ge=1, description="width of the latent vector")
    g_width: int = Field(64, ge=1, description="channels of G at half of the image's size")
    d_width: int = Field(64, ge=1, description="channels of D at half of the image's size")
    widest: int = Field(512, ge=1, description="channels at most")
    slope: float = Field(0.2, ge=0, description="of D's LeakyReLU")

    def generator(self, shape: Shape, condition: int) -> nn.Module:
        sizes = stages(shape)
        widths = [min(self.g_width * 2**i, self.widest) for i in range(len(sizes) - 1)][::-1]
        h, w = sizes[-1]
        layers: list[nn.Module] = [
            nn.Linear(self.z + condition, widths[0] * h * w, bias=False),
            Reshape(widths[0], h, w),
        ]
        layers += [nn.BatchNorm2d(widths[0]), nn.ReLU(inplace=True)]
        for i, size in enumerate(sizes[-2::-1]):
            last = i + 1 == len(widths)
            out = shape.channels if last else widths[i + 1]
            odd = (size[0] - 2 * sizes[-1 - i][0], size[1] - 2 * sizes[-1 - i][1])
            layers.append(nn.ConvTranspose2d(widths[i], out, 4, 2, 1, output_padding=odd, bias=last))
            layers += [nn.Tanh()] if last else [nn.BatchNorm2d(out), nn.ReLU(inplace=True)]
        return _initialised(Beside(nn.Sequential(*layers)))

    def discriminator(self, shape: Shape, condition: int) -> Trunk:
        sizes = stages(shape)
        widths = [min(self.d_width * 2**i, self.widest) for i in range(len(sizes) - 1)]
        layers: list[nn.Module] = []
        before = shape.channels + condition
        for i, width in enumerate(widths):
            layers.append(nn.Conv2d(before, width, 4, 2, 1, bias=i == 0))
            layers += [nn.BatchNorm2d(width)] if i else []
            layers.append(nn.LeakyReLU(self.slope, inplace=True))
            before = width
        h, w = sizes[-1]
        return _initialised(PlainTrunk(nn.Sequential(*layers, nn.Flatten()), widths[-1] * h * w))


N = TypeVar("N", bound=nn.Module)


def stages(shape: Shape) -> list[tuple[int, int]]:
    """The maps' sizes, from the image to the smallest. Raises UsageError outside 8 to 256."""
    if not (min(shape.height, shape.width) >= 8 and max(shape.height, shape.width) <= 256):
        raise UsageError(
            f"convolutional nets need sides of 8 to 256, not {shape.height}x{shape.width}", "use --image-size"
        )
    sizes = [(shape.height, shape.width)]
    while min(sizes[-1]) >= 8:
        h, w = sizes[-1]
        sizes.append((h // 2, w // 2))
    return sizes


def _initialised(net: N) -> N:
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
    return net
