"""Gradients of the critic at points, which the gradient penalties are made of."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gancli import rows


def slope(points: Tensor, logits: Tensor) -> Tensor:
    """dD/dx at each point, [N, ...], with its own graph: a sample's logit depends on no other sample."""
    (gradient,) = torch.autograd.grad(logits.sum(), points, create_graph=True)
    return gradient


def square(gradient: Tensor) -> Tensor:
    """The squared length [N] of each sample's gradient, summed in float32."""
    return gradient.flatten(1).float().square().sum(1)


def length(gradient: Tensor) -> Tensor:
    """The length [N]; its own derivative is finite at 0."""
    return (square(gradient) + 1e-12).sqrt()


def between(real: Tensor, fake: Tensor, random: torch.Generator) -> Tensor:
    """u x + (1 - u) G(z), u uniform, one per pair."""
    u = rows.rand(len(real), *[1] * (real.dim() - 1), random=random).to(real.device, real.dtype)
    return torch.lerp(fake, real, u)


def annealed(start: float, final: float | None, done: float) -> float:
    """From start to final along a cosine as `done` goes from 0 to 1."""
    if final is None:
        return start
    return final + (start - final) * (1 + math.cos(math.pi * min(1.0, done))) / 2
