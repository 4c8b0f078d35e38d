"""`poisson`: Photon noise (shot noise): each value is a Poisson variable whose mean is its intensity times `peak`, divided by `peak`."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from gancli.core.contracts import Degradation
from gancli.degradations.levels import Range, draw, quantized


class Poisson(Degradation):
    name = "poisson"
    argument: ClassVar[str] = "peak"
    peak: Range = Field((30.0, 30.0), description="photons of a white pixel; less is noisier; a number or a range")

    def __call__(self, x: Tensor, random: torch.Generator) -> tuple[Tensor, None]:
        peak = max(draw(self.peak, random), 1e-3)
        photons = torch.poisson((x.cpu() + 1) / 2 * peak, generator=random).to(x.device)
        return quantized(photons / peak * 2 - 1), None
