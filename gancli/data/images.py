"""Pictures in memory or memory-mapped, as a dataset."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from torch import Tensor

from gancli.core.data import Batch, Dataset, Window
from gancli.core.errors import UsageError
from gancli.core.images import ImageSamples
from gancli.core.specs import Images
from gancli.data import cache
from gancli.data.jitter import Jitter
from gancli.data.resize import resized

if TYPE_CHECKING:
    from gancli.core.data import Reading


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
    jitter: Jitter = Jitter()  # noqa: RUF009 - of the stream
    balance: bool = False  # whether all classes are equally frequent in the stream
    device: torch.device | None = None  # where batches are wanted; None: on the CPU

    @property
    def spec(self) -> Images:
        _, c, h, w = self.images.shape
        return Images(channels=c, height=h, width=w, classes=len(self.classes), attributes=len(self.attribute_names))

    def __len__(self) -> int:
        return len(self.images)

    @cached_property
    def fingerprint(self) -> str:
        """Of shapes, pixels, labels, attributes and their names."""
        return cache.fingerprint(
            self.images.shape,
            cache.content(self.images),
            self.labels,
            self.attributes,
            self.classes,
            self.attribute_names,
        )

    def batch(self, window: Window) -> Batch:
        index = window.balanced(self._members) if self.balance else window.indices(len(self))
        fields = {"real": self.jitter.draw(window)(self.pictures(index))}
        if self.labels is not None:
            fields["label"] = torch.from_numpy(self.labels)[index].long()
        if self.attributes is not None:
            fields["attributes"] = torch.from_numpy(self.attributes)[index].float()
        return Batch(fields)

    def pictures(self, index: Tensor) -> Tensor:
        """Some of the pictures, not augmented.

        Args:
            index: int64 [n].

        Returns:
            float32 [n, C, H, W] in [-1, 1], on the device.
        """
        return self._gathered(index).to(torch.float32).mul_(2 / 255).sub_(1)

    @cached_property
    def _members(self) -> list[Tensor]:
        """The indices of the images of each class that has any."""
        assert self.labels is not None
        return [torch.from_numpy(np.flatnonzero(self.labels == k)) for k in np.unique(self.labels)]

    @cached_property
    def _tensor(self) -> Tensor:
        """The pictures where they lie."""
        return torch.from_numpy(self.images)

    def _gathered(self, index: Tensor) -> Tensor:
        if self._tensor.device.type != "cpu":
            return self._tensor[index.to(self._tensor.device)]
        found = self._tensor[index]
        cache.release(self.images)
        return found if self.device is None else found.pin_memory().to(self.device, non_blocking=True)

    def take(self, index: np.ndarray | slice, how: Reading | None = None) -> Self:
        labels = None if self.labels is None else self.labels[index]
        attributes = None if self.attributes is None else self.attributes[index]
        return replace(self, images=_rows(self.images, index, how), labels=labels, attributes=attributes)

    def samples(self) -> ImageSamples:
        return ImageSamples(self.images, self.labels, self.attributes)

    @property
    def strata(self) -> np.ndarray | None:
        return self.labels

    def resized(self, size: tuple[int, int] | None, channels: int | None, how: Reading | None = None) -> Self:
        """As `data/resize.py` does it. Attributes stay as they were measured.

        Raises:
            DataError: the pictures have neither 1, 3 nor 4 channels.
        """
        images = resized(self.images, size, channels, how)
        return self if images is self.images else replace(self, images=images, measure=None)

    def augmented(self, flip: bool, enlarge: float = 1.0) -> Self:
        jitter = Jitter(flip, enlarge)
        return self if jitter == self.jitter else replace(self, jitter=jitter)

    def balanced(self) -> Self:
        if self.labels is None or len(self.classes) < 2:
            raise UsageError("the images have no classes to balance", "use --set data.balance=false")
        return replace(self, balance=True)

    def for_evaluation(self) -> Self:
        found = self.augmented(False)
        return replace(found, balance=False) if found.balance else found

    def to(self, device: torch.device, budget: int) -> Self:
        if device.type == "cpu":
            return self
        placed = replace(self, device=device)
        if self.images.nbytes <= budget:
            vars(placed)["_tensor"] = self._tensor.to(device)
        return placed


def _rows(images: np.ndarray, index: np.ndarray | slice, how: Reading | None) -> np.ndarray:
    """`images[index]`; of a copy that is too large for memory, from the cache."""
    if isinstance(index, slice):
        return images[index]
    index = np.flatnonzero(index) if index.dtype == bool else index

    def fill(out: np.ndarray) -> None:
        for start, part in cache.blocks(out):
            part[:] = images[index[start : start + len(part)]]
            cache.release(images)

    def key() -> str:
        return cache.key_of("rows", 1, cache.content(images), cache.digest(index.astype("<i8")))

    return cache.copied(how, key, (len(index), *images.shape[1:]), fill)
