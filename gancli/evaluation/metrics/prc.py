"""Precision and recall (1904.06991, eq. 1-2): the share of fakes within the reals' manifold, and of reals within the fakes'.

A manifold is the union of balls around the points of a set, each as wide as the distance to the point's k-th neighbour.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from pydantic import Field

from gancli.evaluation import raw
from gancli.evaluation.contracts import Chart, Inputs, Metric, Score, too_few
from gancli.evaluation.metrics.distances import OVERLAP, crossing, crossings, neighbours
from gancli.evaluation.metrics.resampling import binomial


def precision_recall(real: np.ndarray, fake: np.ndarray, k: int = 3) -> tuple[float, float]:
    """(precision, recall) of raw features [N, d] and [M, d]. Raises DataError for fewer than k + 1 of either, or bad numbers."""
    real, fake = raw.pair(real, fake)
    radii = neighbours(real, k)[:, -1], neighbours(fake, k)[:, -1]
    found = crossings(real, fake, {k: radii})[k]
    return float(found.fake_inside.mean()), float(found.real_inside.mean())


class PrecisionRecall(Metric):
    name = "prc"
    gives = ("precision", "recall")
    rank = 40
    headlines = gives
    charts: ClassVar[Mapping[str, Chart]] = dict.fromkeys(gives, OVERLAP)
    k: int = Field(3, ge=1, description="a ball reaches to the k-th neighbour")

    def objection(self, inputs: Inputs) -> str:
        return too_few(inputs, self.k + 1)

    def compute(self, inputs: Inputs) -> dict[str, Score]:
        found = crossing(inputs, self.k)
        precision, recall = float(found.fake_inside.mean()), float(found.real_inside.mean())
        how = "binomial, the other side held fixed"
        return {
            "precision": Score(
                precision,
                "share of samples that look real",
                "higher",
                binomial(precision, len(inputs.fake)),
                how,
                values=tuple(found.fake_inside.astype(float).tolist()),
            ),
            "recall": Score(
                recall,
                "share of reals that some sample looks like",
                "higher",
                binomial(recall, len(inputs.real)),
                how,
            ),
        }
