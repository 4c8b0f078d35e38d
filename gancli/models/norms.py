"""Normalizations by name, and spectral normalization.

batch (1502.03167), instance (1607.08022), layer (1607.06450), group (1803.08494), pixel (1710.10196), none,
conditional: batch norm whose gain and offset are linear in the condition (1610.07629, 1707.00683)
spectral: W / sigma(W), sigma by one step of the power method at each training pass (1802.05957)
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


class PixelNorm(nn.Module):
    """x / sqrt(mean over channels of x^2 + eps), [N, C, ...] (1710.10196, section 4.2)."""

    def forward(self, x: Tensor) -> Tensor:
        return x * (x.float().square().mean(1, keepdim=True) + 1e-8).rsqrt().to(x.dtype)


class GroupNorm(nn.GroupNorm):
    """Group norm whose float32 gain and offset fit an input of any precision."""

    def forward(self, x: Tensor) -> Tensor:
        return F.group_norm(x, self.num_groups, self.weight.to(x.dtype), self.bias.to(x.dtype), self.eps)


class ConditionalBatchNorm(nn.Module):
    """(1 + a(c)) * batchnorm(x) + b(c), a and b linear: a gain and an offset per class where c is one-hot."""

    def __init__(self, channels: int, condition: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.affine = nn.Linear(condition, 2 * channels, bias=False)
        nn.init.zeros_(self.affine.weight)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        gain, offset = self.affine(c.to(x.dtype))[:, :, None, None].chunk(2, 1)
        out: Tensor = self.norm(x) * (1 + gain) + offset
        return out


def norm(kind: NormName, channels: int) -> nn.Module:
    """The normalization of maps [N, C, H, W]."""
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
    """Every product's weight divided by its largest singular value; not a norm's gains, which start at zero."""
    gains = {m.affine for m in net.modules() if isinstance(m, ConditionalBatchNorm)}
    for module in list(net.modules()):
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear) and module not in gains:
            parametrizations.spectral_norm(module)
    return net


def applies_to(which: NetChoice, net: Literal["G", "D"]) -> bool:
    return which in (net, "both")
