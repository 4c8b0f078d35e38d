"""Contracts of data: the kind of datum (`Spec`), batches (`Batch`), data sets (`Dataset`) and where they are read from (`Source`).

The engine does not depend on the kind of data. It reads the batch at a position of the stream of a `Dataset` and uses
only the number of rows and `Batch.rows`. Everything random in a batch (order, flips, crops, degradations, pairing) is a
pure function of (seed, position). Therefore no state is saved, and a batch is the same however it is divided over ranks
and micro-batches.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Self, TypeVar, cast

import numpy as np

from gancli.core.errors import UsageError
from gancli.core.registry import Part
from gancli.core.window import Orders as Orders  # noqa: PLC0414
from gancli.core.window import Window as Window  # noqa: PLC0414

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from gancli.core.config import Data
    from gancli.core.samples import Samples


class Spec(Part, ABC):
    """The kind of datum: the fields of its batches and their sizes. Written to each model's config.json.

    The concrete specs are in `core/specs.py`; a plug-in may define others.
    """

    kind: ClassVar[str] = "spec"
    unit: ClassVar[str] = "images"  # what data are counted in, in messages

    @abstractmethod
    def describe(self) -> str:
        """A short description, such as `images 3x32x32, 10 classes`."""


@dataclass(frozen=True)
class Batch:
    """Named tensors [N, ...] of N data. Images are floats in [-1, 1]; labels and tokens are int64.

    Usual names: `real` [N, C, H, W], `label` [N], `attributes` [N, A], `source` [N, C, H, W] (input of a translation or
    restoration), `mask` [N, 1, H, W], `a` and `b` (two domains), `tokens` [N, L].
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
        """The field, or None if the data has no such field."""
        return self.fields.get(name)

    def rows(self, first: int, n: int) -> Batch:
        """The rows `first` to `first + n - 1`, as views."""
        if first == 0 and n >= self.n:
            return self
        return Batch({name: value[first : first + n] for name, value in self.fields.items()})

    def replace(self, **fields: Tensor) -> Batch:
        """A copy with some fields replaced or added."""
        return Batch({**self.fields, **fields})

    def to(self, device: torch.device, dtype: torch.dtype) -> Batch:
        """A copy on a device, with floating-point fields in `dtype`."""
        moved = {k: v.to(device, dtype if v.is_floating_point() else None) for k, v in self.fields.items()}
        return Batch(moved)


