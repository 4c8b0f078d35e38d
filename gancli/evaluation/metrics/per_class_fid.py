"""FID within each class (intra-FID, as in 1802.05637): a generator may have every class, and some of them poor.

The fakes' classes are the labels that they were asked for, and the reals' their own; without labels on both sides, what the
features' classifier says of either.
"""

from __future__ import annotations

import numpy as np

from gancli.evaluation.contracts import Inputs, Metric, Score
from gancli.evaluation.metrics.fid import error, fid

FEWEST = 20  # samples of a class on average, for its FID to mean anything


def per_class(
    real: np.ndarray, fake: np.ndarray, real_labels: np.ndarray, fake_labels: np.ndarray, classes: int
) -> np.ndarray:
    """FID [K] by class of features [N, d] and [M, d]; NaN where a class has fewer than two images on either side."""
    out = np.full(classes, np.nan)
    for c in range(classes):
        x, y = real[real_labels == c], fake[fake_labels == c]
        if min(len(x), len(y)) >= 2:
            out[c] = fid(x, y)
    return out


class PerClassFID(Metric):
    name = "per-class-fid"
    gives = ("per-class-fid", "worst-class-fid")

    def objection(self, inputs: Inputs) -> str:
        names = inputs.classes if _labeled(inputs) else inputs.columns if inputs.fake.classified else ()
        if len(names) < 2:
            return "the features do not know the data's classes (--features classifier learns them)"
        few = min(len(inputs.real), len(inputs.fake))
        return f"fewer than {FEWEST} samples or reals a class" if few < FEWEST * len(names) else ""

    @staticmethod
    def _classes(inputs: Inputs) -> tuple[np.ndarray | None, np.ndarray | None, tuple[str, ...]]:
        """The labels of reals [N] and fakes [M], and the classes' names."""
        if _labeled(inputs):
            return inputs.real.labels, inputs.fake.labels, inputs.classes
        return inputs.real.predicted, inputs.fake.predicted, inputs.columns

    def compute(self, inputs: Inputs) -> dict[str, Score]:
        real_labels, fake_labels, names = self._classes(inputs)
        assert real_labels is not None and fake_labels is not None  # noqa: PT018
        real, fake = inputs.real.features, inputs.fake.features
        values = per_class(real, fake, real_labels, fake_labels, len(names))
        there = np.flatnonzero(np.isfinite(values))
        if not len(there):
            return {}
        errors, how = {}, ""
        for c in there:
            spread, how = error(real[real_labels == c], fake[fake_labels == c])
            errors[int(c)] = np.nan if spread is None else spread
        mean_error = float(np.sqrt(np.square(list(errors.values())).sum()) / len(there))
        worst = int(there[values[there].argmax()])
        detail = {names[c]: float(values[c]) for c in there} if len(names) <= 100 else {}
        some = "" if len(there) == len(names) else f" ({len(there)} of {len(names)} classes occur)"
        return {
            "per-class-fid": Score(
                float(values[there].mean()),
                f"mean FID within a class{some}",
                "lower",
                _known(mean_error),
                how,
                detail=detail,
            ),
            "worst-class-fid": Score(
                float(values[worst]), f"FID within the worst class, {names[worst]}", "lower", _known(errors[worst]), how
            ),
        }


def _labeled(inputs: Inputs) -> bool:
    return inputs.fake.labels is not None and inputs.real.labels is not None


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
