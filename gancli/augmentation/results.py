"""The result of a study as plain values: table, gains, findings and the verdict in a sentence."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gancli.augmentation.contracts import Arm
from gancli.augmentation.study import Outcome
from gancli.augmentation.verdict import Bootstrap, Gain, Interval, best_of, gain, over_seeds, sentence
from gancli.core.errors import UsageError
from gancli.core.registry import nearest
from gancli.evaluation.results import OPERATORS, plain

FORMAT = 1
LISTED = 2  # findings in the verdict's sentence
SCORES = ("balanced-accuracy", "macro-f1", "recall", "precision", "f1", "calibration-error", "nll")
RESAMPLED = SCORES[:5]  # those that the bootstrap of test images knows


@dataclass(frozen=True)
class Result:
    """What a study found. Equal inputs give equal values: nothing here depends on time or machine."""

    values: Mapping[str, Any]

    @property
    def numbers(self) -> dict[str, float]:
        """What `--fail-if` can name."""
        numbers = self.values["verdict"]["numbers"]
        return {name: float(value) for name, value in numbers.items() if value is not None}

    def holds(self, bound: str) -> bool:
        """Whether a bound such as `gain-low<0` holds.

        Raises:
            UsageError: it is no bound, or there is no such number.
        """
        name, sign, value = parsed(bound)
        if name not in self.numbers:
            raise UsageError(f"--fail-if {bound}: this study has no {name}", f"it has: {', '.join(self.numbers)}")
        return OPERATORS[sign](self.numbers[name], value)


NAMES = ("gain", "gain-low", "gain-high", "ceiling", "effective", "new-images", *SCORES)


def parsed(bound: str) -> tuple[str, str, float]:
    """(name, operator, number) of a bound. Raises UsageError."""
    match = re.fullmatch(r"\s*([\w-]+)\s*(<=|>=|<|>)\s*(-?\d+(?:\.\d+)?)\s*", bound)
    if match is None or match[1] not in NAMES:
        hint = nearest(match[1], NAMES) if match else ""
        raise UsageError(
            f"--fail-if {bound!r} is no bound", hint or 'write "gain-low<0"; ' + f"it may name {', '.join(NAMES)}"
        )
    return match[1], match[2], float(match[3])


def result(
    outcome: Outcome,
    arms: Sequence[Arm],
    score: str,
    names: Sequence[str],
    more: Mapping[str, Any],
    findings: Sequence[str],
    new: Mapping[str, Mapping[str, Any]],
) -> Result:
    """The result of a study.

    Args:
        outcome: predictions of all arms.
        arms: in the order of the table.
        score: what the verdict is about.
        names: of the classes.
        more: what is recorded beside it, as plain values.
        findings: sentences on the generator.
        new: what is known of the new images of each class.
    """
    bootstrap = Bootstrap(outcome.true, outcome.found, outcome.classes, outcome.rare)
    present = [arm for arm in arms if arm.name in outcome.found]
    titles = {arm.name: arm.title for arm in present}
    best = best_of([arm.name for arm in present if arm.role == "cheap"], score, outcome.found)
    ours = next((arm.name for arm in present if arm.verdict), None)
    ceiling = next((arm.name for arm in present if arm.role == "ceiling"), None)
    gains = {} if ours is None else {
        arm.name: gain(ours, arm.name, score, outcome.found, bootstrap) for arm in present if arm.name != ours
    }  # fmt: skip
    top = None if ceiling is None else gain(ceiling, best, score, outcome.found, bootstrap)
    said = _said(None if ours is None else gains[best], outcome, titles, findings)
    found = None if ours is None else gains[best]
    effective = [of["effective"] for of in new.values() if of.get("effective") is not None]
    return Result(
        plain(
            {
                "format": FORMAT,
                **more,
                "rare class": names[outcome.rare],
                "test images": len(outcome.true),
                "seeds": len(next(iter(outcome.found.values())).scores),
                "score": score,
                "new images": new,
                "arms": {arm.name: _arm(arm, outcome, bootstrap) for arm in present},
                "not available": outcome.missing,
                "gains": {name: _gain(one) for name, one in gains.items()},
                "verdict": {
                    "sentence": said,
                    "verdict": "none" if found is None else found.verdict,
                    "best cheap arm": best,
                    "gain": None if found is None else _gain(found),
                    "ceiling": None if top is None else _gain(top),
                    "findings": list(findings),
                    "numbers": _numbers(found, top, effective, new, outcome, ours),
                },
            }
        )
    )


def _said(found: Gain | None, outcome: Outcome, titles: Mapping[str, str], findings: Sequence[str]) -> str:
    if found is None:
        why = _listed(findings) or "there are no new images"
        return f"No verdict: no generated image is left to train on ({why})."
    seeds = len(outcome.found[found.arm].scores)
    said = sentence(found, titles, seeds, len(outcome.true))
    return f"{said} But {_listed(findings)}." if findings else said


def _listed(findings: Sequence[str]) -> str:
    """The first sentences, and how many there are beside."""
    more = f"; and {len(findings) - LISTED} more findings" if len(findings) > LISTED else ""
    return "; ".join(findings[:LISTED]) + more


def _arm(arm: Arm, outcome: Outcome, bootstrap: Bootstrap) -> dict[str, Any]:
    found = outcome.found[arm.name]
    values = {score: [found.scores[s][score] for s in sorted(found.scores)] for score in SCORES}
    table = {}
    for score in SCORES:
        known = score in RESAMPLED
        own = over_seeds(values[score], bootstrap.mean(arm.name, score) if known else np.zeros(2))
        table[score] = _interval(own, images=known)
    return {"title": arm.title, "role": arm.role, "scores": table, "by seed": values}


def _interval(own: Interval, images: bool = True) -> dict[str, Any]:
    half = own.half if images else own.of_seeds
    return {
        "value": own.value,
        "low": own.value - half,
        "high": own.value + half,
        "half": half,
        "half of seeds": own.of_seeds,
        "half of test images": own.of_images if images else None,
    }


def _gain(found: Gain) -> dict[str, Any]:
    return {"over": found.over, "verdict": found.verdict, **_interval(found.interval), "by seed": list(found.by_seed)}


def _numbers(
    found: Gain | None,
    top: Gain | None,
    effective: Sequence[float],
    new: Mapping[str, Mapping[str, Any]],
    outcome: Outcome,
    ours: str | None,
) -> dict[str, Any]:
    """What `--fail-if` can name; gains and scores in points."""
    out: dict[str, float | None] = {
        "gain": None if found is None else 100 * found.interval.value,
        "gain-low": None if found is None else 100 * found.interval.low,
        "gain-high": None if found is None else 100 * found.interval.high,
        "ceiling": None if top is None else 100 * top.interval.value,
        "effective": min(effective) if effective else None,
        "new-images": sum(int(of["kept"]) for of in new.values()),
        **({} if ours is None else {score: 100 * outcome.found[ours].mean(score) for score in SCORES}),
    }
    return {name: None if value is None or math.isnan(value) else value for name, value in out.items()}
