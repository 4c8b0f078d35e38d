"""DRAGAN (1705.07215, section 2.3): gradient penalty at perturbed reals, with target norm 1.

E[(|dD/dx(x + a d)| - 1)^2],   d = scale * std(x) * u,   u ~ U[0, 1) per pixel,   a ~ U[0, 1) per image

a, a random point on the line from x to x + d, is in the published code, not in the paper.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from gancli.core import sharding
from gancli.core.contracts import Penalty
from gancli.penalties.input_gradients import input_gradient, norm


class Dragan(Penalty):
    name = "dragan"
    weight: float = Field(10.0, ge=0, description="lambda")
    scale: float = Field(
        0.5, ge=0, description="scale of the perturbation, in standard deviations of the pixels of the batch"
    )

    def points(self, real: Tensor, fake: Tensor, random: torch.Generator) -> Tensor:  # noqa: ARG002
        u = sharding.rand(*real.shape, random=random).to(real.device, real.dtype)
        a = sharding.rand(len(real), *[1] * (real.dim() - 1), random=random).to(real.device, real.dtype)
        return real + self.scale * sharding.std(real).to(real.dtype) * u * a

    def penalty(self, points: Tensor, logits: Tensor) -> Tensor:
        return (norm(input_gradient(points, logits)) - 1).square()
