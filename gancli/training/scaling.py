"""Dynamic loss scaling for float16, which has nothing below 6e-8 and nothing above 65,504 (1710.03740, section 3.2).

The rule and its numbers are those of torch.amp.GradScaler. The scale is a function of the gradients alone, which are the same on all
ranks after averaging; it is saved with the run, so that a resume skips the same updates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

START = 2.0**16
INTERVAL = 2000  # steps without overflow after which the scale is doubled


@dataclass
class LossScale:
    """What the loss is multiplied by before, and its gradients are divided by after the backward pass."""

    value: float = START
    good: int = 0  # steps without overflow since the scale last changed

    def gradients(self, mean: Tensor, parameters: Sequence[Tensor]) -> list[Tensor | None]:
        """The gradients of a mean loss in float32; not finite where they overflowed."""
        found = torch.autograd.grad(mean.float() * self.value, parameters, allow_unused=True)
        return [None if g is None else g.float() / self.value for g in found]

    def overflowed(self) -> bool:
        """Halve the scale after an update that had to be skipped; false if it falls below 1, which is a divergence."""
        self.value, self.good = self.value / 2, -1
        return self.value >= 1

    def stepped(self) -> None:
        """After each step: one more without overflow, unless there was one."""
        self.good += 1
        if self.good == INTERVAL:
            self.value, self.good = 2 * self.value, 0

    def numbers(self) -> dict[str, Any]:
        """What is saved."""
        return {"value": self.value, "good": self.good}

    def restore(self, table: dict[str, Any]) -> None:
        """Raises KeyError, TypeError or ValueError for what is not the saved numbers of a scale."""
        value, good = float(table["value"]), int(table["good"])
        if not 1 <= value < float("inf") or not 0 <= good < INTERVAL:
            raise ValueError(f"no loss scale: {table}")
        self.value, self.good = value, good
