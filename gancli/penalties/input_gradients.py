"""Gradients of the critic with respect to its input: what gradient penalties are made of."""

from __future__ import annotations

import math
from typing import ClassVar, Self

import torch
from pydantic import Field
from torch import Tensor

from gancli.core import sharding
from gancli.core.contracts import Penalty, PenaltyInputs, Tick


def input_gradient(points: Tensor, logits: Tensor) -> Tensor:
    """dD/dx at each point, [N, ...], with its own graph: a sample's logit depends on no other sample."""
    (gradient,) = torch.autograd.grad(logits.sum(), points, create_graph=True)
    return gradient


def squared_norm(gradient: Tensor) -> Tensor:
    """The squared norm [N] of each sample's gradient, summed in float32."""
    return gradient.flatten(1).float().square().sum(1)


def norm(gradient: Tensor) -> Tensor:
    """The norm [N]; its own derivative is finite at 0."""
    return (squared_norm(gradient) + 1e-12).sqrt()


def interpolate(real: Tensor, fake: Tensor, random: torch.Generator) -> Tensor:
    """Random interpolations u x + (1 - u) G(z), u uniform, one per pair: [N, C, H, W]."""
    u = sharding.rand(len(real), *[1] * (real.dim() - 1), random=random).to(real.device, real.dtype)
    return torch.lerp(fake, real, u)


def annealed(start: float, final: float | None, done: float) -> float:
    """Cosine annealing from start to final as `done` goes from 0 to 1."""
    if final is None:
        return start
    return final + (start - final) * (1 + math.cos(math.pi * min(1.0, done))) / 2


class SquaredGradient(Penalty):
    """Half the squared norm of the critic's input gradient at the reals (R1) or at the fakes (R2)."""

    uses_input_gradients: ClassVar[bool] = True
    side: ClassVar[int]  # 0 the reals, 1 the fakes
    weight: float = Field(1.0, ge=0, description="gamma")
    final: float | None = Field(None, ge=0, description="gamma after `over` images (2501.05441); not given: constant")
    over: int | None = Field(
        None, ge=1, description="images over which gamma falls to `final`, as a cosine; not given: those of the run"
    )

    def points(self, real: Tensor, fake: Tensor, random: torch.Generator) -> Tensor:  # noqa: ARG002
        return (real, fake)[self.side]

    def penalty(self, points: Tensor, logits: Tensor) -> Tensor:
        return squared_norm(input_gradient(points, logits)) / 2

    def resolved(self, images: int) -> Self:
        return self if self.final is None or self.over else self.replace(over=images)

    def weight_at(self, tick: Tick) -> float:
        return annealed(self.weight, self.final, tick.images / self.over if self.over else 0.0)

    def loss(self, inputs: PenaltyInputs) -> Tensor:
        return super().loss(inputs) if inputs.gradients is None else squared_norm(inputs.gradients[self.side]) / 2
