"""FID against the training data, the protocol of most papers: 50,000 samples against all training images (`--n 50000`).

It rewards a generator that repeats training images, and is lower than `fid` for one that overfits; papers report it because data sets
without a test set, and test sets that are small, leave nothing else. The reference score is that of the test set in the samples'
place.
"""

from __future__ import annotations

from typing import Any

from gancli.evaluation.contracts import Inputs, Metric, SampleSet, Score
from gancli.evaluation.metrics.fid import error, frechet, root, statistics


class TrainFID(Metric):
    name = "fid-train"
    gives = ("fid-train",)
    whole_train = True
    on_request = True
    rank = 15

    def objection(self, inputs: Inputs) -> str:
        few = min(len(inputs.train), len(inputs.real), len(inputs.fake))
        return "fewer than 2 samples or training data" if few < 2 else ""

    def compute(self, inputs: Inputs) -> dict[str, Score]:
        return self._against(inputs, inputs.fake)

    def baselines(self, inputs: Inputs) -> dict[str, dict[str, Score]]:
        return {"reference": self._against(inputs, inputs.real)}

    def _against(self, inputs: Inputs, fake: SampleSet[Any]) -> dict[str, Score]:
        train, features = inputs.train.features, fake.features
        a = inputs.shared_by_reals("gaussian of the training data", lambda: statistics(train))
        half = inputs.shared_by_reals("root of the training data", lambda: root(a.covariance))
        spread, how = error(train, features)
        meaning = "distance of samples and training data, as Gaussians"
        return {"fid-train": Score(frechet(a, statistics(features), half), meaning, "lower", spread, how)}
