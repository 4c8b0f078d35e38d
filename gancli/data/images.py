"""Pictures in memory or memory-mapped, as a dataset."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
import torch
from torch import Tensor

from gancli.core.data import Batch, Dataset, Window
from gancli.core.images import ImageSamples
from gancli.core.specs import Images
from gancli.data import cache
from gancli.data.resize import resized


def to_float(images: Tensor) -> Tensor:
    """uint8 [N, C, H, W] -> float32 in [-1, 1]."""
    return images.to(torch.float32).mul_(2 / 255).sub_(1)


@dataclass(frozen=True)
class ImageDataset(Dataset):
    """Pictures, and what is known beside them.

    On a GPU the pictures lie where they are used, if they fit the budget; else a batch is gathered into pinned memory and copied
    while the GPU goes on.
    """

    images: np.ndarray  # uint8 [N, C, H, W], in memory or memory-mapped
    labels: np.ndarray | None = None  # int64 [N]
    attributes: np.ndarray | None = None  # float32 [N, A]
    classes: tuple[str, ...] = ()  # names, by label
    attribute_names: tuple[str, ...] = ()
    measure: Callable[[np.ndarray], np.ndarray] | None = None  # uint8 [N, C, H, W] -> attributes [N, A], as above
    flip: bool = False  # mirror half of the pictures in the stream
    device: torch.device | None = None  # where batches are wanted; None: on the CPU

    @property
    def spec(self) -> Images:
        _, c, h, w = self.images.shape
        return Images(channels=c, height=h, width=w, classes=len(self.classes), attributes=len(self.attribute_names))

    def __len__(self) -> int:
        return len(self.images)

    @cached_property
    def fingerprint(self) -> str:
        """BLAKE2b of shapes, pixels, labels, attributes and their names.

        Of a memory-mapped array in the cache it takes the digest that was taken as the array was written.
        """
        of_images = cache.source_digest(self.images) if self.images.nbytes > cache.MAPPED_FROM else None
        return cache.key_of(
            self.images.shape,
            of_images or cache.digest(self.images),
            *(None if part is None else (part.shape, cache.digest(part)) for part in (self.labels, self.attributes)),
            self.classes,
            self.attribute_names,
        )

    def batch(self, window: Window) -> Batch:
        index = window.indices(len(self))
        x = to_float(self._pictures(index))
        if self.flip:
            coin = window.rand("flip") < 0.5
            x = torch.where(coin.to(x.device)[:, None, None, None], x.flip(-1), x)
        fields = {"real": x}
        here = index.numpy()
        if self.labels is not None:
            fields["label"] = torch.from_numpy(self.labels[here]).long()
        if self.attributes is not None:
            fields["attributes"] = torch.from_numpy(self.attributes[here]).float()
        return Batch(fields)

    @cached_property
    def _tensor(self) -> Tensor:
        """The pictures where they lie."""
        return torch.from_numpy(self.images)

    def _pictures(self, index: Tensor) -> Tensor:
        if self._tensor.device.type != "cpu":
            return self._tensor[index.to(self._tensor.device)]
        found = self._tensor[index]
        return found if self.device is None else found.pin_memory().to(self.device, non_blocking=True)

    def take(self, index: np.ndarray | slice) -> Self:
        labels = None if self.labels is None else self.labels[index]
        attributes = None if self.attributes is None else self.attributes[index]
        return replace(self, images=self.images[index], labels=labels, attributes=attributes)

    def samples(self) -> ImageSamples:
        return ImageSamples(self.images, self.labels, self.attributes)

    @property
    def strata(self) -> np.ndarray | None:
        return self.labels

    def resized(self, size: tuple[int, int] | None, channels: int | None) -> Self:
        images = resized(self.images, size, channels)
        return self if images is self.images else replace(self, images=images, measure=None)

    def augmented(self, flip: bool) -> Self:
        return self if flip == self.flip else replace(self, flip=flip)

    def to(self, device: torch.device, budget: int) -> Self:
        if device.type == "cpu":
            return self
        placed = replace(self, device=device)
        if self.images.nbytes <= budget:
            vars(placed)["_tensor"] = self._tensor.to(device)
        return placed