class Dataset(ABC):
    """A finite data set and its infinite shuffled stream.

    `batch` is a pure function of the window, so a batch does not depend on its division over ranks and micro-batches.
    """

    @property
    @abstractmethod
    def spec(self) -> Spec:
        """The kind of datum."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """A hash of all data of the set, without augmentation. Used to detect changed data."""

    @abstractmethod
    def __len__(self) -> int:
        """The number of data, that is, of one pass."""

    @abstractmethod
    def batch(self, window: Window) -> Batch:
        """Read a part of the stream.

        Args:
            window: which rows, and what their random numbers are.

        Returns:
            The fields that the docstring of the spec names, each [rows, ...], float32 in [-1, 1] or int64.
        """

    @abstractmethod
    def take(self, index: np.ndarray | slice, how: Reading | None = None) -> Self:
        """Select a subset.

        Args:
            index: a slice, which makes no copy; indices int64 [n] in the order to select; or a mask bool [size].
            how: its cache folder stores a copy too large for memory; None: always in memory.

        Returns:
            The subset.
        """

    @abstractmethod
    def samples(self) -> Samples:
        """The data as samples, for evaluation and previews."""

    @property
    def strata(self) -> np.ndarray | None:
        """Class indices int64 [size] for stratified splits, or None."""
        return None

    def resized(self, size: tuple[int, int] | None, channels: int | None, how: Reading | None = None) -> Self:  # noqa: ARG002
        """Convert to another image size and number of channels.

        Args:
            size: (height, width); None: unchanged.
            channels: 1, 3 or 4 (RGBA); None: unchanged.
            how: its cache folder stores a copy too large for memory; None: always in memory.

        Returns:
            The converted data set.

        Raises:
            UsageError: data of this kind have neither.
        """
        if size or channels:
            raise UsageError(f"{self.spec.name} have no image size", "omit --image-size and --channels")
        return self

    def augmented(self, flip: bool, enlarge: float = 1.0) -> Self:
        """Add random augmentation to the stream.

        Args:
            flip: flip half of the images horizontally.
            enlarge: enlarge images by this factor, then crop them at random to their size (1611.07004: 286 / 256);
                1: no crops.

        Returns:
            The data set with augmentation.

        Raises:
            UsageError: this augmentation does not apply to data of this kind.
        """
        if flip or enlarge != 1:
            raise UsageError(f"{self.spec.name} cannot be augmented", "use --set data.flip=false")
        return self

    def balanced(self) -> Self:
        """Draw all classes equally often: a batch of n from K classes holds each n // K times or once more.

        Returns:
            The data set with such a stream.

        Raises:
            UsageError: the data have no classes.
        """
        raise UsageError(f"{self.spec.name} are not drawn by class", "use --set data.balance=false")

    def for_evaluation(self) -> Self:
        """The data set without anything random, for use as validation or test set."""
        return self

    def to(self, device: torch.device, budget: int) -> Self:  # noqa: ARG002
        """Produce batches on a device.

        Args:
            device: of the batches. The loader moves batches that the data set produces elsewhere.
            budget: bytes of device memory that the data may use; larger data stay where they are.

        Returns:
            The data set, on the device if it fits.
        """
        return self


D = TypeVar("D", bound=Dataset)


@dataclass(frozen=True)
class Split(Generic[D]):
    """Training, validation and test set.

    The choice of checkpoints, `--until`, the monitor and scores during training use `validation`; only `gan evaluate` uses
    `test`. If the source has no validation set, one is split off `train` (`data/holdout.py`), which copies the data; a
    source of large memory-mapped data should rather split it off itself, by slices.
    """

    train: D
    test: D
    validation: D = None  # type: ignore[assignment]  # default: empty

    def __post_init__(self) -> None:
        if cast("D | None", self.validation) is None:
            object.__setattr__(self, "validation", self.train.take(slice(0, 0)))


@dataclass(frozen=True)
class Reading:
    """Options for reading a source, with callbacks for progress and notes."""

    data_dir: Path
    cache_dir: Path
    size: tuple[int, int] | None = None  # requested (height, width)
    channels: int | None = None
    download: bool = False
    time_limit: float = 600.0  # of downloads, in seconds
    holdout: float = 0.1  # fraction of the data for the test set, if the source has none
    validation: float = 0.05  # fraction of the training set for the validation set, if the source has none
    whole: bool = False  # whether all parts of the data are the training set
    range: tuple[float, float] | Literal["auto"] | None = None  # values of black and white; None: by type and values
    labels: str | None = None  # column of the labels file, or array, that holds the classes; "none": no labels
    unlabeled: Literal["drop", "keep"] | None = None  # what becomes of images that a labels file leaves out
    frames: Literal["first", "all"] = "first"  # of files with several images
    progress: Callable[[str, int, int], None] = field(default=lambda _what, _done, _all: None)
    note: Callable[[str], None] = field(default=lambda _text: None)
    warn: Callable[[str], None] = field(default=lambda _text: None)
    files: Callable[[Sequence[str]], None] = field(default=lambda _names: None)  # of all images, in their order

    def requested(self, options: Data) -> Reading:
        """The same with the options of a run's configuration."""
        names = ("channels", "holdout", "validation", "range", "labels", "unlabeled", "frames")
        return replace(self, size=options.image_size, **{name: getattr(options, name) for name in names})


class Source(Part, ABC):
    """A data source: a known data set, or a file or folder.

    Attributes:
        features: the feature extractor for evaluations on these data.
        folder: of the files of a known data set, below the data directory; empty: no known data set.
        options: the options of `Reading` that this source implements, of "range", "labels", "unlabeled" and "frames".
    """

    kind: ClassVar[str] = "data"
    features: ClassVar[str] = "auto"
    folder: ClassVar[str] = ""
    options: ClassVar[tuple[str, ...]] = ()

    def present(self, how: Reading) -> bool:  # noqa: ARG002
        """Whether the files of a known data set are in `how.data_dir`; they are not read."""
        return False

    @abstractmethod
    def read(self, how: Reading) -> Split[Any]:
        """Read the data.

        Args:
            how: folders, fractions to hold out, and callbacks.

        Returns:
            The data in their own size and channels; `data/find.py` converts them.

        Raises:
            DataError: the data is missing or corrupt; states the remedy.
        """

    @classmethod
    def claims(cls, path: Path) -> int:  # noqa: ARG003
        """Whether this source can read the file or folder at a path. Such a source has a field `path`.

        Args:
            path: a folder, .zip, .npz or other file.

        Returns:
            0 or False if it cannot, True if it can, 2 if the path is in a layout of its own; -1 if it can, but is used only
            if one of its options is set.
        """
        return False
