"""Presets that depend on the data: the first case whose conditions hold says which preset is used.

    [[case]]
    when = { side_above = 64, images_below = 2000 }
    preset = "fastgan"

    [[case]]
    preset = "best-cpu"

Conditions are on side (the longer one, in pixels), channels, images (for training) and classes; what is not known meets none.
Other keys of a case override those of its preset. A preset with keys of its own has cases without the name of a preset:

    [[case]]
    when = { images_below = 10_000, side_below = 17 }
    task.penalties = [{ name = "r1", weight = 5.0, every = 4 }]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

BOUNDS = {"above": lambda value, bound: value > bound, "below": lambda value, bound: value < bound}


def chosen(cases: Sequence[Mapping[str, Any]], facts: Mapping[str, float]) -> tuple[str, dict[str, Any]]:
    """The first case whose conditions hold: the name of its preset, or "" if it changes keys only, and its other keys."""
    found = (case for case in cases if all(_holds(key, bound, facts) for key, bound in case.get("when", {}).items()))
    case = next(found, {})
    return case.get("preset", ""), {key: value for key, value in case.items() if key not in ("when", "preset")}


def _holds(condition: str, bound: float, facts: Mapping[str, float]) -> bool:
    fact, _, kind = condition.partition("_")
    if fact not in facts:
        return False
    return BOUNDS[kind](facts[fact], bound) if kind else facts[fact] == bound
