"""Schedules as pure functions of the progress of training: the steps on which a phase runs, and the learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from gancli.core.registry import Frozen

if TYPE_CHECKING:
    from gancli.core.contracts import Tick


def always(_tick: Tick) -> bool:
    """True on every step."""
    return True


def every(steps: int) -> Callable[[Tick], bool]:
    """A predicate that is true on steps 0, k, 2k, ... for k = `steps` (lazy regularization, 1912.04958)."""
    return lambda tick: tick.step % steps == 0


def until(images: int) -> Callable[[Tick], bool]:
    """A predicate that is true during the first `images` training images (pre-training)."""
    return lambda tick: tick.images < images


def annealed(start: float, final: float | None, progress: float) -> float:
    """Cosine annealing from `start` to `final` as `progress` goes from 0 to 1; constant if `final` is None."""
    if final is None:
        return start
    return final + (start - final) * (1 + math.cos(math.pi * min(1.0, progress))) / 2


class Schedule(Frozen):
    """A factor of the learning rate: linear warm-up, then constant, then decay to `final`."""

    shape: Literal["constant", "linear", "cosine"] = Field(
        "constant", description="shape of the decay of the learning rate"
    )
    warmup: int = Field(0, ge=0, description="images of linear warm-up of the learning rate; 0: none")
    hold: float = Field(0.0, ge=0, le=1, description="fraction of training before the decay begins")
    final: float = Field(0.0, ge=0, description="learning rate at the end of the decay, as a fraction of `lr`")

    def factor(self, images: int, total: int) -> float:
        """The factor at a point of training.

        Args:
            images: training images drawn so far.
            total: the configured total; 0: no decay.

        Returns:
            The factor of the learning rate.
        """
        warmup = min(1.0, (images + 1) / self.warmup) if self.warmup else 1.0
        if self.shape == "constant" or total <= 0:
            return warmup
        start = self.hold * total
        progress = min(1.0, max(0.0, (images - start) / max(1.0, total - start)))
        decay = 1 - progress if self.shape == "linear" else (1 + math.cos(math.pi * progress)) / 2
        return warmup * (self.final + (1 - self.final) * decay)
