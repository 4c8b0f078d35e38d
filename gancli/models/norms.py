"""Normalization layers by name, and spectral normalization.

batch (1502.03167), instance (1607.08022), layer (1607.06450), group (1803.08494), pixel (1710.10196), none
conditional: batch norm whose gain and bias are linear functions of the condition vector (1610.07629, 1707.00683)
spectral: W / sigma(W), where one power iteration per training pass estimates sigma (1802.05957)
"""

from __future__ import annotations

from math import gcd
from typing import Literal, TypeVar

from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

NormName = Literal["batch", "instance", "layer", "group", "pixel", "none"]
NetChoice = Literal["none", "G", "D", "both"]  # the nets that something applies to
M = TypeVar("M", bound=nn.Module)


def pixel_norm(x: Tensor) -> Tensor:
    """x / sqrt(mean over channels of x^2 + eps) for x [N, C, ...] (1710.10196, section 4.2)."""
    return x * (x.float().square().mean(1, keepdim=True) + 1e-8).rsqrt().to(x.dtype)


class PixelNorm(nn.Module):
    """`pixel_norm` as a module."""

    def forward(self, x: Tensor) -> Tensor:
        return pixel_norm(x)


class GroupNorm(nn.GroupNorm):
    """Group norm that casts its float32 gain and bias to the dtype of the input."""

    def forward(self, x: Tensor) -> Tensor:
        return F.group_norm(x, self.num_groups, self.weight.to(x.dtype), self.bias.to(x.dtype), self.eps)


class ConditionalBatchNorm(nn.Module):
    """(1 + a(c)) * batchnorm(x) + b(c) with linear a and b: one gain and bias per class if c is one-hot."""

    def __init__(self, channels: int, condition: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.affine = nn.Linear(condition, 2 * channels, bias=False)
        nn.init.zeros_(self.affine.weight)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        gain, bias = self.affine(c.to(x.dtype))[:, :, None, None].chunk(2, 1)
        out: Tensor = self.norm(x) * (1 + gain) + bias
        return out


def norm(kind: NormName, channels: int) -> nn.Module:
    """Build a normalization layer for feature maps [N, channels, H, W]."""
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    if kind == "instance":
        return nn.InstanceNorm2d(channels, affine=True)
    if kind == "pixel":
        return PixelNorm()
    if kind == "none":
        return nn.Identity()
    return GroupNorm(1 if kind == "layer" else gcd(channels, 32), channels)


def spectral_norm(net: M) -> M:
    """Divide the weights of all linear and convolutional layers by their largest singular value.

    Args:
        net: a module; changed in place. The gains of conditional batch norms are left out, because they start at zero.

    Returns:
        The same module.
    """
    gains = {m.affine for m in net.modules() if isinstance(m, ConditionalBatchNorm)}
    for module in list(net.modules()):
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear) and module not in gains:
            parametrizations.spectral_norm(module)
    return net


def applies_to(which: NetChoice, net: Literal["G", "D"]) -> bool:
    """Whether a choice of nets includes a net."""
    return which in (net, "both")
