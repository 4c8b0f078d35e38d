"""Which classes the fakes fall into, by the features' classifier: entropy of the histogram and its divergence from the reals'.

    entropy = -sum_c q_c log q_c        KL = sum_c p_c log(p_c / q_c)

p is the reals' histogram and q the fakes', in nats. Half a count is added to each class of q where one is empty (Jeffreys), so that
a dropped class costs much, but not infinitely much.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

import numpy as np

from gancli.evaluation.contracts import Chart, Inputs, Metric, Score
from gancli.evaluation.metrics.resampling import GROUPS, HOW, groups_of, jackknife


def histogram(labels: np.ndarray, classes: int) -> np.ndarray:
    """labels [N] -> counts [K]."""
    return np.bincount(labels, minlength=classes)


def shares(counts: np.ndarray, smooth: bool = False) -> np.ndarray:
    """Counts [K] -> shares [K]; with `smooth`, half a count is added to each class if any is empty."""
    c = counts.astype(np.float64)
    if smooth and (c == 0).any():
        c = c + 0.5
    out: np.ndarray = c / c.sum()
    return out


def entropy(p: np.ndarray) -> float:
    """-sum p log p of shares [K], in nats."""
    there = p[p > 0]
    return float(-(there * np.log(there)).sum()) + 0.0


def divergence(p: np.ndarray, q: np.ndarray) -> float:
    """KL(p || q) of shares [K], in nats; infinite where q is zero and p is not."""
    there = p > 0
    with np.errstate(divide="ignore"):
        return float((p[there] * (np.log(p[there]) - np.log(q[there]))).sum())


class ClassHistogram(Metric):
    name = "class-histogram"
    gives = ("class-kl", "class-entropy")
    rank = 60
    charts: ClassVar[Mapping[str, Chart]] = {
        "class-entropy": Chart("Classes of the samples", "%, by the classifier; line: reference", "detail")
    }

    def objection(self, inputs: Inputs) -> str:
        known = inputs.real.classified and len(inputs.columns) >= 2
        return "" if known else "the features do not know the data's classes (--features classifier learns them)"

    def compute(self, inputs: Inputs) -> dict[str, Score]:
        real, fake = inputs.real.predicted, inputs.fake.predicted
        assert real is not None and fake is not None  # noqa: PT018
        k = len(inputs.columns)
        p, counts = shares(histogram(real, k)), histogram(fake, k)
        group = groups_of(len(fake))
        parts = np.stack([histogram(fake[group == g], k) for g in range(GROUPS)])

        def spread(of_counts: Callable[[np.ndarray], float]) -> float | None:
            return jackknife(lambda g: of_counts(counts - parts[g]), len(fake))

        def mixed(c: np.ndarray) -> float:
            return entropy(shares(c))

        def apart(c: np.ndarray) -> float:
            return divergence(p, shares(c, smooth=True))

        named = {name: float(s) for name, s in zip(inputs.columns, shares(counts), strict=True)} if k <= 100 else {}
        return {
            "class-entropy": Score(
                mixed(counts),
                f"how evenly classes occur (at most {np.log(k):.3f})",
                "reference",
                spread(mixed),
                HOW,
                detail=named,
            ),
            "class-kl": Score(
                apart(counts), "what the samples' classes lack of the reals'", "lower", spread(apart), HOW
            ),
        }
