"""Residual nets of SNGAN (1802.05957, appendix B) and SAGAN (1805.08318): pre-activation blocks, one per scale.

G: linear; per scale y = conv(relu(norm(conv(up(relu(norm(x))))))) + conv1x1(up(x)); norm, relu, conv, tanh.
D: a first block without the first relu, one block per scale, `flat` blocks at the smallest scale; relu; sum over positions.
Channels double with each halving of the size, up to `widest`; the papers' constant width is width = widest. With norm
"conditional", the condition enters G only through its batch norms (1802.05637), else it is concatenated to z. With
`hierarchical`, each block has a part of z of its own, which enters its batch norms with the condition (BigGAN, 1809.11096).
"""

from __future__ import annotations

from itertools import pairwise
from math import sqrt
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.core.errors import UsageError
from gancli.core.nets import Model, Trunk
from gancli.core.specs import Images
from gancli.models.blocks import SelfAttention
from gancli.models.layers import ConcatCondition, PlainTrunk, Reshape, map_sizes, widths
from gancli.models.norms import ConditionalBatchNorm, NetChoice, NormName, applies_to, norm, spectral_norm


class NormReLU(nn.Module):
    """Normalization, conditional or not, and relu: (x [N, C, H, W], c [N, condition] or None) -> [N, C, H, W]."""

    def __init__(self, kind: NormName | Literal["conditional"], channels: int, condition: int) -> None:
        super().__init__()
        self.conditional = kind == "conditional" and condition > 0
        plain = norm("batch" if kind == "conditional" else kind, channels)
        self.norm = ConditionalBatchNorm(channels, condition) if self.conditional else plain

    def forward(self, x: Tensor, c: Tensor | None) -> Tensor:
        return F.relu(self.norm(x, c) if self.conditional else self.norm(x))


class UpBlock(nn.Module):
    """Residual block of G with upsampling: (x [N, a, H, W], c, size) -> [N, b, *size]."""

    def __init__(self, a: int, b: int, kind: NormName | Literal["conditional"], condition: int) -> None:
        super().__init__()
        self.before, self.between = NormReLU(kind, a, condition), NormReLU(kind, b, condition)
        self.first, self.second, self.skip = nn.Conv2d(a, b, 3, 1, 1), nn.Conv2d(b, b, 3, 1, 1), nn.Conv2d(a, b, 1)

    def forward(self, x: Tensor, c: Tensor | None, size: tuple[int, int]) -> Tensor:
        y = self.first(F.interpolate(self.before(x, c), size, mode="nearest"))
        out: Tensor = self.second(self.between(y, c)) + F.interpolate(self.skip(x), size, mode="nearest")
        return out


class ResnetGenerator(nn.Module):
    """(z [N, z], c [N, condition] or None) -> images [N, C, H, W]."""

    def __init__(self, cfg: ResNet, spec: Images, condition: int) -> None:
        super().__init__()
        self.sizes = map_sizes(spec)[::-1]
        wide = widths(cfg.g_width, cfg.widest, len(self.sizes) - 1)[::-1]
        wide = [wide[0], *wide]  # channels of the smallest scale, then of the output of each block
        self.inside = cfg.g_norm == "conditional" and condition > 0
        self.chunk = cfg.chunk(len(wide) - 1)
        first = cfg.z - self.chunk * (len(wide) - 1)
        self.base = ConcatCondition(
            nn.Sequential(
                nn.Linear(first + (0 if self.inside else condition), wide[0] * self.sizes[0][0] * self.sizes[0][1]),
                Reshape(wide[0], *self.sizes[0]),
            )
        )
        blocks = [UpBlock(a, b, cfg.g_norm, condition + self.chunk) for a, b in pairwise(wide)]
        self.blocks = nn.ModuleList(blocks)
        self.attention = _attention(cfg, self.sizes[1:], wide[1:], "G")
        self.last, self.image = (
            NormReLU(cfg.g_norm, wide[-1], condition),
            nn.Conv2d(wide[-1], spec.channels, 3, 1, 1),
        )

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        first = z.shape[1] - self.chunk * len(self.blocks)
        parts = torch.split(z[:, first:], self.chunk, 1) if self.chunk else ()
        x: Tensor = self.base(z[:, :first], None if self.inside else c)
        for i, (block, size) in enumerate(zip(self.blocks, self.sizes[1:], strict=True)):
            x = block(x, with_condition(c, parts[i]) if parts else c, size)
            if str(i) in self.attention:
                x = self.attention[str(i)](x)
        return self.image(self.last(x, c)).tanh()  # type: ignore[no-any-return]


def with_condition(c: Tensor | None, z: Tensor) -> Tensor:
    """The condition [N, condition], if any, and a part of z [N, chunk]: [N, condition + chunk]."""
    return z if c is None else torch.cat([c.to(z.dtype), z], 1)


