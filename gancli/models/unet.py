"""U-Net (1505.04597) as the translator of pix2pix (1611.07004, section 6.1.1), for images of any size.

Encoder: 4x4 convolutions with stride 2 and leaky ReLU, down to 2x2 at the training size; decoder: nearest-neighbor upsampling
with 3x3 convolutions instead of transposed 4x4 convolutions, ReLU, skip connections. Normalization is per image; there is none in the
first layer, in the last one, and below 4x4.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from gancli.core.errors import UsageError
from gancli.core.nets import Translator
from gancli.models.layers import Dropout, widths
from gancli.models.norms import NormName
from gancli.models.translators import AnySize, UpConv, conv, initialize, normalized


class UNet(Translator):
    name = "unet"
    width: int = Field(32, ge=1, le=1024, description="channels after the first layer, doubled with each halving")
    widest: int = Field(256, ge=1, le=4096, description="maximum number of channels")
    depth: int | None = Field(None, ge=1, le=10, description="number of halvings; default: down to 2x2")
    norm: NormName = Field("instance", description="normalization")
    dropout: float = Field(
        0.5, ge=0, lt=1, description="dropout in the first decoder layers of deep nets, in training only"
    )

    def net(self, inputs: int, outputs: int, size: tuple[int, int]) -> nn.Module:
        net = _Net(inputs, outputs, self, self._depth(size), size)
        initialize(net)
        return AnySize(net, self.grid(size), size)

    def _depth(self, size: tuple[int, int]) -> int:
        possible = int(min(size)).bit_length() - 2  # down to 2 or 3 pixels
        if possible < 1:
            raise UsageError(f"the U-Net needs images of at least 4x4, not {size[0]}x{size[1]}", "use --image-size")
        return possible if self.depth is None else self.depth

    def grid(self, size: tuple[int, int]) -> int:
        return 1 << self._depth(size)

    def reach(self, size: tuple[int, int]) -> int:
        """Each 4x4 convolution adds 2 pixels of its input, each 3x3 convolution 1 pixel of its output, to both sides."""
        scales = [1 << i for i in range(self._depth(size))]
        return sum(2 * s + s for s in scales) + 2 * scales[-1]


class _Net(nn.Module):
    def __init__(self, inputs: int, outputs: int, options: UNet, depth: int, size: tuple[int, int]) -> None:
        super().__init__()
        wide = widths(options.width, options.widest, depth)
        sizes = [(size[0] // 2**i, size[1] // 2**i) for i in range(1, depth + 1)]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for i, b in enumerate(wide):
            a = wide[i - 1] if i else inputs
            norms = normalized(options.norm, b, sizes[i]) if 0 < i < depth - 1 else []
            self.down.append(nn.Sequential(conv(a, b, 4, 2), *norms, nn.LeakyReLU(0.2)))
        for i in range(depth - 1, 0, -1):  # from the bottleneck up
            a, b = wide[i] * (1 if i == depth - 1 else 2), wide[i - 1]
            drop = [Dropout(options.dropout)] if depth - 1 - i < min(3, depth - 4) and options.dropout else []
            self.up.append(nn.Sequential(UpConv(a, b), *normalized(options.norm, b, sizes[i - 1]), nn.ReLU(), *drop))
        self.last = UpConv(wide[0] * (2 if depth > 1 else 1), outputs)

    def encode(self, x: Tensor) -> list[Tensor]:
        """The maps after each halving."""
        maps = []
        for layer in self.down:
            x = layer(x)
            maps.append(x)
        return maps

    def forward(self, x: Tensor, features: list[Tensor] | None = None) -> Tensor:
        maps = self.encode(x)
        if features is not None:
            features += maps
        x = maps[-1]
        for i, layer in enumerate(self.up):
            x = torch.cat([layer(x), maps[-2 - i]], 1)
        out: Tensor = self.last(x)
        return out
