"""The order of the data in the endless stream of a data set, and the random numbers of a part of a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from gancli.core.seeds import generator

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Orders:
    """Random permutations of the data, one per epoch, of which the last four are cached; of balanced streams the last two of each class.

    Args:
        seed: of the run.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._permutation = lru_cache(maxsize=4)(self._randperm)
        self._of_classes: dict[str, dict[int, Tensor]] = {}

    def _randperm(self, name: str, size: int, epoch: int) -> Tensor:
        import torch

        return torch.randperm(size, generator=generator(self.seed, name, epoch))

    def _of_class(self, name: str, size: int, epoch: int) -> Tensor:
        kept = self._of_classes.setdefault(name, {})
        if epoch not in kept:
            for old in sorted(kept)[: len(kept) - 1]:
                del kept[old]
            kept[epoch] = self._randperm(name, size, epoch)
        return kept[epoch]

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
        return self._stream(self._permutation, name, size, position, n)

    @staticmethod
    def _stream(of: Callable[[str, int, int], Tensor], name: str, size: int, position: int, n: int) -> Tensor:
        import torch

        out = []
        while n > 0:
            epoch, at = divmod(position, size)
            piece = of(name, size, epoch)[at : at + n]
            out.append(piece)
            position, n = position + len(piece), n - len(piece)
        return out[0] if len(out) == 1 else torch.cat(out)

    def balanced(self, members: Sequence[Tensor], position: int, n: int) -> Tensor:
        """The indices of n consecutive positions of a stream in which all classes are equally frequent.

        Of K classes, positions b K to b K + K - 1 hold each class once, in a random order; each class has a shuffled stream
        of its own, of which this is datum b. A batch of n holds each class n // K times or once more.

        Args:
            members: indices int64 [n_c] of the data of each class, none empty.
            position: the first position.
            n: number of positions.

        Returns:
            int64 [n].
        """
        import torch

        count = len(members)
        first, last = position // count, (position + n - 1) // count + 1
        order = self._stream(self._of_class, "classes", count, position, n)
        block = torch.arange(position, position + n) // count - first
        drawn = torch.stack(
            [
                of[self._stream(self._of_class, f"order of class {k}", len(of), first, last - first)]
                for k, of in enumerate(members)
            ]
        )
        return drawn[order, block]


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

    def balanced(self, members: Sequence[Tensor]) -> Tensor:
        """The index of each row in a stream in which all classes are equally frequent (`Orders.balanced`).

        Args:
            members: indices int64 [n_c] of the data of each class, none empty.

        Returns:
            int64 [rows].
        """
        return self.orders.balanced(members, self.position + self.first, self.rows)

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
