"""Relativistic pairing loss (RpGAN, 1807.00734, section 4.1; R3GAN, 2501.05441, equation 2): D(x) relative to D(G(z)).

L_D = softplus(-(D(x) - D(G(z))))        L_G = softplus(-(D(G(z)) - D(x)))
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor
from torch.nn.functional import softplus

from gancli.core.contracts import Loss


class RelativisticPairing(Loss):
    name = "rpgan"
    relativistic: ClassVar[bool] = True

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(fake - real)

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        assert real is not None
        return softplus(real - fake)

    def centered(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        return real - fake, fake - real
