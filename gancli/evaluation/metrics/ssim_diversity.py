"""SSIM diversity (after 1610.09585, section 4.2): one minus the mean structural similarity of random pairs of samples.

    SSIM = (2 mu_a mu_b + c1)(2 s_ab + c2) / ((mu_a^2 + mu_b^2 + c1)(s_a^2 + s_b^2 + c2)),   c1 = (0.01 L)^2, c2 = (0.03 L)^2

(Wang et al. 2004), in Gaussian windows of sigma 1.5 and 11 pixels (fewer where the image is smaller), at the image's own size; L = 255.
A generator
that gives the same picture over and over scores 0.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from gancli.core.images import ImageSamples
from gancli.core.seeds import derive
from gancli.evaluation.contracts import Inputs, Metric, SampleSet, Score, need
from gancli.evaluation.metrics.resampling import standard_error

PIXELS = 1 << 19  # numbers of images that are compared at a time, of either side
SMALL = 64 * 64  # pixels of a plane up to which windows are not taken apart into columns and rows


def window(height: int, width: int, sigma: float = 1.5) -> Tensor:
    """Gaussian weights [k, k], k the largest odd number that fits, at most 11; they sum to 1."""
    g = _profile(height, width, sigma)
    return g[:, None] * g[None]


def _profile(height: int, width: int, sigma: float = 1.5) -> Tensor:
    k = min(11, height, width)
    k -= 1 - k % 2
    x = torch.arange(k, dtype=torch.float64) - (k - 1) / 2
    g = torch.exp(-(x**2) / (2 * sigma**2))
    return g / g.sum()


def _windowed(planes: Tensor) -> Tensor:
    """Means [N, 1, h, w] of planes [N, 1, H, W] over all windows that lie within them; large planes by columns, then by rows."""
    h, w = planes.shape[2:]
    if h * w <= SMALL:
        return F.conv2d(planes, window(h, w)[None, None])
    g = _profile(h, w)
    parts = [F.conv2d(F.conv2d(plane, g[None, None, :, None]), g[None, None, None]) for plane in torch.split(planes, 1)]
    return torch.cat(parts)


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """Mean structural similarity [N] of uint8 images a and b [N, C, H, W], over all windows that lie within the image."""
    n, c, h, w = a.shape
    x, y = a.double().view(n * c, 1, h, w), b.double().view(n * c, 1, h, w)
    mx, my, xx, yy, xy = _windowed(torch.cat([x, y, x * x, y * y, x * y])).chunk(5)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    sx, sy, sxy = (xx - mx * mx).clamp_min(0), (yy - my * my).clamp_min(0), xy - mx * my
    index = (2 * mx * my + c1) * (2 * sxy + c2) / ((mx * mx + my * my + c1) * (sx + sy + c2))
    return index.view(n, -1).mean(1)


class SSIMDiversity(Metric):
    name = "ssim-diversity"
    gives = ("ssim-diversity",)
    reference = "none"
    space = "pixels"
    pairs: int = Field(1000, ge=2, description="pairs at most; no image is in two")

    def objection(self, inputs: Inputs) -> str:
        return "fewer than four samples" if len(inputs.fake) < 4 else ""

    def compute(self, inputs: Inputs) -> dict[str, Score]:
        values = 1 - self._similarity(inputs.fake, inputs.seed)
        meaning = "how unlike two samples are (0: all the same)"
        error = standard_error(values)
        return {
            "ssim-diversity": Score(float(values.mean()), meaning, "reference", error, "analytic, over disjoint pairs")
        }

    def _similarity(self, samples: SampleSet[ImageSamples], seed: int) -> np.ndarray:
        need(len(samples), 4, "SSIM diversity")
        random = np.random.Generator(np.random.PCG64(derive(seed, "ssim")))
        order = random.permutation(len(samples))[: min(self.pairs, len(samples) // 2) * 2]
        half = len(order) // 2
        one = samples.take(order[:1]).images
        many = max(1, min(100, PIXELS // one.size))
        out = np.empty(half)
        for i in range(0, half, many):
            j = min(i + many, half)
            a, b = (torch.from_numpy(samples.take(side).images) for side in (order[i:j], order[half + i : half + j]))
            out[i:j] = ssim(a, b)
        return out
