"""Adam (1412.6980) with the betas that the GAN literature settled on (1511.06434)."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import nn

from gancli.contracts import Optimiser


class Adam(Optimiser):
    name = "adam"
    lr: float = Field(2e-4, gt=0, description="learning rate")
    betas: tuple[float, float] = Field((0.5, 0.999), description="decay of the first and second moment")
    eps: float = Field(1e-8, gt=0)
    weight_decay: float = Field(0.0, ge=0, description="L2, added to the gradient")

    def build(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.Adam(parameters, self.lr, self.betas, self.eps, weight_decay=self.weight_decay, fused=True)
