"""The residual translator of CycleGAN and CUT (1703.10593, section 7.2; nets of 1603.08155), for images of any size.

A wide convolution, two convolutions with stride 2, residual blocks at a quarter of the size, two upsamplings, a wide
convolution. Nearest-neighbor upsampling with 3x3 convolutions replaces fractionally strided convolutions; all padding is by
reflection.
"""

from __future__ import annotations

from pydantic import Field
from torch import Tensor, nn

from gancli.core.errors import UsageError
from gancli.core.nets import Translator
from gancli.models.norms import NormName
from gancli.models.translators import AnySize, UpConv, conv, initialize, normalized

SMALLEST = 16  # side of an image, so that the blocks' feature maps have 4x4
SMALL, LARGE = 48, 192  # sides of images up to which there are fewer, and from which on there are more blocks


class Residual(Translator):
    name = "resnet"
    width: int = Field(32, ge=1, le=1024, description="channels at the image size, doubled with both halvings")
    blocks: int | None = Field(
        None, ge=1, le=64, description="residual blocks; default: 4 to 48, 6 to 191, then 9 pixels"
    )
    kernel: int | None = Field(
        None, ge=1, le=15, description="side of the first and last kernel; default: 5 to 48, then 7"
    )
    norm: NormName = Field("instance", description="normalization")

    def _blocks(self, size: tuple[int, int]) -> int:
        side = min(size)
        return self.blocks or (4 if side <= SMALL else 6 if side < LARGE else 9)

    def _kernel(self, size: tuple[int, int]) -> int:
        return self.kernel or (5 if min(size) <= SMALL else 7)

    def net(self, inputs: int, outputs: int, size: tuple[int, int]) -> nn.Module:
        if min(size) < SMALLEST:
            raise UsageError(
                f"the residual translator needs images of at least {SMALLEST}x{SMALLEST}, not {size[0]}x{size[1]}",
                "use --image-size",
            )
        if self._kernel(size) % 2 == 0:
            raise UsageError("kernel must be odd", f"use {self._kernel(size) + 1}")
        net = _Net(inputs, outputs, self.width, self._blocks(size), self._kernel(size), self.norm)
        initialize(net)
        return AnySize(net, self.grid(size), size)

    def grid(self, size: tuple[int, int]) -> int:  # noqa: ARG002
        return 4

    def reach(self, size: tuple[int, int]) -> int:
        ends = 2 * (self._kernel(size) // 2)
        return ends + 1 + 2 + 4 * 2 * self._blocks(size) + 4 + 2


class _Block(nn.Module):
    """x + two 3x3 convolutions of x, without activation after the sum."""

    def __init__(self, channels: int, kind: NormName) -> None:
        super().__init__()
        first, second = conv(channels, channels, 3), conv(channels, channels, 3)
        self.body = nn.Sequential(first, *normalized(kind, channels), nn.ReLU(), second, *normalized(kind, channels))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.body(x)
        return out


class _Net(nn.Module):
    def __init__(self, inputs: int, outputs: int, width: int, blocks: int, kernel: int, kind: NormName) -> None:
        super().__init__()

        def stage(layer: nn.Module, channels: int) -> nn.Sequential:
            return nn.Sequential(layer, *normalized(kind, channels), nn.ReLU())

        self.down = nn.ModuleList(
            [
                stage(conv(inputs, width, kernel), width),
                stage(conv(width, 2 * width, 3, 2), 2 * width),
                stage(conv(2 * width, 4 * width, 3, 2), 4 * width),
            ]
        )
        self.blocks = nn.ModuleList(_Block(4 * width, kind) for _ in range(blocks))
        self.up = nn.Sequential(stage(UpConv(4 * width, 2 * width), 2 * width), stage(UpConv(2 * width, width), width))
        self.last = conv(width, outputs, kernel)

    def encode(self, x: Tensor) -> list[Tensor]:
        """The input, the maps after each halving, those after the first and after the middle block."""
        return self._encoded(x, len(self.blocks) // 2 + 1)[1]

    def _encoded(self, x: Tensor, blocks: int) -> tuple[Tensor, list[Tensor]]:
        """The map after so many blocks, and the feature maps."""
        found = [x]
        for i, layer in enumerate(self.down):
            x = layer(x)
            found += [x] if i else []
        for i, block in enumerate(self.blocks[:blocks]):
            x = block(x)
            found += [x] if i in {0, len(self.blocks) // 2} else []
        return x, found

    def forward(self, x: Tensor, features: list[Tensor] | None = None) -> Tensor:
        x, found = self._encoded(x, len(self.blocks))
        if features is not None:
            features += found
        out: Tensor = self.last(self.up(x))
        return out
