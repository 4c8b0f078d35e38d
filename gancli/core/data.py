"""The contracts of data: what a datum is (`Spec`), a batch of them (`Batch`), a set of them (`Dataset`), where they come from (`Source`).

The engine knows none of the kinds of data: it asks a `Dataset` for the batch at a position of its stream, and uses the number of
rows and `Batch.rows` alone. Everything random in a batch (order, flips, crops, degradations, pairing) is a pure function of
(seed, position), so that nothing of it is saved and any split over ranks or parts gives the same batch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar, cast

import numpy as np

from gancli.core.errors import UsageError
from gancli.core.registry import Part
from gancli.core.seeds import generator

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from gancli.core.samples import Samples


class Spec(Part, ABC):
    """What a datum is: the fields of its batches and their sizes. Written into each model's config.json.

    Concrete ones are in `core/specs.py`; a plug-in may define more.
    """

    kind: ClassVar[str] = "spec"

    @abstractmethod
    def describe(self) -> str:
        """The data in a few words: `images 3x32x32, 10 classes`."""


@dataclass(frozen=True)
class Batch:
    """Named fields of N data, each [N, ...]. Images are float in [-1, 1]; labels and tokens are int64.

    Usual names: `real` [N, C, H, W], `label` [N], `attributes` [N, A], `source` [N, C, H, W] (what is translated or restored),
    `mask` [N, 1, H, W], `a` and `b` (two domains), `tokens` [N, L].
    """

    fields: Mapping[str, Tensor]

    @property
    def n(self) -> int:
        """The number of rows."""
        return len(next(iter(self.fields.values())))

    def __getitem__(self, name: str) -> Tensor:
        return self.fields[name]

    def __contains__(self, name: str) -> bool:
        return name in self.fields

    def get(self, name: str) -> Tensor | None:
        """The field, or None where the data has none of that name."""
        return self.fields.get(name)

    def rows(self, first: int, n: int) -> Batch:
        """Some of the rows, as views.

        Args:
            first: the first of them.
            n: how many.
        """
        if first == 0 and n >= self.n:
            return self
        return Batch({name: value[first : first + n] for name, value in self.fields.items()})

    def replace(self, **fields: Tensor) -> Batch:
        """The same with some fields replaced or added."""
        return Batch({**self.fields, **fields})

    def to(self, device: torch.device, dtype: torch.dtype) -> Batch:
        """The same on a device.

        Args:
            device: of all fields.
            dtype: of the floating-point fields; the others keep theirs.
        """
        moved = {k: v.to(device, dtype if v.is_floating_point() else None) for k, v in self.fields.items()}
        return Batch(moved)


class Orders:
    """The order of each pass over a set, a random permutation of its own; the latest four are kept.

    Args:
        seed: of the run.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._permutation = lru_cache(maxsize=4)(self._drawn)

    def _drawn(self, name: str, size: int, number: int) -> Tensor:
        import torch

        return torch.randperm(size, generator=generator(self.seed, name, number))

    def indices(self, name: str, size: int, position: int, n: int) -> Tensor:
        """The data at positions position .. position + n of the stream: datum order(p // size)[p % size] at position p.

        A batch may cross the end of a pass; within a pass no datum is skipped or repeated, whatever the batch size.

        Args:
            name: of the stream; sets that are drawn from independently (two domains) have different names.
            size: data in the set.
            position: data drawn before.
            n: how many.

        Returns:
            int64 [n].
        """
        import torch

        out = []
        while n > 0:
            number, at = divmod(position, size)
            piece = self._permutation(name, size, number)[at : at + n]
            out.append(piece)
            position, n = position + len(piece), n - len(piece)
        return out[0] if len(out) == 1 else torch.cat(out)


@dataclass(frozen=True)
class Window:
    """Which part of the stream a batch is: rows first .. first + rows of the batch of n data at a position.

    `indices` and `generators` depend on the position of a row alone; `rand` also on where its batch begins and ends.
    """

    orders: Orders
    position: int
    n: int
    first: int
    rows: int

    def indices(self, size: int, stream: str = "order") -> Tensor:
        """Which data of a set.

        Args:
            size: data in the set.
            stream: the name of its order; two sets that are drawn from independently have two.

        Returns:
            int64 [rows].
        """
        return self.orders.indices(stream, size, self.position + self.first, self.rows)

    def rand(self, name: str) -> Tensor:
        """Uniform numbers, drawn for the whole batch, then cut.

        Args:
            name: of the draw; different names are independent.

        Returns:
            float32 [rows] in [0, 1).
        """
        import torch

        from gancli.core.seeds import derive

        random = generator(derive(self.orders.seed, name, self.position))
        return torch.rand(self.n, generator=random)[self.first : self.first + self.rows]

    def generators(self, name: str) -> Iterator[torch.Generator]:
        """A random generator for each row.

        Args:
            name: of the draw; different names are independent.

        Returns:
            One generator after the other, seeded by (seed, name, the row's position in the stream).
        """
        start = self.position + self.first
        return (generator(self.orders.seed, name, start + i) for i in range(self.rows))


