"""Adaptive discriminator augmentation (ADA, 2006.06676): each transform is applied with the same probability p.

p is adapted to the overfitting of D, r = E[sign D(x)]: it increases while r > `target` and decreases while r < `target`, at a
rate of 1 per `speed` images. D(x) is relative to where the loss separates reals from fakes (D(x) - D(G(z)) under a relativistic
loss, as in the code of R3GAN). With `final`, p follows a schedule instead (2501.05441): it goes from `start` to `final` on a
cosine. p is in the memory of the task and saved in checkpoints.

The transforms, in the order of the paper (appendix B): pixel blitting (horizontal flip, 90-degree rotation, integer
translation), geometric (isotropic scaling, rotation, anisotropic scaling, translation) and color (brightness, contrast, luma
flip, hue, saturation). The parameters have the distributions of the published code. Departs: images are resampled bilinearly,
without the published wavelet filters (faster, but blurrier, which tells D that p > 0), and reflected about the edge of the
border pixels as often as needed (the published code: about their centers, at most once); r is a moving average instead of a
mean over four batches.
"""

from __future__ import annotations

from math import log, pi
from typing import Self

import torch
from pydantic import Field
from torch import Tensor

from gancli.augment.resample import resample
from gancli.core import sharding
from gancli.core.contracts import Augment, Memory, Tick
from gancli.core.schedules import annealed


class ADA(Augment):
    name = "ada"
    blit: bool = Field(True, description="horizontal flips, 90-degree rotations, integer translations")
    geometric: bool = Field(True, description="scaling, rotation, anisotropic scaling, translation")
    color: bool = Field(True, description="brightness, contrast, luma flip, hue, saturation")
    mirror: bool = Field(True, description="include horizontal flips; not for digits")
    target: float = Field(0.6, description="target of r")
    speed: int = Field(500_000, ge=1, description="number of images in which p can change from 0 to 1")
    start: float = Field(0.0, ge=0, le=1, description="initial p")
    fixed: bool = Field(False, description="constant p")
    final: float | None = Field(
        None, ge=0, le=1, description="p after `over` images, on a cosine from `start`; default: p is adapted"
    )
    over: int | None = Field(None, ge=1, description="images of the schedule to `final`; default: the whole training")

    def memory(self) -> Memory:
        return {"ada_p": torch.tensor(self.start), "ada_r": torch.zeros(())}

    def resolved(self, images: int) -> Self:
        return self if self.final is None or self.over else self.replace(over=images)

    def adapt(self, on_real: Tensor, images: int, tick: Tick, memory: Memory) -> None:
        memory["ada_r"].lerp_(on_real.sign().mean(), 0.25)
        if self.final is not None:
            progress = tick.images / self.over if self.over else 0.0
            memory["ada_p"].fill_(annealed(self.start, self.final, progress))
        elif not self.fixed:
            step = (memory["ada_r"] - self.target).sign() * (images / self.speed)
            memory["ada_p"].add_(step).clamp_(0, 1)

    def __call__(self, x: Tensor, random: torch.Generator, memory: Memory) -> Tensor:
        p = float(memory["ada_p"])
        if p == 0:
            return x
        draw = Draw(len(x), p, random)
        if self.blit or self.geometric:
            matrix = torch.eye(3).repeat(len(x), 1, 1)
            if self.blit:
                matrix = pixel_blitting(matrix, draw, x.shape[2], x.shape[3], self.mirror)
            if self.geometric:
                matrix = geometric(matrix, draw, x.shape[3] / x.shape[2])
            x = resample(x, _normalized(matrix, x.shape[2], x.shape[3]).to(x.device))
        return color(x, draw) if self.color else x


class Draw:
    """Random parameters [n] of transforms, one per image, with probability 1 - p replaced by 0 (1 for `log_normal`)."""

    def __init__(self, n: int, p: float, random: torch.Generator) -> None:
        self.n, self.p, self.random = n, p, random

    def _gate(self, value: Tensor, p: float | None = None) -> Tensor:
        applied = sharding.rand(self.n, random=self.random) < (self.p if p is None else p)
        return torch.where(applied.reshape(-1, *[1] * (value.dim() - 1)), value, torch.zeros_like(value))

    def uniform(self, low: float, high: float, p: float | None = None) -> Tensor:
        """Uniform numbers in [low, high)."""
        return self._gate(sharding.rand(self.n, random=self.random) * (high - low) + low, p)

    def integer(self, choices: int) -> Tensor:
        """Uniform integers in [0, choices - 1], as floats."""
        return self._gate(sharding.randint(0, choices, (self.n,), self.random).float())

    def normal(self, std: float) -> Tensor:
        """Normal numbers with mean 0."""
        return self._gate(sharding.randn(self.n, random=self.random) * std)

    def uniform_shift(self, most: float) -> tuple[Tensor, Tensor]:
        """Horizontal and vertical shifts, uniform in [-most, most), of the same images."""
        shift = self._gate((sharding.rand(self.n, 2, random=self.random) * 2 - 1) * most)
        return shift[:, 0], shift[:, 1]

    def normal_shift(self, std: float) -> tuple[Tensor, Tensor]:
        """Horizontal and vertical shifts, normal with mean 0, of the same images."""
        shift = self._gate(sharding.randn(self.n, 2, random=self.random) * std)
        return shift[:, 0], shift[:, 1]

    def log_normal(self, std: float) -> Tensor:
        """2^x for x ~ N(0, std^2)."""
        return (self.normal(std) * log(2)).exp()


