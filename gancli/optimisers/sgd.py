"""Stochastic gradient descent, with momentum and Nesterov's variant of it."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import nn

from gancli.contracts import Optimiser


class SGD(Optimiser):
    name = "sgd"
    lr: float = Field(1e-2, gt=0, description="learning rate")
    momentum: float = Field(0.0, ge=0, lt=1)
    nesterov: bool = Field(False, description="look ahead; needs momentum")
    weight_decay: float = Field(0.0, ge=0, description="L2, added to the gradient")

    def build(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.SGD(
            parameters, self.lr, self.momentum, nesterov=self.nesterov, weight_decay=self.weight_decay, fused=True
        )
