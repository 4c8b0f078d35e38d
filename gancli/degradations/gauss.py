"""`gauss`: Additive white Gaussian noise of fixed or, per image, random standard deviation (1608.03981, DnCNN-S and DnCNN-B)."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from gancli.core.contracts import Degradation
from gancli.degradations.levels import Range, quantized


class Gauss(Degradation):
    name = "gauss"
    argument: ClassVar[str] = "sigma"
    sigma: Range = Field(
        (25.0, 25.0),
        description="standard deviation on the scale 0 to 255: a number (25), or a range (5-50) for a uniform one per image",
    )
    quantize: bool = Field(
        True, description="clip and round to integers 0 to 255, as in a file; false: neither, as in most papers"
    )

    def __call__(self, x: Tensor, random: torch.Generator) -> tuple[Tensor, None]:
        low, high = self.sigma
        sigma = low + (high - low) * torch.rand((), generator=random).to(x.device)
        noisy = x + sigma / 127.5 * torch.randn(x.shape, generator=random).to(x.device)
        return quantized(noisy) if self.quantize else noisy, None
