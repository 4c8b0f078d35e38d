"""R1 (1801.04406, equation 9): E[|dD/dx|^2] / 2 at the reals."""

from __future__ import annotations

from typing import ClassVar

from gancli.penalties.input_gradients import SquaredGradient


class R1(SquaredGradient):
    name = "r1"
    side: ClassVar[int] = 0
