"""Normalization layers by name, and spectral normalization.

batch (1502.03167), instance (1607.08022), layer (1607.06450), group (1803.08494), pixel (1710.10196), none
conditional: batch norm whose gain and bias are linear functions of the condition vector (1610.07629, 1707.00683)
spectral: W / sigma(W), where one power iteration per training pass estimates sigma (1802.05957)
"""

from __future__ import annotations

from math import gcd
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

NormName = Literal["batch", "instance", "layer", "group", "pixel", "none"]
NetChoice = Literal["none", "G", "D", "both"]  # the nets that something applies to
M = TypeVar("M", bound=nn.Module)
EPS = 1e-12  # below the lengths of vectors that are normalized


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


class SpectralNorm(nn.Module):
    """A weight divided by its largest singular value (1802.05957, algorithm 1); equal to torch's `spectral_norm`.

    sigma = u^T W v, where u and v follow the singular vectors by a power iteration for each use in training.

    Args:
        weight: of a linear or convolutional layer; on the meta device, nothing is computed.
        dim: of its outputs, the rows of W.
    """

    _u: Tensor
    _v: Tensor

    def __init__(self, weight: Tensor, dim: int) -> None:
        super().__init__()
        self.dim = dim
        matrix = self._matrix(weight.detach())
        for name, size in zip(("_u", "_v"), matrix.shape, strict=True):
            self.register_buffer(name, matrix.new_empty(size))
        if not weight.is_meta:
            for x in (self._u, self._v):
                x.normal_()
            for x in (self._u, self._v):
                F.normalize(x, dim=0, eps=EPS, out=x)
            self._iterate(matrix, 15)

    def forward(self, weight: Tensor) -> Tensor:
        matrix = self._matrix(weight)
        if self.training:
            self._iterate(matrix.detach(), 1)
        u, v = self._u.clone(), self._v.clone()  # autograd keeps these; the next use changes those
        return weight / torch.vdot(u, torch.mv(matrix, v))

    def right_inverse(self, value: Tensor) -> Tensor:
        return value

    def _matrix(self, weight: Tensor) -> Tensor:
        return weight.movedim(self.dim, 0).flatten(1)

    @torch.no_grad()
    def _iterate(self, matrix: Tensor, times: int) -> None:
        for _ in range(times):
            F.normalize(torch.mv(matrix, self._v), dim=0, eps=EPS, out=self._u)
            F.normalize(torch.mv(matrix.T, self._u), dim=0, eps=EPS, out=self._v)


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
            dim = 1 if isinstance(module, nn.ConvTranspose2d) else 0
            on_meta = module.weight.is_meta  # nothing is computed there: torch does it in Python, 0.2 s for each layer
            bound = SpectralNorm(module.weight, dim)
            parametrize.register_parametrization(module, "weight", bound, unsafe=on_meta)
    return net


def applies_to(which: NetChoice, net: Literal["G", "D"]) -> bool:
    """Whether a choice of nets includes a net."""
    return which in (net, "both")
