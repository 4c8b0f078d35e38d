"""Evaluators for which nothing is held out: of samples compared with the training data, and of images that no run made.

The reference score is that of other data in the samples' place, where there are enough, or else of one random half of the reals against the
other. What asks whether training data were copied is not available: copies are distinguished from others by images that are held out.
Where nothing was trained, all of the data are the reals.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gancli.core.samples import Samples
from gancli.core.seeds import derive
from gancli.evaluation.contracts import Inputs, Metric, SampleSet
from gancli.evaluation.evaluator import Evaluator
from gancli.evaluation.selection import subset

FEWEST = 4  # reals that can be halved


class NothingHeldOut(Evaluator):
    """An evaluator whose reals are its training data; `copies`: why metrics of copies are not available."""

    copies = "the reals are the training data: copies cannot be distinguished from others"

    def _inputs(self, fake: SampleSet[Any], real: SampleSet[Any] | None = None) -> Inputs:
        out = super()._inputs(fake, real)
        out.held_out = False
        return out

    def reference_inputs(self, n: int, labeled: bool) -> Inputs:
        """Other data in the place of the samples; where there are not as many, one half of the reals, and the other as the reals."""
        others = np.arange(0) if self.real.rows is None else np.setdiff1d(np.arange(len(self.data)), self.real.rows)
        if len(others) >= n:
            rows = np.sort(others[subset(len(others), n, self.seed, "floor")])
            return self._inputs(
                self._stored(self.data, "other data in the samples' place", rows, self._extract_kept, labeled)
            )
        order = np.random.Generator(np.random.PCG64(derive(self.seed, "halves"))).permutation(len(self.real))
        rows = order if self.real.rows is None else self.real.rows[order]
        middle = len(rows) // 2
        a, b = (
            self._stored(self.data, f"{name} half of the reals", np.sort(part), self._extract_kept, labeled)
            for name, part in (("one", rows[:middle]), ("the other", rows[middle : 2 * middle]))
        )
        return self._inputs(a, b)

    def objections(
        self,
        metrics: Sequence[Metric],
        n: int,
        labels: np.ndarray | None = None,
        attributes: np.ndarray | None = None,
        kind: type[Samples] | None = None,
        paired: bool = False,
    ) -> dict[str, str]:
        why = super().objections(metrics, n, labels, attributes, kind, paired)
        trained = {m.name: self.copies for m in metrics if m.whole_train}
        return why | trained

    def __call__(self, *args: Any, **options: Any) -> Any:
        if len(self.real) < FEWEST:
            options["baselines"] = False
        return super().__call__(*args, **options)


class Untrained(NothingHeldOut):
    """An evaluator whose training data are its reals, of which nothing was trained."""

    copies = "nothing was trained: there are no training data"
