"""RMSprop (Tieleman and Hinton, 2012), the optimizer of WGAN (1701.07875)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor

from gancli.core.contracts import Optimizer, Tensors


class RMSprop(Optimizer):
    name = "rmsprop"
    lr: float = Field(5e-5, gt=0, description="learning rate")
    alpha: float = Field(0.99, ge=0, lt=1, description="decay rate of the second moment")
    eps: float = Field(1e-8, gt=0, description="added to the square root of the second moment")
    momentum: float = Field(0.0, ge=0, lt=1, description="momentum; 0: off")
    centered: bool = Field(
        False, description="divide by the standard deviation of the gradient (second moment minus squared mean)"
    )

    @property
    def moments(self) -> tuple[str, ...]:
        return (
            "square_avg",
            *(("grad_avg",) if self.centered else ()),
            *(("momentum_buffer",) if self.momentum else ()),
        )

    def update(
        self,
        weights: Tensors,
        gradients: Tensors,
        moments: Mapping[str, Tensors],
        step: Tensor,  # noqa: ARG002
        lr: float,
    ) -> None:
        second: Tensors = moments["square_avg"]
        torch._foreach_mul_(second, self.alpha)
        torch._foreach_addcmul_(second, gradients, gradients, 1 - self.alpha)
        if self.centered:
            first = moments["grad_avg"]
            torch._foreach_lerp_(first, gradients, 1 - self.alpha)
            second = torch._foreach_addcmul(second, first, first, -1)
            torch._foreach_clamp_min_(second, 0.0)  # negative by rounding
        denominator = torch._foreach_sqrt(second)
        torch._foreach_add_(denominator, self.eps)
        if self.momentum:
            velocity = moments["momentum_buffer"]
            torch._foreach_mul_(velocity, self.momentum)
            torch._foreach_addcdiv_(velocity, gradients, denominator)
            torch._foreach_add_(weights, velocity, alpha=-lr)
        else:
            torch._foreach_addcdiv_(weights, gradients, denominator, -lr)
