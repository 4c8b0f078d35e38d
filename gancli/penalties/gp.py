"""Gradient penalty (WGAN-GP, 1704.00028, equation 3) at random interpolations of reals and fakes, with target norm 1.

E[(|dD/dx(u x + (1 - u) G(z))| - 1)^2]
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import relu

from gancli.core.contracts import Penalty
from gancli.penalties.input_gradients import input_gradient, interpolate, norm


class GradientPenalty(Penalty):
    name = "gp"
    weight: float = Field(10.0, ge=0, description="lambda")
    target: float = Field(1.0, ge=0, description="target norm of the input gradient")
    one_sided: bool = Field(False, description="penalize only norms above the target (1704.00028, section 4)")

    def points(self, real: Tensor, fake: Tensor, random: torch.Generator) -> Tensor:
        return interpolate(real, fake, random)

    def penalty(self, points: Tensor, logits: Tensor) -> Tensor:
        excess = norm(input_gradient(points, logits)) - self.target
        return (relu(excess) if self.one_sided else excess).square()
