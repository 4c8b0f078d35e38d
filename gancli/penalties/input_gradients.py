"""Input gradients of the critic, their norms, and interpolations: the functions that gradient penalties share."""

from __future__ import annotations

from typing import ClassVar, Self

import torch
from pydantic import Field
from torch import Tensor

from gancli.core import sharding
from gancli.core.contracts import Penalty, PenaltyInputs, Tick
from gancli.core.schedules import annealed


def input_gradient(points: Tensor, logits: Tensor) -> Tensor:
    """The input gradient dD/dx, with graph.

    Args:
        points: inputs [N, ...] that require grad.
        logits: of the points, [N] or [N, P]. The logits of a sample must not depend on other samples.

    Returns:
        [N, ...], one gradient per sample.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), points, create_graph=True)
    return gradient


def squared_norm(gradient: Tensor) -> Tensor:
    """Squared norms of gradients [N, ...] per sample, computed in float32: [N]."""
    return gradient.flatten(1).float().square().sum(1)


def norm(gradient: Tensor) -> Tensor:
    """Norms of gradients [N, ...] per sample, with finite derivative at 0: [N]."""
    return (squared_norm(gradient) + 1e-12).sqrt()


def interpolate(real: Tensor, fake: Tensor, random: torch.Generator) -> Tensor:
    """Random interpolations u x + (1 - u) G(z).

    Args:
        real: x, [N, ...].
        fake: G(z), [N, ...].
        random: generator of this turn.

    Returns:
        [N, ...], with one u ~ U[0, 1) per sample.
    """
    u = sharding.rand(len(real), *[1] * (real.dim() - 1), random=random).to(real.device, real.dtype)
    return torch.lerp(fake, real, u)


class SquaredGradient(Penalty):
    """Half the squared norm of the input gradient at reals (R1) or fakes (R2).

    Attributes:
        side: 0 for reals, 1 for fakes.
    """

    uses_input_gradients: ClassVar[bool] = True
    side: ClassVar[int]
    weight: float = Field(1.0, ge=0, description="gamma")
    final: float | None = Field(
        None, ge=0, description="gamma after `over` images (2501.05441); default: constant gamma"
    )
    over: int | None = Field(
        None, ge=1, description="images of the cosine annealing of gamma to `final`; default: the whole training"
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
