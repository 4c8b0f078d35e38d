"""The attributes asked for are those seen: Pearson's correlation of asked and measured, for each; the least of them is the score.

Only for data that can measure its attributes from an image (`mnist` with `attributes`: thickness, slant, width).
"""

from __future__ import annotations

import numpy as np

from gancli.core.images import ImageSamples
from gancli.evaluation.contracts import Inputs, Metric, Score
from gancli.evaluation.metrics.resampling import HOW, groups_of, jackknife


def correlations(asked: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Pearson's r [A] of each column of asked and seen [N, A]; 0 where a column does not vary."""
    a, b = (v.astype(np.float64) - v.mean(0, dtype=np.float64) for v in (asked, seen))
    scale = np.sqrt((a * a).sum(0) * (b * b).sum(0))
    return np.asarray(np.where(scale > 0, (a * b).sum(0) / np.where(scale > 0, scale, 1), 0.0))


class AttributeAgreement(Metric):
    name = "attribute-agreement"
    gives = ("attribute-agreement",)
    reference = "none"
    space = "pixels"

    def objection(self, inputs: Inputs) -> str:
        if inputs.fake.attributes is None:
            return "the samples were not asked for by attributes"
        return "" if inputs.measure is not None else "the data cannot measure its attributes from an image"

    def compute(self, inputs: Inputs) -> dict[str, Score]:
        asked, measure = inputs.fake.attributes, inputs.measure
        assert asked is not None and measure is not None  # noqa: PT018

        def measured(samples: ImageSamples) -> np.ndarray:
            return measure(samples.images)

        seen = inputs.fake.view(measured)
        r = correlations(asked, seen)
        least = int(r.argmin())
        group = groups_of(len(asked))
        error = jackknife(lambda g: correlations(asked[group != g], seen[group != g])[least], len(asked))
        detail = {name: float(v) for name, v in zip(inputs.attribute_names, r, strict=True)}
        meaning = "least correlation of an attribute asked for with the same measured"
        return {"attribute-agreement": Score(float(r[least]), meaning, "higher", error, HOW, detail=detail)}
