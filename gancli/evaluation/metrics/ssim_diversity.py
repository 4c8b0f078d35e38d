"""SSIM diversity (after 1610.09585, section 4.2): one minus the mean structural similarity of random pairs of samples.

SSIM is that of the metric `ssim`. A generator that gives the same image over and over scores 0.
"""

from __future__ import annotations

import numpy as np
import torch
from pydantic import Field

from gancli.core.images import ImageSamples
from gancli.core.seeds import derive
from gancli.evaluation.contracts import Inputs, Metric, SampleSet, Score, need
from gancli.evaluation.metrics.resampling import standard_error
from gancli.evaluation.metrics.ssim import ssim

PIXELS = 1 << 19  # numbers of images that are compared at a time, of either side


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
