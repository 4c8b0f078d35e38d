"""Aligned pairs of pictures, as a dataset: what is translated, and what it is to become."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np

from gancli.core.data import Batch, Dataset, Window
from gancli.core.errors import DataError
from gancli.core.images import PairSamples
from gancli.core.specs import Pairs
from gancli.data import cache
from gancli.data.images import ImageDataset
from gancli.data.jitter import Jitter

if TYPE_CHECKING:
    import torch

    from gancli.core.data import Reading


@dataclass(frozen=True)
class PairDataset(Dataset):
    """Pictures A and B, the i-th of A belonging to the i-th of B. Batches have the fields `source` (A) and `real` (B).

    A pair is flipped and cropped as one. What the two sets know beside the pictures is not used.

    Raises:
        DataError: A and B have different numbers or sizes of pictures.
    """

    source: ImageDataset
    target: ImageDataset
    jitter: Jitter = Jitter()  # noqa: RUF009 - of the stream

    def __post_init__(self) -> None:
        a, b = self.source.images.shape, self.target.images.shape
        if a[0] != b[0] or a[2:] != b[2:]:
            said = " and ".join(f"{n} of {h}x{w}" for n, _, h, w in (a, b))
            raise DataError(f"these are no pairs of pictures: {said}", "give each picture one of the same size")

    @property
    def spec(self) -> Pairs:
        return Pairs(source=self.source.spec, target=self.target.spec)

    @cached_property
    def fingerprint(self) -> str:
        return cache.key_of("pairs", self.source.fingerprint, self.target.fingerprint)

    def __len__(self) -> int:
        return len(self.source)

    def batch(self, window: Window) -> Batch:
        index, moves = window.indices(len(self)), self.jitter.draw(window)
        return Batch({"source": moves(self.source.pictures(index)), "real": moves(self.target.pictures(index))})

    def take(self, index: np.ndarray | slice, how: Reading | None = None) -> Self:
        return replace(self, source=self.source.take(index, how), target=self.target.take(index, how))

    def samples(self) -> PairSamples:
        return PairSamples(self.target.images, self.target.labels, inputs=self.source.images)

    @property
    def strata(self) -> np.ndarray | None:
        return self.target.labels

    def resized(self, size: tuple[int, int] | None, channels: int | None, how: Reading | None = None) -> Self:
        """Both of them, as `ImageDataset.resized`."""
        a, b = (part.resized(size, channels, how) for part in (self.source, self.target))
        return replace(self, source=a, target=b)

    def swapped(self) -> Self:
        """The pairs the other way round: B is translated to A."""
        return replace(self, source=self.target, target=self.source)

    def augmented(self, flip: bool, enlarge: float = 1.0) -> Self:
        return replace(self, jitter=Jitter(flip, enlarge))

    def for_evaluation(self) -> Self:
        return self.augmented(False)

    def to(self, device: torch.device, budget: int) -> Self:
        a, b = (part.to(device, budget // 2) for part in (self.source, self.target))
        return replace(self, source=a, target=b)
