"""Metrics that compare each sample with its target, also in the missing part of the image alone."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from gancli.core.images import PairSamples
from gancli.core.samples import Samples
from gancli.evaluation.contracts import Inputs, Metric, Score
from gancli.evaluation.metrics.resampling import standard_error

VALUES = 1 << 20  # of images that are compared at a time


class PairedMetric(Metric):
    """The mean over samples of a comparison with the target. Defines `maps` and `summary`.

    Its scores are NAME and, where parts of the images are missing, NAME-hole: the same of the missing pixels alone. An
    image that misses nothing does not count for NAME-hole.

    Attributes:
        meaning: one line, which the score of the missing part continues.
        better: whether lower or higher values are better.
    """

    accepts: ClassVar[type[Samples]] = PairSamples
    reference: ClassVar[Literal["real", "paired", "none"]] = "paired"
    space: ClassVar[str] = "pixels"
    scores_baselines: ClassVar[bool] = True
    meaning: ClassVar[str]
    better: ClassVar[Literal["lower", "higher"]]

    @abstractmethod
    def maps(self, a: Tensor, b: Tensor) -> Tensor:
        """Compare images locally.

        Args:
            a: float64 [N, C, H, W], 0 to 255.
            b: of the same shape.

        Returns:
            [N, C', h, w]: of the same size, of all pixels but a border of equal width on each side, or of all pixels in steps.
        """

    def summary(self, values: Tensor, weights: Tensor) -> Tensor:
        """The value of each image: by default the weighted mean of its map.

        Args:
            values: [N, P], from `maps`.
            weights: [N, P], 0 or 1: which of them count; all zero for an image without a value.

        Returns:
            [N]; not a number where no weight is 1.
        """
        return (values * weights).sum(1) / weights.sum(1)

    def placed(self, masks: Tensor, size: tuple[int, int]) -> Tensor:
        """The missing pixels at the places of a map.

        Args:
            masks: float64 [N, 1, H, W], 0 or 1.
            size: of the map: H x W less a border of equal width on each side.

        Returns:
            [N, 1, h, w].
        """
        top, left = ((a - b) // 2 for a, b in zip(masks.shape[2:], size, strict=True))
        return masks[:, :, top : top + size[0], left : left + size[1]]

    def compared(self, outputs: np.ndarray, targets: np.ndarray, masks: np.ndarray | None) -> np.ndarray:
        """Compare images.

        Args:
            outputs: uint8 [N, C, H, W].
            targets: of the same shape.
            masks: uint8 [N, 1, H, W], of which pixels count (above 127); None: all.

        Returns:
            float64 [N].
        """
        found = self.maps(*(torch.from_numpy(np.ascontiguousarray(x)).double() for x in (outputs, targets)))
        weights = torch.ones_like(found)
        if masks is not None:
            missing = torch.from_numpy(masks > 127).double()
            weights = weights * self.placed(missing, (found.shape[2], found.shape[3]))
        return np.asarray(self.summary(found.flatten(1), weights.flatten(1)))

    def compute(self, inputs: Inputs) -> dict[str, Score]:
        whole, hole = [], []
        size = max(1, VALUES // inputs.real.take(np.arange(1)).images.size)
        for fake, real in zip(inputs.fake.chunks(size), inputs.real.chunks(size), strict=True):
            whole.append(self.compared(fake.images, real.images, None))
            if real.masks is not None:
                hole.append(self.compared(fake.images, real.images, real.masks))
        out = {self.gives[0]: self._score(np.concatenate(whole), self.meaning)}
        if hole and np.isfinite(missing := np.concatenate(hole)).any():
            out[self.gives[1]] = self._score(missing, f"{self.meaning}, of missing pixels")
        return out

    def _score(self, values: np.ndarray, meaning: str) -> Score:
        known = values[np.isfinite(values)]
        error = standard_error(known)
        return Score(
            float(known.mean()), meaning, self.better, error, "analytic, over images", values=tuple(values.tolist())
        )
