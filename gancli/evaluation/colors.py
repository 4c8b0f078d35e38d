"""Baselines of translation that map colors: what is known of the colors alone, without a net."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
from pydantic import PrivateAttr

from gancli.core.data import Spec
from gancli.core.images import PairSamples
from gancli.core.specs import Domains, Pairs
from gancli.evaluation.contracts import Baseline
from gancli.evaluation.filters import to_bytes

ALL = 100_000  # training data that a baseline is fitted to
SAMPLES = 1 << 21  # colors that statistics are computed of


class Fitted(Baseline):
    """A baseline of pairs that is fitted to the training data. Defines `learn` and `outputs`."""

    fits: ClassVar[int] = ALL
    _known: Any = PrivateAttr(None)

    def objection(self, train: PairSamples, spec: Spec) -> str:  # noqa: ARG002
        return "" if isinstance(spec, Pairs) else "it learns from pairs"

    @abstractmethod
    def learn(self, train: PairSamples) -> Any:
        """What is kept of the training data."""

    @abstractmethod
    def outputs(self, known: Any, inputs: np.ndarray) -> np.ndarray:
        """uint8 [N, C', H, W] of inputs [N, C, H, W]."""

    def fit(self, train: PairSamples) -> Self:
        out = self.model_copy()
        out._known = self.learn(train)
        return out

    def __call__(self, inputs: np.ndarray, masks: np.ndarray | None, size: tuple[int, int]) -> np.ndarray:  # noqa: ARG002
        return self.outputs(self._known, inputs)


class Transfer(Fitted):
    """A baseline of two domains: maps the colors of A so that their statistics are those of B."""

    def objection(self, train: PairSamples, spec: Spec) -> str:
        same = train.inputs.shape[1] == train.images.shape[1]
        return "" if isinstance(spec, Domains) and same else "it maps the colors of one domain to those of another"

    @abstractmethod
    def learn_colors(self, a: np.ndarray, b: np.ndarray) -> Any:
        """What is kept of the colors float64 [n, C], 0 to 255, of the two domains."""

    @abstractmethod
    def mapped(self, known: Any, colors: np.ndarray) -> np.ndarray:
        """float64 [n, C] -> [n, C]."""

    def learn(self, train: PairSamples) -> Any:
        return self.learn_colors(colors_of(train.inputs), colors_of(train.images))

    def outputs(self, known: Any, inputs: np.ndarray) -> np.ndarray:
        n, c, h, w = inputs.shape
        made = self.mapped(known, inputs.transpose(0, 2, 3, 1).reshape(-1, c).astype(np.float64))
        return to_bytes(made.reshape(n, h, w, -1).transpose(0, 3, 1, 2))


def colors_of(images: np.ndarray) -> np.ndarray:
    """Colors of pixels, evenly spread over all images, float64 [n, C]."""
    n, c, h, w = images.shape
    step = max(1, n * h * w // SAMPLES)
    return np.concatenate(
        [
            part.transpose(0, 2, 3, 1).reshape(-1, c)[::step].astype(np.float64)
            for part in np.array_split(images, max(1, n // 64))
        ]
    )
