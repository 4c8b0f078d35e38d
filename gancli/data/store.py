"""The store: one uint8 array, and a batch order that is a function of (seed, position).

Position p of the stream of reals is image order(p // N)[p % N], where order(e) is the e-th pass's permutation. A batch is a slice of
that stream; it may cross a pass's end, and no image is skipped or repeated within a pass, whatever the batch size.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from gancli.clock import derive, generator
from gancli.contracts import Batch, Shape
from gancli.sources import Arrays


class Store:
    """Reals to train on, on `device`, as batches of `dtype` in [-1, 1]."""

    def __init__(
        self, data: Arrays, seed: int, device: torch.device, dtype: torch.dtype, flip: bool = False, repeat: int = 1
    ) -> None:
        self.seed, self.device, self.dtype, self.flip = seed, device, dtype, flip
        self.images = torch.from_numpy(data.images)
        self.labels = None if data.labels is None else torch.from_numpy(data.labels).long()
        self.attributes = None if data.attributes is None else torch.from_numpy(data.attributes).float()
        self.n = len(data.images)
        self.epoch = self.n * repeat  # images in an epoch: `repeat` passes over the data
        _, c, h, w = data.images.shape
        self.shape = Shape(c, h, w, len(data.classes), len(data.attribute_names))
        self._order = lru_cache(maxsize=2)(self._permutation)

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
        x = self.images[index].to(self.device).to(torch.float32).mul_(2 / 255).sub_(1)  # [N, C, H, W]
        if self.flip:
            x = self._flipped(x, position, first, n)
        y = None if self.labels is None else self.labels[index].to(self.device)
        a = None if self.attributes is None else self.attributes[index].to(self.device)
        return Batch(x.to(self.dtype), y, a)

    def _flipped(self, x: Tensor, position: int, first: int, n: int) -> Tensor:
        coin = torch.rand(n, generator=generator(derive(self.seed, "flip", position)))[first : first + len(x)] < 0.5
        return torch.where(coin.to(x.device)[:, None, None, None], x.flip(-1), x)
