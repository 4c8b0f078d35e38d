"""Two sets of pictures that do not belong together pairwise, as a dataset: unpaired translation (1703.10593)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np

from gancli.core.data import Batch, Dataset, Window
from gancli.core.images import ImageSamples, PairSamples
from gancli.core.specs import Domains
from gancli.data import cache
from gancli.data.images import ImageDataset
from gancli.data.jitter import Jitter

if TYPE_CHECKING:
    import torch

    from gancli.core.data import Reading


@dataclass(frozen=True)
class DomainsDataset(Dataset):
    """Pictures of domain A and of domain B, each set in an order of its own. Batches have the fields `a` and `b`.

    The number of data is that of the larger set: a pass shows each of its pictures once, and those of the smaller set more often. The
    i-th datum is the i-th picture of A and the i-th of B; beyond the end of the smaller set it is one picture alone. Flips and crops
    of the two are independent. What the two sets know beside the pictures is not used.
    """

    a: ImageDataset
    b: ImageDataset
    aligned: bool = False  # whether the i-th of A belongs to the i-th of B; used for scores only
    jitter: Jitter = Jitter()  # noqa: RUF009 - of the stream

    @property
    def spec(self) -> Domains:
        return Domains(a=self.a.spec, b=self.b.spec)

    @cached_property
    def fingerprint(self) -> str:
        return cache.key_of("domains", self.a.fingerprint, self.b.fingerprint, self.aligned)

    def __len__(self) -> int:
        return max(len(self.a), len(self.b))

    def batch(self, window: Window) -> Batch:
        fields = {}
        for name, part in (("a", self.a), ("b", self.b)):
            shown = part.pictures(window.indices(len(part), f"order/{name}"))
            fields[name] = self.jitter.draw(window, f"/{name}")(shown)
        return Batch(fields)

    def take(self, index: np.ndarray | slice, how: Reading | None = None) -> Self:
        """Some of the data: of each set those of its pictures that have these numbers."""
        a, b = (part.take(_within(index, len(self), len(part)), how) for part in (self.a, self.b))
        return replace(self, a=a, b=b)

    def samples(self) -> ImageSamples:
        """The pictures of B: what A is translated to; with those of A, if they belong together. Those of A are `data.a.samples()`."""
        return PairSamples(self.b.images, inputs=self.a.images) if self.aligned else self.b.samples()

    def swapped(self) -> Self:
        """The domains the other way round: B is translated to A."""
        return replace(self, a=self.b, b=self.a)

    @property
    def strata(self) -> np.ndarray:
        """Whether there is a picture in one of the sets alone: both sets are held out of in proportion."""
        return (np.arange(len(self)) >= min(len(self.a), len(self.b))).astype(np.int64)

    def resized(self, size: tuple[int, int] | None, channels: int | None, how: Reading | None = None) -> Self:
        """Both of them, as `ImageDataset.resized`."""
        return replace(self, a=self.a.resized(size, channels, how), b=self.b.resized(size, channels, how))

    def augmented(self, flip: bool, enlarge: float = 1.0) -> Self:
        return replace(self, jitter=Jitter(flip, enlarge))

    def for_evaluation(self) -> Self:
        return self.augmented(False)

    def to(self, device: torch.device, budget: int) -> Self:
        return replace(self, a=self.a.to(device, budget // 2), b=self.b.to(device, budget // 2))


def _within(index: np.ndarray | slice, size: int, n: int) -> np.ndarray | slice:
    """An index of `size` data, as one of the first n of them alone."""
    if isinstance(index, slice):
        return slice(*index.indices(size))
    numbers = np.flatnonzero(index) if index.dtype == bool else index
    return numbers[numbers < n]
