"""The bounds beyond which a signal of the monitor causes a warning, calibrated with `tests/soak/monitor.py`, and remedies, tried in
`benchmarks/advice.py` (docs/pictures.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from gancli.core.config import flat, parse_set

Lines = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Rule:
    """A bound on a signal, or on the signal of each net or critic (`update/*`) separately."""

    kind: str  # {} is the net's or the critic's name
    signal: str  # with * for any name
    bound: float
    above: bool
    looks: int  # in a row
    text: str  # what it means
    remedies: tuple[str, ...] = ()  # what to try: KEY=VALUE of the configuration, or words
    past: str = ""  # what is said when it is over
    mean: bool = False  # of the looks, instead of each
    margin: float = 0.0  # how far within the bound it must be to be over
    after: float = 0.0  # the share of a run before which there is no warning, because it often passes
    repeated: bool = False  # at the end of the run, if it still holds

    def signals(self, line: Mapping[str, Any]) -> dict[str, str]:
        """The signals of a line that the rule applies to, and the kind of warning for each."""
        return {key: self.kind.format(name_of(key)) for key in line if fnmatchcase(key, self.signal)}

    def says(self, name: str, config: Mapping[str, Any]) -> str:
        """What the rule means for a net or critic, and what to try with this configuration, a nested table."""
        fit = [r for r in self.remedies if "=" not in r or _is_new(r, config)]
        words = [f"gan train --set '{r}'" if "=" in r else r for r in fit]
        ways = " or ".join(words) if len(words) < 3 else f"{', '.join(words[:-1])}, or {words[-1]}"
        return self.text.format(name) + (f"; try {ways}" if ways else "")

    def broken(self, lines: Lines, signal: str) -> bool:
        """Whether the signal was beyond the bound in each of the last looks (or their mean is, if `mean`)."""
        return all(self._beyond(lines, signal) or [False])

    def over(self, lines: Lines, signal: str) -> bool:
        """Whether the signal was within the bound, by the margin, in each of the last looks (or their mean is, if `mean`)."""
        return bool(self.past) and not any(self._beyond(lines, signal, self.margin) or [True])

    def _beyond(self, lines: Lines, signal: str, margin: float = 0.0) -> list[bool]:
        """For each of the last looks (or their mean), whether it is beyond the bound, or that less the margin; empty while there are
        too few looks."""
        values = [line.get(signal) for line in lines[-self.looks :]]
        known = [float(v) for v in values if isinstance(v, int | float)]
        if len(known) < self.looks:
            return []
        found = [sum(known) / len(known)] if self.mean else known
        return [v > self.bound - margin if self.above else v < self.bound + margin for v in found]


def _is_new(remedy: str, config: Mapping[str, Any]) -> bool:
    """Whether the option of a remedy is there, and its parts, or so low a value, are not in force yet."""
    ((key, wanted),) = flat(parse_set(remedy)).items()
    there: Any = config
    for name in key.split("."):
        if not isinstance(there, Mapping) or name not in there:
            return False
        there = there[name]
    if isinstance(wanted, list):
        names = [part.get("name") for part in there if isinstance(part, Mapping)] if isinstance(there, list) else []
        return any(part not in names for part in wanted)
    return isinstance(there, int | float) and there > wanted


def name_of(signal: str) -> str:
    """The net or critic that a signal belongs to: `update/G` -> `G`; empty if none."""
    return signal.partition("/")[2]


DIFFAUGMENT = 'task.augment=["diffaugment"]'
R1 = 'task.penalties=["r1"]'
RULES = (
    Rule("collapse", "spread", 0.25, False, 3, "the samples look alike: mode collapse", ("another preset", R1),
         "the samples differ again", repeated=True),
    Rule("overfitting of {}", "overfit/*", 0.58, True, 4, "{} tells training images from validation images: it overfits",
         (DIFFAUGMENT, "more data"), "{} hardly tells training images from validation images any more", mean=True, margin=0.05),
    Rule("rate of {}", "update/*", 0.05, True, 3, "{} changes by more than a twentieth with each step; the learning rate is too high",
         ("optimizer.lr=1e-4",), "{} changes less with each step", mean=True),
    Rule("no gradient of {}", "grad/G*", 1e-7, False, 2, "{} learns nothing: no gradient reaches it", ("another loss", "another seed"),
         "{} learns again"),
    Rule("classes", "classes", 0.4, True, 6, "some classes are missing from the samples, or nearly", ("another preset", R1),
         "all classes are among the samples again", after=0.25, repeated=True),
)  # fmt: skip
