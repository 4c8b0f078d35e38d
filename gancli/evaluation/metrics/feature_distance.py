"""Feature distance: the perceptual distance (1801.03924, with equal weights) of output and target, by EfficientNet-Lite0."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from gancli.evaluation.paired import PairedMetric
from gancli.models.perceptual import perceptual_map


class FeatureDistance(PairedMetric):
    name = "feature-distance"
    gives = ("feature-distance", "feature-distance-hole")
    space: ClassVar[str] = "efficientnet-lite0"
    rank = 5
    headlines = gives
    meaning = "distance of the feature maps from those of the target (0: equal)"
    better = "lower"

    def maps(self, a: Tensor, b: Tensor) -> Tensor:
        return perceptual_map(a / 127.5 - 1, b / 127.5 - 1).double()
