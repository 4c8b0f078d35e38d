"""What changes with time, as pure functions of the images seen: when a phase runs, and learning-rate schedules."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from gancli.core.registry import Frozen

if TYPE_CHECKING:
    from gancli.core.contracts import Tick


def always(_tick: Tick) -> bool:
    return True


def every(steps: int) -> Callable[[Tick], bool]:
    """True on steps 0, k, 2k, ... (lazy regularization, 1912.04958)."""
    return lambda tick: tick.step % steps == 0


def until(images: int) -> Callable[[Tick], bool]:
    """True while fewer than `images` reals have been seen (pre-training)."""
    return lambda tick: tick.images < images


class Schedule(Frozen):
    """A factor on the learning rate, a function of the images seen."""

    shape: Literal["constant", "linear", "cosine"] = Field("constant", description="shape from `hold` to the end")
    warmup: int = Field(0, ge=0, description="images over which the factor rises from 0 to 1")
    hold: float = Field(0.0, ge=0, le=1, description="share of the run before the decay begins")
    final: float = Field(0.0, ge=0, description="factor at the end of the run")

    def factor(self, images: int, total: int) -> float:
        """The factor after `images` of `total` images; `total` is what the run was asked for."""
        rise = min(1.0, (images + 1) / self.warmup) if self.warmup else 1.0
        if self.shape == "constant" or total <= 0:
            return rise
        start = self.hold * total
        done = min(1.0, max(0.0, (images - start) / max(1.0, total - start)))
        left = 1 - done if self.shape == "linear" else (1 + math.cos(math.pi * done)) / 2
        return rise * (self.final + (1 - self.final) * left)
