"""R2 (1801.04406, equation 10): half the squared slope of the critic at the fakes, E[|dD/dx|^2] / 2; `weight` is gamma.

With R1 beside it the game converges locally (R3GAN, 2501.05441, section 2).
"""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from gancli.contracts import Look, Penalty, Tick
from gancli.losses.slope import annealed, slope, square


class R2(Penalty):
    name = "r2"
    slope_at_data: ClassVar[bool] = True
    weight: float = Field(1.0, ge=0, description="gamma")
    every: int = Field(1, ge=1, description="on every k-th step, k times as strong (1912.04958)")
    final: float | None = Field(None, ge=0, description="gamma after `over` images (2501.05441); not given: constant")
    over: int = Field(1_000_000, ge=1, description="images over which gamma falls to `final`, as a cosine")

    def points(self, real: Tensor, fake: Tensor, random: torch.Generator) -> Tensor:  # noqa: ARG002
        return fake

    def price(self, points: Tensor, logits: Tensor) -> Tensor:
        return square(slope(points, logits)) / 2

    def strength(self, tick: Tick) -> float:
        return annealed(self.weight, self.final, tick.images / self.over)

    def cost(self, look: Look) -> Tensor:
        return super().cost(look) if look.slopes is None else square(look.slopes[1]) / 2
