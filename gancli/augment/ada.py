"""Adaptive discriminator augmentation (ADA, 2006.06676): each change is made with a probability p, the same for all.

p follows D's overfitting: r = E[sign D(x)], and p rises while r is above `target`, falls while it is below, so slowly that
0 to 1 takes `speed` images. p is part of the run's memory and saved with it.

The changes, in the paper's order (appendix B): pixel blits (mirror, quarter turns, whole-pixel shifts), geometry (scale, turn,
stretch, shift), color (brightness, contrast, inverted luma, hue, saturation). Departures: the geometry is one bilinear
sampling with reflected borders, without the wavelet filters around it; r is a moving average rather than a mean of four batches.
"""

from __future__ import annotations

from math import log, pi

import torch
from pydantic import Field
from torch import Tensor

from gancli.augment.resample import resample
from gancli.core import sharding
from gancli.core.contracts import Augment, Memory


class ADA(Augment):
    name = "ada"
    blit: bool = Field(True, description="mirror, quarter turns, whole-pixel shifts")
    geometric: bool = Field(True, description="scale, turn, stretch, shift")
    color: bool = Field(True, description="brightness, contrast, luma, hue, saturation")
    mirror: bool = Field(True, description="may mirror: not for digits")
    target: float = Field(0.6, description="of r")
    speed: int = Field(500_000, ge=1, description="images for p to go from 0 to 1")
    start: float = Field(0.0, ge=0, le=1, description="p at the start")
    fixed: bool = Field(False, description="p stays at `start`")

    def memory(self) -> Memory:
        return {"ada_p": torch.tensor(self.start), "ada_r": torch.zeros(())}

    def adapt(self, on_real: Tensor, memory: Memory) -> None:
        memory["ada_r"].lerp_(on_real.sign().mean(), 0.25)
        if not self.fixed:
            step = (memory["ada_r"] - self.target).sign() * (len(on_real) / self.speed)
            memory["ada_p"].add_(step).clamp_(0, 1)

    def __call__(self, x: Tensor, random: torch.Generator, memory: Memory) -> Tensor:
        p = float(memory["ada_p"])
        if p == 0:
            return x
        draw = Draw(len(x), p, random)
        if self.blit or self.geometric:
            matrix = torch.eye(3).repeat(len(x), 1, 1)
            if self.blit:
                matrix = blits(matrix, draw, x.shape[2], x.shape[3], self.mirror)
            if self.geometric:
                matrix = geometry(matrix, draw, x.shape[3] / x.shape[2])
            x = resample(x, _normalized(matrix, x.shape[2], x.shape[3]).to(x.device))
        return recolored(x, draw) if self.color else x


class Draw:
    """Random numbers, one per image, that are left at their neutral value with probability 1 - p."""

    def __init__(self, n: int, p: float, random: torch.Generator) -> None:
        self.n, self.p, self.random = n, p, random

    def gate(self, value: Tensor, neutral: float, p: float | None = None) -> Tensor:
        chosen = sharding.rand(self.n, random=self.random) < (self.p if p is None else p)
        return torch.where(chosen, value, torch.full_like(value, neutral))

    def uniform(self, low: float, high: float, neutral: float = 0.0, p: float | None = None) -> Tensor:
        return self.gate(sharding.rand(self.n, random=self.random) * (high - low) + low, neutral, p)

    def whole(self, choices: int) -> Tensor:
        return self.gate(sharding.randint(0, choices, (self.n,), self.random).float(), 0.0)

    def normal(self, deviation: float, neutral: float = 0.0) -> Tensor:
        return self.gate(sharding.randn(self.n, random=self.random) * deviation + neutral, neutral)

    def log_normal(self, deviation: float) -> Tensor:
        """2^N(0, deviation)."""
        return (self.normal(deviation) * log(2)).exp()


def _matrix(rows: list[list[Tensor]]) -> Tensor:
    """[N, k, k] of numbers [N]."""
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def _affine(a: Tensor, b: Tensor, c: Tensor, d: Tensor, tx: Tensor, ty: Tensor) -> Tensor:
    zero, one = torch.zeros_like(a), torch.ones_like(a)
    return _matrix([[a, b, tx], [c, d, ty], [zero, zero, one]])


