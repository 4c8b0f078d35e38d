"""PSNR: 10 log10(255^2 / MSE) in dB, MSE over all pixels and channels of an image; the mean over images.

RGB or gray as it is: no conversion to luma, no border removed. The value of an output that equals its target is 100 dB.
"""

from __future__ import annotations

from torch import Tensor

from gancli.evaluation.paired import PairedMetric

EQUAL = 100.0  # dB; any other pair of uint8 images of fewer than 150,000 values has less


class PSNR(PairedMetric):
    name = "psnr"
    gives = ("psnr", "psnr-hole")
    rank = 1
    headlines = gives
    meaning = "peak signal-to-noise ratio in dB"
    better = "higher"

    def maps(self, a: Tensor, b: Tensor) -> Tensor:
        return (a - b).square()

    def summary(self, values: Tensor, weights: Tensor) -> Tensor:
        mse = super().summary(values, weights)
        return (10 * (255**2 / mse).log10()).clamp(max=EQUAL)
