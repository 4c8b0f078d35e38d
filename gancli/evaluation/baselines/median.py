"""`median`: median filter of each channel, 3x3 or 5x5, as chosen by the training data."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from scipy.ndimage import median_filter

from gancli.evaluation.filters import Filter


class Median(Filter):
    name = "median"
    strengths: ClassVar[tuple[float, ...]] = (3, 5)

    def filtered(self, images: np.ndarray, strength: float) -> np.ndarray:
        return np.asarray(median_filter(images, (1, 1, int(strength), int(strength))))
