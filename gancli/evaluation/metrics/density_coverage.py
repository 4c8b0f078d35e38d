"""Density and coverage (2002.09797, eq. 5-6): how thickly the reals' balls are hit, and how many of them are.

    density = 1 / (k M) sum_j sum_i 1[y_j in B(x_i)]        coverage = 1 / N sum_i 1[some y_j in B(x_i)]

B(x_i) reaches to the k-th nearest real. Unlike precision, density is not fooled by one outlying real; it may exceed 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from pydantic import Field

from gancli.evaluation import raw
from gancli.evaluation.contracts import Chart, Inputs, Metric, Score, too_few
from gancli.evaluation.metrics.distances import OVERLAP, Crossing, crossing, crossings, neighbours
from gancli.evaluation.metrics.resampling import binomial, standard_error


def from_crossing(found: Crossing, k: int) -> tuple[float, float]:
    """(density, coverage)."""
    return float(found.fake_count.mean() / k), float(found.real_reached.mean())


def density_coverage(real: np.ndarray, fake: np.ndarray, k: int = 5) -> tuple[float, float]:
    """(density, coverage) of raw features [N, d] and [M, d]. Raises DataError for fewer than k + 1 reals, or bad numbers."""
    real, fake = raw.pair(real, fake)
    radii = neighbours(real, k)[:, -1], np.zeros(len(fake))
    return from_crossing(crossings(real, fake, {k: radii})[k], k)


class DensityCoverage(Metric):
    name = "density-coverage"
    gives = ("density", "coverage")
    rank = 50
    charts: ClassVar[Mapping[str, Chart]] = dict.fromkeys(gives, OVERLAP)
    k: int = Field(5, ge=1, description="a ball reaches to the k-th neighbour")

    def objection(self, inputs: Inputs) -> str:
        return too_few(inputs, self.k + 1)

    def compute(self, inputs: Inputs) -> dict[str, Score]:
        found = crossing(inputs, self.k)
        density, coverage = from_crossing(found, self.k)
        density_error = standard_error(found.fake_count / self.k)
        return {
            "density": Score(
                density,
                "how thickly samples lie where reals are",
                "reference",
                density_error,
                "analytic, over the fakes",
            ),
            "coverage": Score(
                coverage,
                "share of reals that have a sample close by",
                "higher",
                binomial(coverage, len(inputs.real)),
                "binomial, the fakes held fixed",
            ),
        }
