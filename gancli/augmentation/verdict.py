"""The verdict of a study: the gain of generated images over the best of the cheap arms, its interval, and a sentence.

The gain is the mean over seeds of the differences of two arms with the same seed. Its 95 % interval has two sources: the seeds
(Student's t of the paired differences) and the test images (bootstrap within classes of the mean over seeds); their half widths are
added in quadrature. The best cheap arm is the one with the highest mean on the test set, which favors the cheap arms.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gancli.augmentation.scores import Predictions, resampled
from gancli.core.seeds import derive

RESAMPLES = 500
POINTS = 100.0  # shares are shown in percent
T975 = (
    12.706,
    4.303,
    3.182,
    2.776,
    2.571,
    2.447,
    2.365,
    2.306,
    2.262,
    2.228,
    2.201,
    2.179,
    2.160,
    2.145,
    2.131,
    2.120,
    2.110,
    2.101,
    2.093,
)


def t975(freedom: int) -> float:
    """The 97.5 % quantile of Student's t; from 20 degrees of freedom on by the expansion of Cornish and Fisher."""
    if freedom <= len(T975):
        return T975[freedom - 1]
    z = 1.959964
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


@dataclass(frozen=True)
class Interval:
    """A mean over seeds with the half widths of its 95 % interval."""

    value: float
    of_seeds: float  # NaN of one seed
    of_images: float

    @property
    def half(self) -> float:
        """The half width of the interval."""
        return math.hypot(self.of_seeds, self.of_images)

    @property
    def low(self) -> float:
        """The lower end."""
        return self.value - self.half

    @property
    def high(self) -> float:
        """The upper end."""
        return self.value + self.half


def over_seeds(values: Sequence[float], on_resamples: np.ndarray) -> Interval:
    """The mean of values of S seeds, with their means on bootstrap samples of the test images [n]."""
    found, n = np.array(values, float), len(values)
    of_seeds = t975(n - 1) * found.std(ddof=1) / math.sqrt(n) if n > 1 else math.nan
    return Interval(float(found.mean()), float(of_seeds), float(1.96 * on_resamples.std(ddof=1)))


@dataclass(frozen=True)
class Gain:
    """How much better one arm is than another."""

    arm: str
    over: str
    score: str
    interval: Interval
    by_seed: tuple[float, ...]

    @property
    def verdict(self) -> str:
        """`helps`, `harms` or `no gain`; `unknown` of a single seed."""
        if math.isnan(self.interval.half):
            return "unknown"
        return "helps" if self.interval.low > 0 else "harms" if self.interval.high < 0 else "no gain"


@dataclass(frozen=True)
class Found:
    """What the classifiers of an arm say of the test images, by seed."""

    predictions: dict[int, Predictions]
    scores: dict[int, dict[str, float]]

    def mean(self, score: str) -> float:
        """Over seeds."""
        return float(np.mean([of[score] for of in self.scores.values()]))


class Bootstrap:
    """Scores of all arms and seeds on the same bootstrap samples of the test images.

    Args:
        true: labels of the test images, int64 [N].
        arms: by name; all have the same seeds.
        classes: how many.
        rare: the class whose recall and precision are wanted.
    """

    def __init__(self, true: np.ndarray, arms: Mapping[str, Found], classes: int, rare: int) -> None:
        self._place = {
            (name, seed): i for i, (name, seed) in enumerate((n, s) for n, a in arms.items() for s in a.predictions)
        }
        seen = [arms[name].predictions[seed].labels for name, seed in self._place]
        self._found = resampled(true, seen, classes, rare, RESAMPLES, derive("study", "bootstrap"))

    def mean(self, arm: str, score: str) -> np.ndarray:
        """The mean over seeds on each bootstrap sample, [n]."""
        own = [i for (name, _), i in self._place.items() if name == arm]
        return np.asarray(self._found[score][:, own].mean(1))


def gain(arm: str, over: str, score: str, arms: Mapping[str, Found], bootstrap: Bootstrap) -> Gain:
    """The gain of an arm over another in a score that the bootstrap knows."""
    seeds = sorted(arms[arm].scores)
    each = tuple(arms[arm].scores[s][score] - arms[over].scores[s][score] for s in seeds)
    apart = bootstrap.mean(arm, score) - bootstrap.mean(over, score)
    return Gain(arm, over, score, over_seeds(each, apart), each)


def best_of(names: Sequence[str], score: str, arms: Mapping[str, Found]) -> str:
    """The arm with the highest mean; of equal ones the first."""
    return max(names, key=lambda name: arms[name].mean(score))


def sentence(found: Gain, titles: Mapping[str, str], seeds: int, images: int) -> str:
    """The verdict in words."""
    value, half = POINTS * found.interval.value, POINTS * found.interval.half
    what = {
        "helps": "Generated images help",
        "harms": "Generated images harm",
        "no gain": "Generated images bring no gain that can be shown",
        "unknown": "One seed shows nothing",
    }[found.verdict]
    where = f"{found.score.replace('-', ' ')} {value:+.2f} ± {'?' if math.isnan(half) else f'{half:.2f}'} points"
    return (
        f"{what}: {where} over the best cheap arm ({titles[found.over]}); 95 % interval from {seeds} seed{'s' * (seeds != 1)} and"
        f" {images:,} test images."
    )
