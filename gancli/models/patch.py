"""The patch critic of pix2pix (1611.07004, section 6.1.2): one logit per overlapping patch of the image.

4x4 convolutions with stride 2, then two with stride 1. With n strided layers each patch has a side of 16, 34, 70, 142 pixels for
n = 1, 2, 3, 4.
"""

from __future__ import annotations

from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from gancli.core.errors import UsageError
from gancli.core.nets import PatchCritic
from gancli.models.layers import widths
from gancli.models.norms import NormName, spectral_norm
from gancli.models.translators import initialize, normalized


class Patch(PatchCritic):
    name = "patch"
    width: int = Field(32, ge=1, le=1024, description="channels after the first layer, doubled with each layer")
    widest: int = Field(256, ge=1, le=4096, description="maximum number of channels")
    layers: int | None = Field(
        None,
        ge=1,
        le=6,
        description="strided layers: patches of 16, 34, 70, 142 pixels; default: 1 to 48, 2 to 191, then 3",
    )
    norm: NormName = Field("instance", description="normalization; none in the first layer")
    spectral: bool = Field(False, description="spectral normalization of all layers (1802.05957)")

    def net(self, inputs: int, size: tuple[int, int]) -> nn.Module:
        side = min(size)
        n = self.layers or (1 if side <= 48 else 2 if side < 192 else 3)
        if side < 2 ** (n + 1) + 2**n:
            raise UsageError(
                f"a patch critic with {n} strided layers needs images of at least {2 ** (n + 1) + 2**n} pixels, not {side}",
                "use fewer layers (--set task.critic.layers=1) or a larger --image-size",
            )
        net = _Net(inputs, widths(self.width, self.widest, n + 1), self.norm, size)
        initialize(net)
        return spectral_norm(net) if self.spectral else net


class _Net(nn.Module):
    def __init__(self, inputs: int, wide: list[int], kind: NormName, size: tuple[int, int]) -> None:
        super().__init__()
        self.hidden = nn.ModuleList()
        before = inputs
        for i, width in enumerate(wide):
            last = i == len(wide) - 1
            size = (size[0] - 1, size[1] - 1) if last else (size[0] // 2, size[1] // 2)
            norms = normalized(kind, width, size) if i else []
            self.hidden.append(nn.Sequential(nn.Conv2d(before, width, 4, 1 if last else 2, 1), *norms))
            before = width
        self.last = nn.Conv2d(before, 1, 4, 1, 1)

    def forward(self, x: Tensor, features: list[Tensor] | None = None) -> Tensor:
        for layer in self.hidden:
            x = leaky_relu(layer(x), 0.2)
            if features is not None:
                features.append(x)
        logits: Tensor = self.last(x)
        return logits.flatten(1).float()
