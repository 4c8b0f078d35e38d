"""The order of the data in the endless stream of a data set, and the random numbers of a part of a batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from gancli.core.seeds import generator

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Orders:
    """Random permutations of the data, one per epoch, of which the last four are cached.

    Args:
        seed: of the run.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._permutation = lru_cache(maxsize=4)(self._randperm)

    def _randperm(self, name: str, size: int, epoch: int) -> Tensor:
        import torch

        return torch.randperm(size, generator=generator(self.seed, name, epoch))

    def indices(self, name: str, size: int, position: int, n: int) -> Tensor:
        """The indices of n consecutive positions of the stream; position p has index permutation(p // size)[p % size].

        A batch may cross the end of an epoch. Every datum occurs exactly once per epoch, whatever the batch size.

        Args:
            name: of the stream; data sets that are shuffled independently (two domains) have different names.
            size: size of the data set.
            position: the first position, that is, the number of data drawn before.
            n: number of positions.

        Returns:
            int64 [n].
        """
        import torch

        out = []
        while n > 0:
            epoch, at = divmod(position, size)
            piece = self._permutation(name, size, epoch)[at : at + n]
            out.append(piece)
            position, n = position + len(piece), n - len(piece)
        return out[0] if len(out) == 1 else torch.cat(out)


@dataclass(frozen=True)
class Window:
    """A part of a batch: rows `first` to `first + rows - 1` of the batch of n data at a position of the stream.

    `indices` and `generators` depend only on the position of each row; `rand` also on the limits of the batch.
    """

    orders: Orders
    position: int  # of the batch
    n: int  # size of the batch
    first: int
    rows: int

    def indices(self, size: int, stream: str = "order") -> Tensor:
        """The index of each row in a data set.

        Args:
            size: size of the data set.
            stream: name of its order; data sets that are shuffled independently have different names.

        Returns:
            int64 [rows].
        """
        return self.orders.indices(stream, size, self.position + self.first, self.rows)

    def rand(self, name: str) -> Tensor:
        """Draw a uniform number in [0, 1) per row: for the whole batch, of which the rows of the window are returned.

        Args:
            name: of the random stream.

        Returns:
            float32 [rows].
        """
        import torch

        from gancli.core.seeds import derive

        random = generator(derive(self.orders.seed, name, self.position))
        return torch.rand(self.n, generator=random)[self.first : self.first + self.rows]

    def generators(self, name: str) -> Iterator[torch.Generator]:
        """One generator per row, seeded from (seed, name, position of the row in the stream)."""
        start = self.position + self.first
        return (generator(self.orders.seed, name, start + i) for i in range(self.rows))
