"""Baselines that enlarge images."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from PIL import Image

from gancli.core.data import Spec
from gancli.core.images import PairSamples, pil_image
from gancli.core.specs import Degraded
from gancli.evaluation.contracts import Baseline


class Enlarging(Baseline):
    """A filter of Pillow.

    Attributes:
        resample: the filter.
    """

    resample: ClassVar[Image.Resampling]

    def objection(self, train: PairSamples, spec: Spec) -> str:
        smaller = train.inputs.shape[2] < train.images.shape[2]
        return "" if isinstance(spec, Degraded) and smaller else "inputs are not smaller than targets"

    def __call__(self, inputs: np.ndarray, masks: np.ndarray | None, size: tuple[int, int]) -> np.ndarray:  # noqa: ARG002
        out = [np.asarray(pil_image(image).resize((size[1], size[0]), self.resample)) for image in inputs]
        made = np.stack(out)
        return made[:, None] if made.ndim == 3 else made.transpose(0, 3, 1, 2)
