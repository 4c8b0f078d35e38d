"""Baselines that fill missing pixels."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np

from gancli.core.data import Spec
from gancli.core.images import PairSamples
from gancli.evaluation.contracts import Baseline
from gancli.evaluation.filters import missing


class Filling(Baseline):
    """A method for missing pixels; the known ones stay as they are.

    Attributes:
        package: that it needs; empty: none.
        install: what is installed for it.
    """

    package: ClassVar[str] = ""
    install: ClassVar[str] = "'gancli[restore]'"

    def objection(self, train: PairSamples, spec: Spec) -> str:  # noqa: ARG002
        if train.masks is None or train.inputs.shape != train.images.shape:
            return "no pixels are missing"
        return missing(self.package, self.install) if self.package else ""

    def __call__(self, inputs: np.ndarray, masks: np.ndarray | None, size: tuple[int, int]) -> np.ndarray:  # noqa: ARG002
        assert masks is not None
        out = inputs.copy()
        for image, mask in zip(out, masks[:, 0] > 127, strict=True):
            if mask.any() and not mask.all():
                image[:, mask] = self.filled(image, mask)[:, mask]
        return out

    @abstractmethod
    def filled(self, image: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Fill one image.

        Args:
            image: uint8 [C, H, W].
            mask: bool [H, W], some of it but not all missing.

        Returns:
            uint8 [C, H, W], of which the missing pixels are used.
        """
