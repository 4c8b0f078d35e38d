"""Quality against variety: the scores of a model at several values of an option of its requests, such as the temperature.

A model that is sampled at a lower temperature has better quality and less variety, so two models are compared at the same quality
(1811.02549): that of real samples, between the neighboring points by linear interpolation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from gancli.core.data import Split
from gancli.evaluation import inputs
from gancli.evaluation.contracts import Progress, Score
from gancli.evaluation.evaluator import Evaluator
from gancli.evaluation.results import plain
from gancli.inference.generator import Model

SIGMAS = 1.96  # of a difference that counts


@dataclass(frozen=True)
class Point:
    """The scores at a value of the option, by name without the features."""

    value: float
    scores: dict[str, Score]


@dataclass(frozen=True)
class Curve:
    """The points of a model."""

    name: str
    points: list[Point] = field(default_factory=list)

    def at(self, quality: str, target: float, score: str) -> tuple[float, float, float] | None:
        """A score where another one has a value.

        Args:
            quality: the other score.
            target: its value.
            score: the score.

        Returns:
            The score, its standard error and the value of the option; None if no two points are around the target.
        """
        for a, b in pairwise(self.points):
            low, high = a.scores[quality].value, b.scores[quality].value
            if (low - target) * (high - target) <= 0 and low != high:
                t = (target - low) / (high - low)
                x, y = a.scores[score], b.scores[score]
                error = math.hypot((1 - t) * (x.error or 0), t * (y.error or 0))
                return x.value + t * (y.value - x.value), error, a.value + t * (b.value - a.value)
        return None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        rows = [
            {"value": p.value, "scores": {k: {"value": s.value, "error": s.error} for k, s in p.scores.items()}}
            for p in self.points
        ]
        out: dict[str, Any] = plain({"name": self.name, "points": rows})
        return out


def measured(
    model: Model,
    name: str,
    evaluator: Evaluator,
    split: Split[Any],
    option: str,
    values: Sequence[float],
    scores: Sequence[str],
    n: int,
    seed: int,
    cache_dir: Path,
    progress: Progress,
    step: Callable[[str], None],
) -> Curve:
    """Evaluate a model at several values of an option.

    Args:
        model: to sample from.
        name: of the curve.
        evaluator: of the data.
        split: the data; the test set is what the samples are compared with.
        option: of the requests.
        values: of the option.
        scores: to compute; those of the first point have reference and baselines.
        n: samples of each point.
        seed: of the first sample.
        cache_dir: where temporary files may be written.
        progress: called with what is done.
        step: called with a line for each point.
    """
    out = Curve(name)
    for value in values:
        made = inputs.of_model(model, split.train, split.test, n, seed, cache_dir, progress, {option: value})
        found = evaluator(made, list(scores), baselines=not out.points).scores
        point = Point(value, {key.split("@")[0]: score for key, score in found.items()})
        out.points.append(point)
        shown = "  ".join(f"{key} {point.scores[key].value:.4g}" for key in scores if key in point.scores)
        step(f"{name}  {option} {value:g}  {shown}")
    return out


def verdict(curve: Curve, other: Curve | None, tradeoff: Sequence[str]) -> list[str]:
    """Sentences on a model at the quality of real samples, compared with another model and with the baselines.

    Args:
        curve: of the model.
        other: of the other model; None: the baselines alone.
        tradeoff: the score of quality, then those of variety, of which lower is better.
    """
    quality, first = tradeoff[0], curve.points[0]
    target = first.scores[quality].reference
    if target is None:
        return []
    out = []
    for score in tradeoff[1:]:
        mine = curve.at(quality, target, score)
        if mine is None:
            least = min(abs(p.scores[quality].value - target) for p in curve.points)
            return [f"{curve.name} does not reach the {quality} of real samples, {target:.4g}: it is {least:.3g} away"]
        real = first.scores[score].reference
        text = f"at {quality} {target:.4g} (temperature {mine[2]:.3g}) {curve.name} has {score} {_number(*mine[:2])}"
        text += "" if real is None else f", real samples {real:.4g}"
        theirs = None if other is None else other.at(quality, target, score)
        if other is not None and theirs is not None:
            apart, spread = mine[0] - theirs[0], SIGMAS * math.hypot(mine[1], theirs[1])
            said = "no difference" if abs(apart) <= spread else "better" if apart < 0 else "worse"
            text += f", {other.name} {_number(*theirs[:2])}: {said} ({apart:+.3g} ± {spread:.2g})"
        out.append(text)
    near = min(first.scores[quality].baselines.items(), key=lambda item: abs(item[1] - target), default=None)
    if near is not None:
        values = ", ".join(
            f"{s} {first.scores[s].baselines[near[0]]:.4g}"
            for s in tradeoff[1:]
            if near[0] in first.scores[s].baselines
        )
        out.append(f"the nearest baseline, {near[0]}, has {quality} {near[1]:.4g}: {values}")
    return out


def _number(value: float, error: float) -> str:
    return f"{value:.4g} ± {SIGMAS * error:.2g}"
