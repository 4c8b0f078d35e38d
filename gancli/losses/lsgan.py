"""Least-squares loss (LSGAN, 1611.04076, equation 9 with a = 0, b = c = 1).

L_D = ((D(x) - 1)^2 + D(G(z))^2) / 2        L_G = (D(G(z)) - 1)^2 / 2
"""

from __future__ import annotations

from torch import Tensor

from gancli.core.contracts import Loss


class LeastSquares(Loss):
    name = "lsgan"

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        return ((real - 1).square() + fake.square()) / 2

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:  # noqa: ARG002
        return (fake - 1).square() / 2

    def centered(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        return real - 0.5, fake - 0.5
