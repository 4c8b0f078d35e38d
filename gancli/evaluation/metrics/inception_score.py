"""Inception score (1606.03498): exp of the mean KL(p(y|x) || p(y)), by the features' own classifier.

Only with features `inception` is it the score of that name in papers; the features in the score's name say which classifier it is.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from pydantic import Field

from gancli.core.seeds import derive
from gancli.evaluation import raw
from gancli.evaluation.contracts import Inputs, Metric, Score, need


def inception_score(probabilities: np.ndarray, splits: int = 10) -> tuple[float, float]:
    """probabilities [N, K] -> (mean, standard deviation) of the score over consecutive parts of the set.

    Raises DataError for what are no probabilities, such as logits, or fewer rows than parts.
    """
    p = raw.probabilities(probabilities)
    need(len(p), splits, f"the inception score over {splits} parts")
    ends = np.arange(splits + 1) * len(p) // splits
    scores = []
    for start, end in pairwise(ends):
        part = p[start:end]
        marginal = np.maximum(part.mean(0), np.finfo(np.float64).tiny)
        logs = np.log(np.maximum(part, np.finfo(np.float64).tiny)) - np.log(marginal)
        scores.append(np.exp((part * logs).sum(1).mean()))
    return float(np.mean(scores)), float(np.std(scores))


class InceptionScore(Metric):
    name = "inception-score"
    gives = ("inception-score",)
    reference = "none"
    splits: int = Field(10, ge=1, description="parts that the score is averaged over")

    def objection(self, inputs: Inputs) -> str:
        if not inputs.fake.classified:
            return "the features are no classifier"
        return f"fewer than {10 * self.splits} samples" if len(inputs.fake) < 10 * self.splits else ""

    def compute(self, inputs: Inputs) -> dict[str, Score]:
        p = inputs.fake.probabilities
        assert p is not None
        random = np.random.Generator(np.random.PCG64(derive(inputs.seed, "inception-score")))
        value, deviation = inception_score(p[random.permutation(len(p))], self.splits)
        error = deviation / (self.splits - 1) ** 0.5 if self.splits > 1 else None
        how = f"standard error over {self.splits} parts"
        meaning = f"clear and varied to the classifier (1 to {p.shape[1]})"
        return {"inception-score": Score(value, meaning, "reference", error, how)}
