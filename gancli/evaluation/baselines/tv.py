"""`tv`: total variation denoising (Chambolle 2004) of scikit-image, whose weight is chosen by the training data."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from gancli.evaluation.filters import Filter, to_bytes


class TotalVariation(Filter):
    name = "tv"
    package: ClassVar[str] = "skimage"
    strengths: ClassVar[tuple[float, ...]] = (
        0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.1, 0.12, 0.15, 0.18, 0.22, 0.3, 0.4,
    )  # fmt: skip

    def filtered(self, images: np.ndarray, strength: float) -> np.ndarray:
        from skimage.restoration import denoise_tv_chambolle

        out = [
            denoise_tv_chambolle(image.transpose(1, 2, 0) / 255, weight=strength, channel_axis=-1) for image in images
        ]
        return to_bytes(255 * np.stack(out).transpose(0, 3, 1, 2))
