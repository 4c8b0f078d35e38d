"""A U-Net of residual blocks without normalization and bias (DRUNet, 2008.13751, section 3.1), for restoration at any size.

At each scale there are residual blocks of two 3x3 convolutions; strided 2x2 convolutions halve the size, upsampling with 3x3 convolutions
doubles it again, and skip connections are sums. The last layer begins at zero. Without normalization an output pixel depends
on its receptive field alone, so that tiles give the same output as the whole image.
"""

from __future__ import annotations

from itertools import pairwise

from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import relu

from gancli.core.errors import UsageError
from gancli.core.nets import Translator
from gancli.models.layers import widths
from gancli.models.translators import AnySize, UpConv


class ResUNet(Translator):
    name = "resunet"
    width: int = Field(32, ge=1, le=1024, description="channels at the image size, doubled with each halving")
    widest: int = Field(128, ge=1, le=4096, description="maximum number of channels")
    depth: int = Field(2, ge=0, le=6, description="number of halvings")
    blocks: int = Field(
        2, ge=1, le=16, description="residual blocks at each scale, before and after the coarser scales"
    )

    def net(self, inputs: int, outputs: int, size: tuple[int, int]) -> nn.Module:
        if min(size) < self.grid(size):
            raise UsageError(
                f"{self.depth} halvings need images of at least {self.grid(size)} pixels", "use less depth"
            )
        net = _Net(inputs, outputs, widths(self.width, self.widest, self.depth + 1), self.blocks)
        return AnySize(net, self.grid(size), (self.grid(size),) * 2)

    def grid(self, size: tuple[int, int]) -> int:  # noqa: ARG002
        return int(1 << self.depth)

    def reach(self, size: tuple[int, int]) -> int:  # noqa: ARG002
        """Each 3x3 convolution adds a pixel of its scale to both sides, each halving and each upsampling one of the finer scale."""
        at_scale = [2 * 2 * self.blocks if scale < self.depth else 2 * self.blocks for scale in range(self.depth + 1)]
        steps = sum(3 * 2**scale for scale in range(self.depth))
        return int(2 + sum(n * 2**scale for scale, n in enumerate(at_scale)) + steps)


class _Block(nn.Module):
    """x + two convolutions of x."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.second = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.second(relu(self.first(x)))
        return out


class _Net(nn.Module):
    def __init__(self, inputs: int, outputs: int, wide: list[int], blocks: int) -> None:
        super().__init__()

        def stage(channels: int) -> nn.Sequential:
            return nn.Sequential(*(_Block(channels) for _ in range(blocks)))

        self.first = nn.Conv2d(inputs, wide[0], 3, 1, 1)
        self.before = nn.ModuleList(stage(w) for w in wide[:-1])
        self.down = nn.ModuleList(nn.Conv2d(a, b, 2, 2) for a, b in pairwise(wide))
        self.middle = stage(wide[-1])
        self.up = nn.ModuleList(UpConv(b, a) for a, b in pairwise(wide))
        self.after = nn.ModuleList(stage(w) for w in wide[:-1])
        self.last = nn.Conv2d(wide[0], outputs, 3, 1, 1)
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor, features: list[Tensor] | None = None) -> Tensor:
        x = self.first(x)
        skips = []
        for block, down in zip(self.before, self.down, strict=True):
            x = block(x)
            skips.append(x)
            x = down(x)
        if features is not None:
            features += [*skips, x]
        x = self.middle(x)
        for up, block, skip in reversed(list(zip(self.up, self.after, skips, strict=True))):
            x = block(up(x) + skip)
        out: Tensor = self.last(x)
        return out
