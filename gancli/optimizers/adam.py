"""Adam (1412.6980); the default betas are those of DCGAN (1511.06434)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, ClassVar, Self

import torch
from pydantic import Field
from torch import Tensor

from gancli.core.contracts import Optimizer, Tensors
from gancli.core.schedules import annealed

Decay = Annotated[float, Field(ge=0, lt=1)]


class Adam(Optimizer):
    name = "adam"
    kernel: ClassVar[Callable[..., None]] = torch._fused_adam_
    lr: float = Field(2e-4, gt=0, description="learning rate")
    betas: tuple[Decay, Decay] = Field((0.5, 0.999), description="decay rates of first and second moment")
    eps: float = Field(1e-8, gt=0, description="added to the square root of the second moment")
    weight_decay: float = Field(0.0, ge=0, description="L2 regularization, added to the gradient")
    final_betas: tuple[Decay, Decay] | None = Field(
        None, description="decay rates at the end of training, on a cosine from `betas` (2501.05441); default: constant"
    )

    @property
    def moments(self) -> tuple[str, ...]:
        return "exp_avg", "exp_avg_sq"

    def lazily(self, interval: int) -> Self:
        ratio = interval / (interval + 1)
        final = self.final_betas and tuple(beta**ratio for beta in self.final_betas)
        betas = tuple(beta**ratio for beta in self.betas)
        return super().lazily(interval).replace(betas=betas, final_betas=final)

    def at(self, images: int, total: int) -> Self:
        if self.final_betas is None or total <= 0:
            return self
        now = (annealed(a, b, images / total) for a, b in zip(self.betas, self.final_betas, strict=True))
        return self.model_copy(update={"betas": tuple(now)})

    def update(
        self, weights: Tensors, gradients: Tensors, moments: Mapping[str, Tensors], step: Tensor, lr: float
    ) -> None:
        type(self).kernel(
            weights, gradients, moments["exp_avg"], moments["exp_avg_sq"], [], [step] * len(weights),
            lr=lr, beta1=self.betas[0], beta2=self.betas[1], weight_decay=self.weight_decay, eps=self.eps,
            amsgrad=False, maximize=False,
        )  # fmt: skip
