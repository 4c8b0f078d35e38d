"""L1: the mean absolute difference of output and target over pixels and channels, on the scale 0 to 255."""

from __future__ import annotations

from torch import Tensor

from gancli.evaluation.paired import PairedMetric


class L1(PairedMetric):
    name = "l1"
    gives = ("l1", "l1-hole")
    rank = 3
    meaning = "mean absolute difference from the target (0 to 255)"
    better = "lower"

    def maps(self, a: Tensor, b: Tensor) -> Tensor:
        return (a - b).abs()
