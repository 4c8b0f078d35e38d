"""`nlm`: non-local means (Buades et al. 2005) of scikit-image, whose noise level is chosen by the training data.

Patches of 5x5 within 6 pixels, h = 0.6 sigma.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from gancli.evaluation.filters import Filter, to_bytes


class NonLocalMeans(Filter):
    name = "nlm"
    package: ClassVar[str] = "skimage"
    strengths: ClassVar[tuple[float, ...]] = (2, 5, 10, 15, 20, 25, 30, 35, 40, 50, 60, 75, 100)

    def filtered(self, images: np.ndarray, strength: float) -> np.ndarray:
        from skimage.restoration import denoise_nl_means

        sigma, pixels = strength / 255, images.transpose(0, 2, 3, 1) / 255
        out = [
            denoise_nl_means(x, 5, 6, 0.6 * sigma, fast_mode=True, sigma=sigma, channel_axis=-1).reshape(x.shape)
            for x in pixels
        ]
        return to_bytes(255 * np.stack(out).transpose(0, 3, 1, 2))
