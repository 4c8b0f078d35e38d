"""Presets that depend on the data: the first case whose conditions hold says which preset is used.

    [[case]]
    when = { side_above = 64, images_below = 2000 }
    preset = "fastgan"

    [[case]]
    preset = "best-cpu"

Conditions are on side (the longer one, in pixels), channels, images (for training) and classes; what is not known meets none.
Other keys of a case override those of its preset.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

BOUNDS = {"above": lambda value, bound: value > bound, "below": lambda value, bound: value < bound}


def chosen(cases: Sequence[Mapping[str, Any]], facts: Mapping[str, float]) -> tuple[str, dict[str, Any]]:
    """The first case whose conditions hold: the name of its preset, and its other keys. The last case must have no conditions."""
    case = next(case for case in cases if all(_holds(key, bound, facts) for key, bound in case.get("when", {}).items()))
    return case["preset"], {key: value for key, value in case.items() if key not in ("when", "preset")}


def _holds(condition: str, bound: float, facts: Mapping[str, float]) -> bool:
    fact, _, kind = condition.partition("_")
    if fact not in facts:
        return False
    return BOUNDS[kind](facts[fact], bound) if kind else facts[fact] == bound
