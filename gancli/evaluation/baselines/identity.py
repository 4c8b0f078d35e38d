"""`identity`: the input as it is, in the channels of the target."""

from __future__ import annotations

import numpy as np

from gancli.core.data import Spec
from gancli.core.images import PairSamples
from gancli.evaluation.contracts import Baseline


class Identity(Baseline):
    """The input as it is."""

    name = "identity"

    def objection(self, train: PairSamples, spec: Spec) -> str:  # noqa: ARG002
        same = train.inputs.shape == train.images.shape
        return "" if same else "inputs and targets have different sizes or channels"

    def __call__(self, inputs: np.ndarray, masks: np.ndarray | None, size: tuple[int, int]) -> np.ndarray:  # noqa: ARG002
        return inputs
