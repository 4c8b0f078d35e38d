"""R1 (1801.04406, equation 9): half the squared norm of the critic's input gradient at the reals, E[|dD/dx|^2] / 2; `weight` is gamma."""

from __future__ import annotations

from typing import ClassVar

from gancli.penalties.input_gradients import SquaredGradient


class R1(SquaredGradient):
    name = "r1"
    side: ClassVar[int] = 0