class DownBlock(nn.Module):
    """Residual block of D: [N, a, H, W] -> [N, b, H // 2, W // 2], or [N, b, H, W] without `halve`."""

    def __init__(self, a: int, b: int, kind: NormName, first: bool = False, halve: bool = True) -> None:
        super().__init__()
        self.norms = nn.ModuleList(
            [nn.Identity() if first else norm(kind, a), nn.Identity() if first else norm(kind, b)]
        )
        self.leading, self.halve = not first, halve
        self.conv1, self.conv2 = nn.Conv2d(a, b, 3, 1, 1), nn.Conv2d(b, b, 3, 1, 1)
        self.skip = nn.Conv2d(a, b, 1) if a != b or halve else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norms[0](x)) if self.leading else x
        y = self.conv2(F.relu(self.norms[1](self.conv1(y))))
        if self.halve:
            return F.avg_pool2d(y, 2) + self.skip(F.avg_pool2d(x, 2))  # type: ignore[no-any-return]
        return y + self.skip(x)  # type: ignore[no-any-return]


class SumPool(nn.Module):
    """relu, then sum over positions: [N, C, H, W] -> [N, C]."""

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x).sum((2, 3))


class ResNet(Model):
    name = "resnet"
    z: int = Field(128, ge=1, description="width of the latent vector")
    g_width: int = Field(64, ge=1, description="channels of G at the image size")
    d_width: int = Field(64, ge=1, description="channels of D at half the image size")
    widest: int = Field(512, ge=1, description="maximum number of channels")
    flat: int = Field(1, ge=0, description="blocks of D at the smallest scale, without downsampling")
    g_norm: NormName | Literal["conditional"] = Field(
        "conditional", description="normalization of G; conditional is batch if there is no condition"
    )
    d_norm: NormName = Field("none", description="normalization of D")
    spectral: NetChoice = Field("none", description="nets with spectral normalization (1802.05957)")
    attention: Literal["none", "middle"] | int = Field(
        "none", description="scale with self-attention: none, the middle one, or a height"
    )
    attentive: NetChoice = Field("both", description="nets with self-attention")
    hierarchical: bool = Field(False, description="a part of z for each block's batch norms (1809.11096)")
    init: Literal["xavier", "orthogonal"] = Field(
        "xavier", description="initial weights; orthogonal: 1312.6120, as in BigGAN"
    )

    def chunk(self, blocks: int) -> int:
        """The width of each block's part of z; 0 if z is not divided.

        Args:
            blocks: number of blocks of G.

        Raises:
            UsageError: z cannot be divided, or has nowhere to enter.
        """
        if not self.hierarchical:
            return 0
        if self.g_norm != "conditional":
            raise UsageError("hierarchical z enters batch norms", "use --set task.model.g_norm=conditional")
        if self.z <= blocks:
            raise UsageError(f"z of width {self.z} has no part for each of {blocks} blocks", "use a wider z")
        return self.z // (blocks + 1)

    def generator(self, spec: Images, condition: int) -> nn.Module:
        net = ResnetGenerator(self, spec, condition)
        _initialize(net, self.init)
        return spectral_norm(net) if applies_to(self.spectral, "G") else net

    def discriminator(self, spec: Images, condition: int) -> Trunk:
        sizes = map_sizes(spec)
        wide = widths(self.d_width, self.widest, len(sizes) - 1)
        extra = _attention(self, sizes[1:], wide, "D")
        layers: list[nn.Module] = []
        before = spec.channels + condition
        for i, width in enumerate(wide):
            layers.append(DownBlock(before, width, self.d_norm, first=i == 0))
            layers += [extra[str(i)]] if str(i) in extra else []
            before = width
        layers += [DownBlock(before, before, self.d_norm, halve=False) for _ in range(self.flat)]
        net = nn.Sequential(*layers, SumPool())
        _initialize(net, self.init)
        is_spectral = applies_to(self.spectral, "D")
        return PlainTrunk(spectral_norm(net) if is_spectral else net, before, spectral_norm if is_spectral else None)


def _attention(cfg: ResNet, sizes: list[tuple[int, int]], wide: list[int], net: Literal["G", "D"]) -> nn.ModuleDict:
    """Build the self-attention layer of a net.

    Args:
        cfg: the model.
        sizes: (height, width) of the output of each block.
        wide: its channels.
        net: which net.

    Returns:
        The layer, with the index of the block that it follows as key; empty if there is none.

    Raises:
        UsageError: no feature map has the requested height.
    """
    if cfg.attention == "none" or not applies_to(cfg.attentive, net):
        return nn.ModuleDict()
    heights = [h for h, _ in sizes]
    if cfg.attention == "middle":
        every = sorted({*heights, max(heights) * 2} if net == "D" else {min(heights) // 2, *heights})
        height = min(heights, key=lambda h: abs(h - every[len(every) // 2]))
    else:
        height = cfg.attention
    if height not in heights:
        known = f"there are: {', '.join(map(str, heights))}"
        raise UsageError(f"{net} has no feature map of height {height} for self-attention", known)
    at = heights.index(height)
    return nn.ModuleDict({str(at): SelfAttention(wide[at])})


def _initialize(net: nn.Module, how: Literal["xavier", "orthogonal"]) -> None:
    """Initialize orthogonally, or with Xavier uniform of gain sqrt(2) in blocks and 1 elsewhere (published code of 1802.05957)."""
    blocks = {id(m) for b in net.modules() if isinstance(b, UpBlock | DownBlock) for m in b.modules()}
    for name, module in net.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear) and not name.endswith("affine"):
            inner = id(module) in blocks and not name.endswith("skip")
            if how == "orthogonal":
                nn.init.orthogonal_(module.weight)
            else:
                nn.init.xavier_uniform_(module.weight, sqrt(2) if inner else 1.0)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
