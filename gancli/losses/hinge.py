"""Hinge loss (1705.02894; SNGAN, 1802.05957, equations 16 and 17).

L_D = max(0, 1 - D(x)) + max(0, 1 + D(G(z)))        L_G = -D(G(z))
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import relu

from gancli.core.contracts import Loss


class Hinge(Loss):
    name = "hinge"

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        return relu(1 - real) + relu(1 + fake)

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:  # noqa: ARG002
        return -fake
