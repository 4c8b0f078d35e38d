"""Minimax loss (1406.2661, equation 1): G minimizes log(1 - D(G(z))), which saturates if D is confident.

L_D = softplus(-D(x)) + softplus(D(G(z)))        L_G = -softplus(D(G(z)))
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus

from gancli.core.contracts import Loss


class Minimax(Loss):
    name = "minimax"

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(-real) + softplus(fake)

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:  # noqa: ARG002
        return -softplus(fake)
