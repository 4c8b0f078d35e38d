"""Training after a divergence: the run goes back to a checkpoint and halves the learning rate, each time.

The factor is a function of the step and of history.jsonl, so a resumed run repeats it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gancli.core.config import Config
    from gancli.training.state import State

MOST = 5  # times that a run goes back before it is given up
SLOWER = 0.5


@dataclass(frozen=True)
class Retries:
    """The steps that a run went back to."""

    steps: Sequence[int] = ()

    def factor(self, step: int) -> float:
        """The factor on the learning rate after `step` steps."""
        return float(SLOWER ** sum(s <= step for s in self.steps))

    def apply(self, state: State, cfg: Config) -> None:
        if not self.steps:
            return
        factor = self.factor(state.step)
        for name, net in state.nets.items():
            rule = cfg.optimizer_of(name)
            if net.rule.lr != rule.lr * factor:
                net.rule = rule.replace(lr=rule.lr * factor)
