"""Baselines that are filters with a strength, chosen by the training data."""

from __future__ import annotations

from abc import abstractmethod
from functools import cache
from importlib.util import find_spec
from typing import ClassVar, Self

import numpy as np
from pydantic import Field

from gancli.core.data import Spec
from gancli.core.images import PairSamples
from gancli.core.specs import Degraded
from gancli.evaluation.contracts import Baseline


def psnr(outputs: np.ndarray, targets: np.ndarray) -> float:
    """Mean PSNR in dB of uint8 images."""
    mse = np.square(outputs.astype(np.float64) - targets).mean((1, 2, 3))
    return float(10 * np.log10(255**2 / np.maximum(mse, 1e-3)).mean())


def to_bytes(images: np.ndarray) -> np.ndarray:
    """Round and clip images on the scale 0 to 255 to uint8."""
    out: np.ndarray = np.clip(np.rint(images), 0, 255).astype(np.uint8)
    return out


def missing(package: str, extra: str) -> str:
    """Why a baseline does not apply without a package; empty if the package is installed."""
    return "" if find_spec(package) else f"it needs {package}: pip install {extra}"


class Filter(Baseline):
    """A filter of degraded images of the size of the targets, without missing pixels.

    Attributes:
        strengths: the strengths from which the best on the training data is chosen.
        package: that it needs; empty: none.
    """

    strengths: ClassVar[tuple[float, ...]]
    package: ClassVar[str] = ""
    strength: float | None = Field(None, gt=0, description="strength; default: the best on some training data")

    def objection(self, train: PairSamples, spec: Spec) -> str:
        if not isinstance(spec, Degraded) or train.inputs.shape != train.images.shape:
            return "inputs are not degraded images of the size of the targets"
        if train.masks is not None:
            return "pixels are missing"
        return missing(self.package, "'gancli[restore]'") if self.package else ""

    def fit(self, train: PairSamples) -> Self:
        if self.strength is not None:
            return self

        @cache
        def score(i: int) -> float:
            return psnr(self.filtered(train.inputs, self.strengths[i]), train.images)

        low, high = 0, len(self.strengths) - 1
        while low < high:  # the score rises to its maximum and then falls
            middle = (low + high) // 2
            low, high = (middle + 1, high) if score(middle) < score(middle + 1) else (low, middle)
        return self.replace(strength=self.strengths[low])

    def __call__(self, inputs: np.ndarray, masks: np.ndarray | None, size: tuple[int, int]) -> np.ndarray:  # noqa: ARG002
        assert self.strength is not None
        return self.filtered(inputs, self.strength)

    @abstractmethod
    def filtered(self, images: np.ndarray, strength: float) -> np.ndarray:
        """Filter images uint8 [N, C, H, W]; returns the same shape and type."""
