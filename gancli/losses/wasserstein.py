"""Wasserstein loss (WGAN, 1701.07875, equation 3). Requires a Lipschitz critic: weight clipping (`clip`) or a gradient penalty.

L_D = D(G(z)) - D(x)        L_G = -D(G(z))
"""

from __future__ import annotations

from torch import Tensor

from gancli.core.contracts import Loss


class Wasserstein(Loss):
    name = "wasserstein"

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        return fake - real

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:  # noqa: ARG002
        return -fake

    def centered(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        return real - fake, fake - real