def _affine(a: Tensor, b: Tensor, c: Tensor, d: Tensor, tx: Tensor, ty: Tensor) -> Tensor:
    """Homogeneous matrices [N, 3, 3] from entries [N]."""
    zero, one = torch.zeros_like(a), torch.ones_like(a)
    rows = [[a, b, tx], [c, d, ty], [zero, zero, one]]
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def _scaling(x: Tensor, y: Tensor) -> Tensor:
    zero = torch.zeros_like(x)
    return _affine(x, zero, zero, y, zero, zero)


def _rotation(angle: Tensor) -> Tensor:
    zero = torch.zeros_like(angle)
    return _affine(angle.cos(), -angle.sin(), angle.sin(), angle.cos(), zero, zero)


def _translation(x: Tensor, y: Tensor) -> Tensor:
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    return _affine(one, zero, zero, one, x, y)


def pixel_blitting(matrix: Tensor, draw: Draw, h: int, w: int, mirror: bool) -> Tensor:
    """Append pixel blitting to affine maps.

    Args:
        matrix: maps [N, 3, 3] from output to input coordinates, in units of half the height: y is -1 and 1 at the edges, x is
            -w / h and w / h.
        draw: random parameters.
        h: height.
        w: width.
        mirror: whether to include horizontal flips.

    Returns:
        Maps [N, 3, 3].
    """
    if mirror:
        sign = 1 - 2 * draw.integer(2)
        matrix = matrix @ _scaling(sign, torch.ones_like(sign))
    turns = draw.integer(4)
    matrix = matrix @ _rotation((turns if h == w else turns // 2 * 2) * (pi / 2))
    pixel = 2 / h
    dx, dy = draw.uniform_shift(0.125)
    return matrix @ _translation((dx * w).round() * pixel, (dy * h).round() * pixel)


def geometric(matrix: Tensor, draw: Draw, aspect: float) -> Tensor:
    """Append geometric transforms to affine maps [N, 3, 3].

    Scaling 2^N(0, .2^2), rotation, anisotropic scaling 2^N(0, .2^2), rotation, translation N(0, (1/8)^2). Each rotation has
    probability 1 - sqrt(1 - p), so that the probability of any is p.
    """
    p_rotation = 1 - (1 - draw.p) ** 0.5
    scale = draw.log_normal(0.2)
    matrix = matrix @ _scaling(scale, scale) @ _rotation(draw.uniform(-pi, pi, p=p_rotation))
    stretch = draw.log_normal(0.2)
    matrix = matrix @ _scaling(stretch, 1 / stretch) @ _rotation(draw.uniform(-pi, pi, p=p_rotation))
    dx, dy = draw.normal_shift(0.125)
    return matrix @ _translation(dx * 2 * aspect, dy * 2)


def _normalized(matrix: Tensor, h: int, w: int) -> Tensor:
    """Convert to maps [N, 2, 3] in coordinates that are -1 and 1 at the edges."""
    aspect = torch.tensor([w / h, 1.0, 1.0])
    return (matrix * aspect / aspect[:, None])[:, :2]


def color_matrix(draw: Draw, rgb: bool = True) -> tuple[Tensor, Tensor]:
    """Draw affine color transforms.

    Brightness N(0, .2^2), contrast 2^N(0, .5^2), luma flip and, for RGB, hue rotation and saturation 2^N(0, 1).

    Args:
        draw: random parameters.
        rgb: whether to include hue and saturation.

    Returns:
        Matrices [N, 3, 3] and offsets [N, 3].
    """
    eye, gray = torch.eye(3), torch.full((3, 3), 1 / 3)
    offset = draw.normal(0.2)
    matrix = eye * draw.log_normal(0.5)[:, None, None]
    offset = offset[:, None] * matrix.diagonal(dim1=1, dim2=2)
    flip = eye - 2 * gray * draw.integer(2)[:, None, None]
    matrix, offset = flip @ matrix, (flip @ offset[:, :, None])[:, :, 0]
    if rgb:
        hue, saturation = _hue_rotation(draw.uniform(-pi, pi)), draw.log_normal(1.0)
        rest = gray + (eye - gray) * saturation[:, None, None]
        matrix, offset = rest @ hue @ matrix, (rest @ hue @ offset[:, :, None])[:, :, 0]
    return matrix, offset


def color(x: Tensor, draw: Draw) -> Tensor:
    """Apply one affine color transform per image [N, C, H, W]; of gray images, the mean of what it does to gray RGB; not to alpha."""
    if x.shape[1] == 4:
        return torch.cat([color(x[:, :3], draw), x[:, 3:]], 1)
    rgb = x.shape[1] == 3
    matrix, offset = color_matrix(draw, rgb)
    if not rgb:
        matrix, offset = matrix.sum(2).mean(1)[:, None, None], offset.mean(1, keepdim=True)
    matrix, offset = matrix.to(x.device, x.dtype), offset.to(x.device, x.dtype)
    if not rgb:
        return x * matrix[:, :, :, None] + offset[:, :, None, None]
    return (matrix @ x.flatten(2)).reshape(x.shape) + offset[:, :, None, None]


def _hue_rotation(angle: Tensor) -> Tensor:
    """Rotations [N, 3, 3] of RGB space about the gray axis by angles [N] (Rodrigues' formula)."""
    k = 1 / 3**0.5
    cross = torch.tensor([[0.0, -k, k], [k, 0.0, -k], [-k, k, 0.0]])
    cosine, sine = angle.cos()[:, None, None], angle.sin()[:, None, None]
    return torch.eye(3) * cosine + cross * sine + torch.full((3, 3), 1 / 3) * (1 - cosine)
