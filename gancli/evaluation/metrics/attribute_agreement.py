"""The attributes asked for are those seen: Pearson's correlation of asked and measured, for each; the least of them is the score.

Only for data that can measure its attributes from an image (`mnist` with `attributes`: thickness, slant, width).
"""

from __future__ import annotations

import numpy as np

from gancli.evaluation.contracts import Metric, Score, Subject
from gancli.evaluation.metrics.resampling import HOW, groups_of, jackknife


def correlations(asked: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Pearson's r [A] of each column of asked and seen [N, A]; 0 where a column does not vary."""
    a, b = (v.astype(np.float64) - v.mean(0, dtype=np.float64) for v in (asked, seen))
    scale = np.sqrt((a * a).sum(0) * (b * b).sum(0))
    return np.asarray(np.where(scale > 0, (a * b).sum(0) / np.where(scale > 0, scale, 1), 0.0))


class AttributeAgreement(Metric):
    name = "attribute-agreement"
    gives = ("attribute-agreement",)
    space = "pixels"

    def objection(self, subject: Subject) -> str:
        if subject.fake.attributes is None:
            return "the samples were not asked for by attributes"
        return "" if subject.measure is not None else "the data cannot measure its attributes from an image"

    def compute(self, subject: Subject) -> dict[str, Score]:
        asked = subject.fake.attributes
        assert asked is not None and subject.measure is not None  # noqa: PT018
        seen = subject.measure(subject.fake.images)
        r = correlations(asked, seen)
        least = int(r.argmin())
        group = groups_of(len(asked))
        error = jackknife(lambda g: correlations(asked[group != g], seen[group != g])[least], len(asked))
        detail = {name: float(v) for name, v in zip(subject.attribute_names, r, strict=True)}
        meaning = "least correlation of an attribute asked for with the same measured"
        return {"attribute-agreement": Score(float(r[least]), meaning, "higher", error, HOW, detail=detail)}
