"""What a data set is, and how it is read: the contract of the data room.

A `Source` gives a `Split`: images to train on and images held out, each as `Arrays`, one uint8 array with what stands beside it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np

from gancli.core.registry import Part


@dataclass(frozen=True)
class Arrays:
    """A data set as arrays: uint8 images and what stands beside them."""

    images: np.ndarray  # uint8 [N, C, H, W], in memory or memory-mapped
    labels: np.ndarray | None = None  # int64 [N]
    attributes: np.ndarray | None = None  # float32 [N, A]
    classes: tuple[str, ...] = ()  # names, by label
    attribute_names: tuple[str, ...] = ()

    def take(self, index: np.ndarray | slice) -> Arrays:
        """The same for some of the images."""
        labels = None if self.labels is None else self.labels[index]
        attributes = None if self.attributes is None else self.attributes[index]
        return Arrays(self.images[index], labels, attributes, self.classes, self.attribute_names)


@dataclass(frozen=True)
class Reading:
    """How a source is to be read."""

    data_dir: Path
    cache_dir: Path
    size: tuple[int, int] | None = None  # height, width asked for
    channels: int | None = None
    download: bool = False
    time_limit: float = 600.0  # seconds for fetching
    holdout: float = 0.1  # share held out where the data has no test set of its own
    progress: Callable[[str, int, int], None] = field(default=lambda _what, _done, _all: None)
    note: Callable[[str], None] = field(default=lambda _text: None)


@dataclass(frozen=True)
class Split:
    """What a source gives: the images to train on, and those held out to judge by."""

    train: Arrays
    test: Arrays
    measure: Callable[[np.ndarray], np.ndarray] | None = (
        None  # uint8 [N, C, H, W] -> attributes [N, A], as the arrays hold them
    )


class Source(Part, ABC):
    """Where images come from."""

    kind: ClassVar[str] = "data"
    features: ClassVar[str] = "auto"  # the feature net that suits these images

    @abstractmethod
    def read(self, how: Reading) -> Split:
        """Raises DataError with the remedy if the data is missing or broken."""

    @classmethod
    def claims(cls, path: Path) -> bool:  # noqa: ARG003
        """Whether this source reads what lies at a path (folder, .zip, .npz); it then has a field `path`."""
        return False
