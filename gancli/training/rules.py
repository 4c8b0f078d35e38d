"""When a signal of the monitor is worth a warning. The bounds come from tests/soak/monitor.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Lines = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Rule:
    """A bound on a signal. Of one that ends in a slash (`update/`) there is one for each net or critic, by its name."""

    kind: str  # {} is the net's name
    signal: str
    bound: float
    above: bool
    looks: int  # in a row
    text: str  # what it means, and what to try
    past: str = ""  # what is said when it is over
    mean: bool = False  # of the looks, instead of each

    def signals(self, line: Mapping[str, Any]) -> dict[str, str]:
        """The line's signals that the rule is about, and the kind of warning of each."""
        if not self.signal.endswith("/"):
            return {self.signal: self.kind}
        return {key: self.kind.format(key.removeprefix(self.signal)) for key in line if key.startswith(self.signal)}

    def broken(self, lines: Lines, signal: str = "") -> bool:
        """Whether the signal is over the bound in every one of the last looks; of a `mean`, whether their mean is."""
        return all(self._beyond(lines, signal) or [False])

    def over(self, lines: Lines, signal: str = "") -> bool:
        """Whether it is within the bound in every one of them; of a `mean`, whether their mean is."""
        return bool(self.past) and not any(self._beyond(lines, signal) or [True])

    def _beyond(self, lines: Lines, signal: str) -> list[bool]:
        """Of each of the last looks, or of their mean, whether it is over the bound; empty as long as there are too few."""
        values = [line.get(signal or self.signal) for line in lines[-self.looks :]]
        known = [float(v) for v in values if isinstance(v, int | float)]
        if len(known) < self.looks:
            return []
        found = [sum(known) / len(known)] if self.mean else known
        return [v > self.bound if self.above else v < self.bound for v in found]


AUGMENT = "try --set 'task.augment=[\"diffaugment\"]', or more data"
RULES = (
    Rule("collapse", "spread", 0.25, False, 3,
         "the samples look alike: mode collapse; try another --preset, one with a gradient penalty such as r3gan, or another --seed",
         "the samples differ again"),
    Rule("few images", "known", 300, False, 1, f"so few images are soon memorized; {AUGMENT}"),
    Rule("overfitting", "overfit/", 0.58, True, 4,
         f"{{}} tells training images from validation images: it overfits; {AUGMENT}",
         "{} hardly tells training images from validation images any more", mean=True),
    Rule("rate of {}", "update/", 0.05, True, 3,
         "{} changes by more than a twentieth with each step; try a lower learning rate (--set optimizer.lr=1e-4)",
         "{} changes less with each step", mean=True),
    Rule("no gradient", "grad/G", 1e-7, False, 2, "G learns nothing: no gradient reaches it; try another loss, or another seed",
         "G learns again"),
    Rule("classes", "classes", 0.4, True, 6,
         "some classes are missing from the samples, or nearly; try --set task.pack=2, or another --preset",
         "all classes are among the samples again"),
)  # fmt: skip
