"""`gaussian-blur`: Gaussian filter, whose standard deviation in pixels is chosen by the training data."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from scipy.ndimage import gaussian_filter

from gancli.evaluation.filters import Filter, to_bytes


class GaussianBlur(Filter):
    name = "gaussian-blur"
    strengths: ClassVar[tuple[float, ...]] = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.4, 1.7, 2.0)

    def filtered(self, images: np.ndarray, strength: float) -> np.ndarray:
        return to_bytes(gaussian_filter(images.astype(np.float64), (0, 0, strength, strength)))
