"""Layers that several models share."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gancli.contracts import Trunk


class Dropout(nn.Module):
    """Inverted dropout whose mask is cut from random 16-bit words: four draws for the price of one.

    The probability is rounded to 1/65536 and the scale follows the rounded value, so the expectation is exact.
    Draws from torch's default generator, as `nn.Dropout` does.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.cut = round(p * 65536)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.cut == 0:
            return x
        words = torch.empty((x.numel() + 3) // 4, dtype=torch.int64, device=x.device)
        words.random_(-(2**63), None)  # all 64 bits
        keep = words.view(torch.int16)[: x.numel()].view(x.shape) >= self.cut - 32768
        return x * keep.to(x.dtype).mul_(65536 / (65536 - self.cut))

    def extra_repr(self) -> str:
        return f"p={self.cut / 65536:.3g}"


class Reshape(nn.Module):
    """[N, prod(shape)] -> [N, *shape]."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(len(x), *self.shape)


class Beside(nn.Module):
    """A net of one input that is given x with the condition beside it: as more columns, or as more planes of an image."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        if c is not None:
            planes = c.to(x.dtype).reshape(*c.shape, *[1] * (x.dim() - 2)).expand(*c.shape, *x.shape[2:])
            x = torch.cat([x, planes], 1)
        out: Tensor = self.net(x)
        return out


class PlainTrunk(Trunk):
    """A trunk of one input: the condition goes beside the image."""

    def __init__(self, net: nn.Module, out_features: int) -> None:
        super().__init__()
        self.beside, self.out_features = Beside(net), out_features

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        features: Tensor = self.beside(x, c)
        return features


class Discriminator(nn.Module):
    """A trunk and a head: (x [N, C, H, W], c or None) -> logits [N], in float32 whatever the trunk computes in."""

    def __init__(self, trunk: Trunk, head: nn.Module) -> None:
        super().__init__()
        self.trunk, self.head = trunk, head

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        logits: Tensor = self.head(self.trunk(x, c), c)
        return logits.float()


class LinearHead(nn.Module):
    """features [N, F] -> logits [N]; the condition is not looked at."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 1)

    def forward(self, features: Tensor, c: Tensor | None = None) -> Tensor:  # noqa: ARG002
        logits: Tensor = self.linear(features)
        return logits.flatten()


def has_batch_statistics(net: nn.Module) -> bool:
    """Whether a sample's output depends on the rest of its batch."""
    return any(
        isinstance(m, nn.modules.batchnorm._BatchNorm) or getattr(m, "batch_statistics", False) for m in net.modules()
    )
