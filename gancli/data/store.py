"""The store: one uint8 array, and a batch order that is a function of (seed, position).

Position p of the stream of reals is image order(p // N)[p % N], where order(e) is the e-th pass's permutation. A batch is a slice of
that stream; it may cross a pass's end, and no image is skipped or repeated within a pass, whatever the batch size.

On a GPU the images lie where they are multiplied, if they take no more than a quarter of its free memory; otherwise a batch is gathered
into pinned memory and copied while the GPU goes on.
"""

from __future__ import annotations

import copy
from functools import lru_cache

import torch
from torch import Tensor

from gancli.core.contracts import Batch, Shape
from gancli.core.data import Arrays
from gancli.core.seeds import derive, generator

SHARE = 0.25  # of a GPU's free memory that the images may take


class Store:
    """Reals to train on, on `device`, as batches of `dtype` in [-1, 1]."""

    def __init__(
        self, data: Arrays, seed: int, device: torch.device, dtype: torch.dtype, flip: bool = False, repeat: int = 1
    ) -> None:
        self.seed, self.device, self.dtype, self.flip = seed, device, dtype, flip
        self.images = _placed(torch.from_numpy(data.images), device)
        self.there = self.images.device.type == device.type  # the images are where batches are wanted
        self.labels = None if data.labels is None else torch.from_numpy(data.labels).long().to(device)
        self.attributes = None if data.attributes is None else torch.from_numpy(data.attributes).float().to(device)
        self.n = len(data.images)
        self.epoch = self.n * repeat  # images in an epoch: `repeat` passes over the data
        _, c, h, w = data.images.shape
        self.shape = Shape(c, h, w, len(data.classes), len(data.attribute_names))
        self._order = lru_cache(maxsize=2)(self._permutation)

    def of(self, dtype: torch.dtype) -> Store:
        """The same images, as batches of another dtype."""
        other = copy.copy(self)
        other.dtype = dtype
        return other

    def _permutation(self, number: int) -> Tensor:
        return torch.randperm(self.n, generator=generator(self.seed, "order", number))

    def indices(self, position: int, n: int) -> Tensor:
        """The images at positions position .. position + n of the stream."""
        out = []
        while n > 0:
            number, at = divmod(position, self.n)
            piece = self._order(number)[at : at + n]
            out.append(piece)
            position, n = position + len(piece), n - len(piece)
        return out[0] if len(out) == 1 else torch.cat(out)

    def batch(self, position: int, n: int, first: int = 0, rows: int | None = None) -> Batch:
        """The batch of n at a position; or only `rows` of it from the `first` on, and no other image is read."""
        rows = n if rows is None else rows
        index = self.indices(position + first, rows)
        here = index.to(self.device)
        x = self.images[here] if self.there else self._copied(index)
        x = x.to(torch.float32).mul_(2 / 255).sub_(1)  # [N, C, H, W]
        if self.flip:
            x = self._flipped(x, position, first, n)
        y = None if self.labels is None else self.labels[here]
        a = None if self.attributes is None else self.attributes[here]
        return Batch(x.to(self.dtype), y, a)

    def _copied(self, index: Tensor) -> Tensor:
        return self.images[index].pin_memory().to(self.device, non_blocking=True)

    def _flipped(self, x: Tensor, position: int, first: int, n: int) -> Tensor:
        coin = torch.rand(n, generator=generator(derive(self.seed, "flip", position)))[first : first + len(x)] < 0.5
        return torch.where(coin.to(x.device)[:, None, None, None], x.flip(-1), x)


def _placed(images: Tensor, device: torch.device) -> Tensor:
    if device.type == "cpu":
        return images
    free, _ = torch.cuda.mem_get_info(device)
    return images.to(device) if images.nbytes <= SHARE * free else images
