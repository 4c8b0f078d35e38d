"""Modes captured and reverse KL (1611.02163, 1705.07761): how many classes the fakes hit, and KL(fakes' classes || data's).

On Stacked MNIST there are 1,000 modes, one for each triple of digits. The data's shares are those of the training labels;
without labels, of what the classifier says of the reals.
"""

from __future__ import annotations

import numpy as np

from gancli.evaluation.contracts import Inputs, Metric, Score
from gancli.evaluation.metrics.class_histogram import divergence, histogram, shares
from gancli.evaluation.metrics.resampling import HOW, groups_of, jackknife


def modes(predicted: np.ndarray, classes: int) -> int:
    """How many of the classes occur in predicted [N]."""
    return int((histogram(predicted, classes) > 0).sum())


def reverse_kl(predicted: np.ndarray, reference: np.ndarray) -> float:
    """KL(fakes || data) in nats; predicted [N], reference: the data's counts [K] (half a count is added if one is zero)."""
    return divergence(shares(histogram(predicted, len(reference))), shares(reference, smooth=True))


class Modes(Metric):
    name = "modes"
    gives = ("modes", "reverse-kl")

    def objection(self, inputs: Inputs) -> str:
        known = inputs.real.classified and len(inputs.columns) >= 2
        return "" if known else "the features do not know the data's classes (--features classifier learns them)"

    def compute(self, inputs: Inputs) -> dict[str, Score]:
        fake, real = inputs.fake.predicted, inputs.real.predicted
        assert fake is not None and real is not None  # noqa: PT018
        k = len(inputs.columns)
        labels = inputs.train.labels
        known = labels is not None and len(inputs.classes) == k
        reference = histogram(labels if known and labels is not None else real, k)
        group = groups_of(len(fake))
        error = jackknife(lambda g: reverse_kl(fake[group != g], reference), len(fake))
        what = f"classes that occur, of {k:,}"
        return {
            "modes": Score(float(modes(fake, k)), what, "higher"),
            "reverse-kl": Score(
                reverse_kl(fake, reference), "what the samples' classes have beyond the data's", "lower", error, HOW
            ),
        }
