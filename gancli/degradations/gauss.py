"""`gauss`: Additive white Gaussian noise of fixed or, per image, random standard deviation (1608.03981, DnCNN-S and DnCNN-B)."""

from __future__ import annotations

import re
from typing import Annotated, Any

import torch
from pydantic import BeforeValidator, Field, model_validator
from torch import Tensor

from gancli.core.contracts import Degradation

Level = Annotated[float, Field(ge=0, le=255)]


def _range(value: Any) -> Any:
    """Parse a number or range: 25 -> (25, 25), "5-50" -> (5, 50)."""
    if isinstance(value, str) and (found := re.fullmatch(r"([0-9.]+)-([0-9.]+)", value)):
        return found[1], found[2]
    return (value, value) if isinstance(value, int | float | str) else value


class Gauss(Degradation):
    name = "gauss"
    sigma: Annotated[tuple[Level, Level], BeforeValidator(_range)] = Field(
        (25.0, 25.0),
        description="standard deviation on the scale 0 to 255: a number (25), or a range (5-50) for a uniform one per image",
    )
    quantize: bool = Field(
        True, description="clip and round to integers 0 to 255, as in a file; false: neither, as in most papers"
    )

    @model_validator(mode="after")
    def _ordered(self) -> Gauss:
        if self.sigma[0] > self.sigma[1]:
            raise ValueError(f"sigma: lower bound {self.sigma[0]:g} exceeds upper bound {self.sigma[1]:g}")
        return self

    def __call__(self, x: Tensor, random: torch.Generator) -> tuple[Tensor, None]:
        low, high = self.sigma
        sigma = low + (high - low) * torch.rand((), generator=random).to(x.device)
        noisy = x + sigma / 127.5 * torch.randn(x.shape, generator=random).to(x.device)
        if self.quantize:
            noisy = noisy.add_(1).mul_(127.5).round_().clamp_(0, 255).mul_(2 / 255).sub_(1)
        return noisy, None
