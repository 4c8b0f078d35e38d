"""RMSprop (Tieleman and Hinton 2012), the optimiser of WGAN (1701.07875)."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import nn

from gancli.contracts import Optimiser


class RMSprop(Optimiser):
    name = "rmsprop"
    lr: float = Field(5e-5, gt=0, description="learning rate")
    alpha: float = Field(0.99, ge=0, lt=1, description="decay of the second moment")
    eps: float = Field(1e-8, gt=0)
    momentum: float = Field(0.0, ge=0, lt=1)
    centered: bool = Field(False, description="divide by the variance, not the second moment")

    def build(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(
            parameters, self.lr, self.alpha, self.eps, momentum=self.momentum, centered=self.centered
        )
