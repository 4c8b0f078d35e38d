"""Non-saturating loss (1406.2661, section 3): binary cross-entropy for D; G maximizes log D(G(z)).

    L_D = softplus(-D(x)) + softplus(D(G(z)))        L_G = softplus(-D(G(z)))

D(x) are logits; softplus(-a) = -log sigmoid(a) is numerically stable.
"""

from __future__ import annotations

from pydantic import Field
from torch import Tensor
from torch.nn.functional import softplus

from gancli.core.contracts import Loss


class NonSaturating(Loss):
    name = "nonsaturating"
    smooth: float = Field(
        0.0, ge=0, lt=0.5, description="one-sided label smoothing: the target of reals is 1 - smooth (1606.03498)"
    )

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(-real) + self.smooth * real + softplus(fake)

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:  # noqa: ARG002
        return softplus(-fake)