def _scaling(x: Tensor, y: Tensor) -> Tensor:
    zero = torch.zeros_like(x)
    return _affine(x, zero, zero, y, zero, zero)


def _rotation(angle: Tensor) -> Tensor:
    zero = torch.zeros_like(angle)
    return _affine(angle.cos(), -angle.sin(), angle.sin(), angle.cos(), zero, zero)


def _translation(x: Tensor, y: Tensor) -> Tensor:
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    return _affine(one, zero, zero, one, x, y)


def blits(matrix: Tensor, draw: Draw, h: int, w: int, mirror: bool) -> Tensor:
    """Maps from a place in the result to a place in the image, in units of half the height (x: w / h at the right edge)."""
    if mirror:
        side = 1 - 2 * draw.whole(2)
        matrix = matrix @ _scaling(side, torch.ones_like(side))
    turns = draw.whole(4)
    matrix = matrix @ _rotation((turns if h == w else turns // 2 * 2) * (pi / 2))
    pixel = 2 / h
    across, along = draw.uniform(-0.125, 0.125) * w, draw.uniform(-0.125, 0.125) * h
    return matrix @ _translation(across.round() * pixel, along.round() * pixel)


def geometry(matrix: Tensor, draw: Draw, aspect: float) -> Tensor:
    """Scale 2^N(0, .2), turn, stretch 2^N(0, .2), turn again, shift N(0, 1/8); a turn is made with probability p in all."""
    turn = 1 - (1 - draw.p) ** 0.5
    scale = draw.log_normal(0.2)
    matrix = matrix @ _scaling(scale, scale) @ _rotation(draw.uniform(-pi, pi, p=turn))
    stretch = draw.log_normal(0.2)
    matrix = matrix @ _scaling(stretch, 1 / stretch) @ _rotation(draw.uniform(-pi, pi, p=turn))
    return matrix @ _translation(draw.normal(0.125) * 2 * aspect, draw.normal(0.125) * 2)


def _normalized(matrix: Tensor, h: int, w: int) -> Tensor:
    """[N, 2, 3] in coordinates that are -1 and 1 at both pairs of edges."""
    aspect = torch.tensor([w / h, 1.0, 1.0])
    return (matrix * aspect / aspect[:, None])[:, :2]


def recolored(x: Tensor, draw: Draw) -> Tensor:
    """One affine map of colors per image: brightness N(0, .2), contrast 2^N(0, .5), luma, hue, saturation 2^N(0, 1)."""
    eye, grey = torch.eye(3), torch.full((3, 3), 1 / 3)
    offset = draw.normal(0.2)
    matrix = eye * draw.log_normal(0.5)[:, None, None]
    offset = offset[:, None] * matrix.diagonal(dim1=1, dim2=2)
    flip = eye - 2 * grey * draw.whole(2)[:, None, None]
    matrix, offset = flip @ matrix, (flip @ offset[:, :, None])[:, :, 0]
    if x.shape[1] == 3:
        hue, saturation = _hue_rotation(draw.uniform(-pi, pi)), draw.log_normal(1.0)
        rest = grey + (eye - grey) * saturation[:, None, None]
        matrix, offset = rest @ hue @ matrix, (rest @ hue @ offset[:, :, None])[:, :, 0]
    else:
        matrix, offset = matrix.sum(2).mean(1)[:, None, None], offset.mean(1, keepdim=True)
    matrix, offset = matrix.to(x.device, x.dtype), offset.to(x.device, x.dtype)
    if x.shape[1] != 3:
        return x * matrix[:, :, :, None] + offset[:, :, None, None]
    return (matrix @ x.flatten(2)).reshape(x.shape) + offset[:, :, None, None]


def _hue_rotation(angle: Tensor) -> Tensor:
    """Turns of color space about the grey axis (Rodrigues), [N, 3, 3]."""
    k = 1 / 3**0.5
    cross = torch.tensor([[0.0, -k, k], [k, 0.0, -k], [-k, k, 0.0]])
    cosine, sine = angle.cos()[:, None, None], angle.sin()[:, None, None]
    return torch.eye(3) * cosine + cross * sine + torch.full((3, 3), 1 / 3) * (1 - cosine)
