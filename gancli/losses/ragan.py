"""Relativistic average loss (RaGAN, 1807.00734, section 4.2): D(x) relative to the mean of D(G(z)), and vice versa.

    L_D = softplus(-(D(x) - mean D(G(z)))) + softplus(D(G(z)) - mean D(x))        L_G: x and G(z) swapped

The means are over the batch, or over each micro-batch.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor
from torch.nn.functional import softplus

from gancli.core.contracts import Loss


class RelativisticAverage(Loss):
    name = "ragan"
    relativistic: ClassVar[bool] = True

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(fake.mean() - real) + softplus(fake - real.mean())

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        assert real is not None
        return self.critic(fake, real)

    def centered(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        return real - fake.mean(), fake - real.mean()
