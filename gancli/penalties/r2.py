"""R2 (1801.04406, equation 10): E[|dD/dx|^2] / 2 at the fakes.

Together with R1, training converges locally (R3GAN, 2501.05441, section 2).
"""

from __future__ import annotations

from typing import ClassVar

from gancli.penalties.input_gradients import SquaredGradient


class R2(SquaredGradient):
    name = "r2"
    side: ClassVar[int] = 1