class Dataset(ABC):
    """A finite set of data, and its endless shuffled stream.

    `batch` is a pure function of the window: a batch in parts, on any number of ranks, is the same batch.
    """

    @property
    @abstractmethod
    def spec(self) -> Spec:
        """What a datum is."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """A digest of all that the set holds: another fingerprint, other data. Augmentation is no part of it."""

    @abstractmethod
    def __len__(self) -> int:
        """Data in one pass."""

    @abstractmethod
    def batch(self, window: Window) -> Batch:
        """The rows of the stream that the window shows.

        Args:
            window: which rows, and what their random numbers are.

        Returns:
            Fields as the spec's docstring names them, each [rows, ...]: float32 in [-1, 1], or int64.
        """

    @abstractmethod
    def take(self, index: np.ndarray | slice, how: Reading | None = None) -> Self:
        """Some of the data, in this order.

        Args:
            index: a slice, which copies nothing; or numbers int64 [n], or bool [size].
            how: where a copy that is too large for memory is kept; not given: in memory.
        """

    @abstractmethod
    def samples(self) -> Samples:
        """The data as samples: what evaluations compare with, and previews show."""

    @property
    def strata(self) -> np.ndarray | None:
        """int64 [size]: the classes that are held out in proportion, if there are any."""
        return None

    def resized(self, size: tuple[int, int] | None, channels: int | None, how: Reading | None = None) -> Self:  # noqa: ARG002
        """The same data in another size and number of channels.

        Args:
            size: (height, width); None: as they are.
            channels: 1 or 3; None: as they are.
            how: where a copy that is too large for memory is kept; not given: in memory.

        Raises:
            UsageError: these data have neither.
        """
        if size or channels:
            raise UsageError(f"{self.spec.name} have no size to choose", "leave --image-size and --channels away")
        return self

    def augmented(self, flip: bool, enlarge: float = 1.0) -> Self:
        """The same set, its stream augmented at random.

        Args:
            flip: mirror half of the data left to right.
            enlarge: enlarge each picture by this factor and crop it at random to its size (1611.07004: 286 / 256); 1: as it is.

        Raises:
            UsageError: these data cannot be augmented so.
        """
        if flip or enlarge != 1:
            raise UsageError(f"{self.spec.name} are not augmented", "use --set data.flip=false")
        return self

    def for_evaluation(self) -> Self:
        """The same set as validation and test set: nothing is random in its data, whatever the seed and the position."""
        return self

    def to(self, device: torch.device, budget: int) -> Self:  # noqa: ARG002
        """The same set, its batches made on a device.

        Args:
            device: of the batches; what a set cannot make there, the loader moves.
            budget: bytes that the set may take there; a larger one is read from where it lies.
        """
        return self


D = TypeVar("D", bound=Dataset)


@dataclass(frozen=True)
class Split(Generic[D]):
    """What a source gives: the data to train on, to choose by, and to report on.

    Checkpoints, `--until`, the monitor and scores while training look at `validation`; only `gan evaluate` looks at `test`.
    A source that has no validation part of its own leaves it out: one is then held out of `train` (`data/holdout.py`), by a
    copy of it; a source with large memory-mapped data does better to hold one out itself, by slices.
    """

    train: D
    test: D
    validation: D = None  # type: ignore[assignment]  # not given: empty

    def __post_init__(self) -> None:
        if cast("D | None", self.validation) is None:
            object.__setattr__(self, "validation", self.train.take(slice(0, 0)))


@dataclass(frozen=True)
class Reading:
    """How a source is to be read, and whom to tell of it."""

    data_dir: Path
    cache_dir: Path
    size: tuple[int, int] | None = None  # height, width asked for
    channels: int | None = None
    download: bool = False
    time_limit: float = 600.0  # seconds for fetching
    holdout: float = 0.1  # share of the data that becomes the test set, where it has none of its own
    validation: float = (
        0.05  # share of the training set that becomes the validation set, where the data has none of its own
    )
    progress: Callable[[str, int, int], None] = field(default=lambda _what, _done, _all: None)
    note: Callable[[str], None] = field(default=lambda _text: None)


class Source(Part, ABC):
    """Where data come from."""

    kind: ClassVar[str] = "data"
    features: ClassVar[str] = "auto"  # the feature extractor that suits these data

    @abstractmethod
    def read(self, how: Reading) -> Split[Any]:
        """Read the data.

        Args:
            how: from where, how much is held out, and whom to tell.

        Returns:
            The data as they are; `data/find.py` brings them to the size and the channels asked for.

        Raises:
            DataError: the data is missing or broken; with the remedy.
        """

    @classmethod
    def claims(cls, path: Path) -> bool:  # noqa: ARG003
        """Whether this source reads what lies at a path; it then has a field `path`.

        Args:
            path: of a folder or a file that is there.
        """
        return False
