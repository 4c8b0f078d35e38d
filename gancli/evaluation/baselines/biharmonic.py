"""`biharmonic`: missing pixels by the biharmonic equation (Damelin & Hoang 2018), of scikit-image."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from gancli.evaluation.filling import Filling
from gancli.evaluation.filters import to_bytes


class Biharmonic(Filling):
    name = "biharmonic"
    package: ClassVar[str] = "skimage"

    def filled(self, image: np.ndarray, mask: np.ndarray) -> np.ndarray:
        from skimage.restoration import inpaint_biharmonic

        pixels = image.transpose(1, 2, 0) / 255
        found = inpaint_biharmonic(pixels, mask, channel_axis=-1).reshape(pixels.shape)
        return to_bytes(255 * found.transpose(2, 0, 1))
