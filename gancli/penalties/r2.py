"""R2 (1801.04406, equation 10): half the squared norm of the critic's input gradient at the fakes, E[|dD/dx|^2] / 2; `weight` is gamma.

With R1 beside it the game converges locally (R3GAN, 2501.05441, section 2).
"""

from __future__ import annotations

from typing import ClassVar

from gancli.penalties.input_gradients import SquaredGradient


class R2(SquaredGradient):
    name = "r2"
    side: ClassVar[int] = 1
