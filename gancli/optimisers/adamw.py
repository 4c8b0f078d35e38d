"""AdamW: Adam with decoupled weight decay (1711.05101)."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import nn

from gancli.contracts import Optimiser


class AdamW(Optimiser):
    name = "adamw"
    lr: float = Field(2e-4, gt=0, description="learning rate")
    betas: tuple[float, float] = Field((0.5, 0.999), description="decay of the first and second moment")
    eps: float = Field(1e-8, gt=0)
    weight_decay: float = Field(1e-2, ge=0, description="decoupled from the gradient")

    def build(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.AdamW(parameters, self.lr, self.betas, self.eps, weight_decay=self.weight_decay, fused=True)
