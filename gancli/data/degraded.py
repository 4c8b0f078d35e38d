"""Pictures and what degradations make of them, as a dataset: restoration."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from torch import Tensor

from gancli.core.contracts import Degradation
from gancli.core.data import Batch, Dataset, Window
from gancli.core.errors import UsageError
from gancli.core.images import PairSamples, to_uint8
from gancli.core.seeds import generator
from gancli.core.specs import Degraded
from gancli.data import cache
from gancli.data.images import ImageDataset

if TYPE_CHECKING:
    from gancli.core.data import Reading


@dataclass(frozen=True)
class DegradedDataset(Dataset):
    """Pictures, degraded as they are drawn. Batches have the fields `real`, `source` (degraded) and, if any degradation gives one, `mask`.

    In training each pass degrades a picture anew: the draws are a function of (seed, position). A fixed set (validation, test) degrades
    it always alike: the draws are a function of its pixels, whatever the seed, the position and the rest of the set.
    The degradations are applied one after the other, after flips and crops; masks are united.
    """

    images: ImageDataset
    degradations: tuple[Degradation, ...]
    fixed: bool = False

    @property
    def scale(self) -> int:
        """The factor by which degraded pictures are smaller."""
        return prod(part.scale for part in self.degradations)

    def __post_init__(self) -> None:
        height, width = self.images.images.shape[2:]
        if height % self.scale or width % self.scale:
            raise UsageError(
                f"images of {height}x{width} cannot be divided by {self.scale}",
                f"use --image-size with a multiple of {self.scale}",
            )
        if self._masked and self.scale > 1:
            raise UsageError("missing pixels and a smaller image cannot be combined", "use one of the degradations")

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the pictures' classes, by label."""
        return self.images.classes

    @property
    def spec(self) -> Degraded:
        return Degraded(image=self.images.spec, mask=self._masked, scale=self.scale)

    @property
    def _masked(self) -> bool:
        return any(part.masks for part in self.degradations)

    @cached_property
    def fingerprint(self) -> str:
        """Of the pictures and of the degradations with their options."""
        chain = [part.model_dump(mode="json") for part in self.degradations]
        return cache.key_of("degraded", self.images.fingerprint, chain, self.fixed)

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, window: Window) -> Batch:
        images = self.images.batch(window)
        real = images["real"]
        index = window.indices(len(self))
        random = self._generators(index) if self.fixed else window.generators("degradation")
        source, mask = self._degraded(real, random)
        fields = {**images.fields, "source": source}
        return Batch(fields if mask is None else {**fields, "mask": mask})

    def _generators(self, index: Tensor) -> Iterator[torch.Generator]:
        """A generator for each of these pictures, seeded by its pixels."""
        for i in index.tolist():
            pixels = np.ascontiguousarray(self.images.images[i])
            yield generator("degradation", hashlib.blake2b(pixels.data, digest_size=16).hexdigest())

    def _degraded(self, images: Tensor, random: Iterable[torch.Generator]) -> tuple[Tensor, Tensor | None]:
        """Degraded images [N, C, H / scale, W / scale] and their masks [N, 1, H, W], if any."""
        n, c, h, w = images.shape
        sources = images.new_empty(n, c, h // self.scale, w // self.scale)
        masks = torch.zeros_like(images[:, :1])
        for image, source, united, own in zip(images, sources, masks, random, strict=True):
            for degrade in self.degradations:
                image, mask = degrade(image, own)  # noqa: PLW2901
                if mask is not None:
                    united.copy_(torch.maximum(united, mask))
            source.copy_(image)
        return sources, masks if self._masked else None

    def take(self, index: np.ndarray | slice, how: Reading | None = None) -> Self:
        return replace(self, images=self.images.take(index, how))

    def samples(self) -> PairSamples:
        """Degraded pictures, as a fixed set has them, and the pictures: in memory, so `take` the part that is needed first."""
        images = self.images.images
        n, c, h, w = images.shape
        inputs = np.empty((n, c, h // self.scale, w // self.scale), np.uint8)
        masks = np.empty((len(images), 1, *images.shape[2:]), np.uint8) if self._masked else None
        for start, part in cache.blocks(inputs):
            index = torch.arange(start, start + len(part))
            source, mask = self._degraded(self.images.pictures(index), self._generators(index))
            part[:] = to_uint8(source)
            if masks is not None and mask is not None:
                masks[start : start + len(part)] = mask.mul(255).to(torch.uint8).numpy()
        return PairSamples(images, self.images.labels, inputs=inputs, masks=masks)

    @property
    def strata(self) -> np.ndarray | None:
        return self.images.strata

    def resized(self, size: tuple[int, int] | None, channels: int | None, how: Reading | None = None) -> Self:
        """The pictures as `ImageDataset.resized`, before they are degraded."""
        return replace(self, images=self.images.resized(size, channels, how))

    def augmented(self, flip: bool, enlarge: float = 1.0) -> Self:
        return replace(self, images=self.images.augmented(flip, enlarge))

    def for_evaluation(self) -> Self:
        return replace(self, images=self.images.for_evaluation(), fixed=True)
