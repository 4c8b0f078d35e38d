"""Zero-centered gradient penalty (0-GP, 1902.03984, equation 9): E[|dD/dx|^2] at interpolations of reals and fakes."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from gancli.core.contracts import Penalty
from gancli.penalties.input_gradients import input_gradient, interpolate, squared_norm


class ZeroCentered(Penalty):
    name = "zero-gp"
    weight: float = Field(10.0, ge=0, description="lambda")

    def points(self, real: Tensor, fake: Tensor, random: torch.Generator) -> Tensor:
        return interpolate(real, fake, random)

    def penalty(self, points: Tensor, logits: Tensor) -> Tensor:
        return squared_norm(input_gradient(points, logits))
