"""Stochastic gradient descent with momentum or Nesterov momentum."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field, model_validator
from torch import Tensor

from gancli.core.contracts import Optimizer, Tensors


class SGD(Optimizer):
    name = "sgd"
    lr: float = Field(1e-2, gt=0, description="learning rate")
    momentum: float = Field(0.0, ge=0, lt=1, description="momentum; 0: off")
    nesterov: bool = Field(False, description="Nesterov momentum; needs `momentum`")
    weight_decay: float = Field(0.0, ge=0, description="L2 regularization, added to the gradient")

    @model_validator(mode="after")
    def _nesterov_has_momentum(self) -> SGD:
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs momentum; set momentum, for example to 0.9")
        return self

    @property
    def moments(self) -> tuple[str, ...]:
        return ("momentum_buffer",) if self.momentum else ()

    def update(
        self,
        weights: Tensors,
        gradients: Tensors,
        moments: Mapping[str, Tensors],
        step: Tensor,  # noqa: ARG002
        lr: float,
    ) -> None:
        torch._fused_sgd_(
            weights, gradients, moments.get("momentum_buffer", []), lr=lr, momentum=self.momentum, dampening=0.0,
            nesterov=self.nesterov, weight_decay=self.weight_decay, maximize=False, is_first_step=False,
        )  # fmt: skip
