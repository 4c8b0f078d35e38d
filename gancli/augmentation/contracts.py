"""The contracts of a study: images (`Pool`, `Material`), ways to train on them (`Arm`), and what is trained (`Classifier`).

An arm is a stream of batches, pure in (seed, position). All arms of a study train the same classifier from the same initial
weights with the same number of batches of the same size.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from gancli.augmentation.changes import Changes
from gancli.core.registry import Part
from gancli.core.window import Window
from gancli.data import cache

Role = Literal["cheap", "generated", "ceiling", "other"]
Predict = Callable[[np.ndarray], np.ndarray]  # uint8 [n, C, H, W] -> probabilities float32 [n, K]


@dataclass(frozen=True)
class Pool:
    """Labeled images."""

    images: np.ndarray  # uint8 [N, C, H, W]
    labels: np.ndarray  # int64 [N]
    classes: int  # K

    def __len__(self) -> int:
        return len(self.images)

    @cached_property
    def members(self) -> list[Tensor]:
        """The indices int64 [n_k] of the images of each of K classes."""
        return [torch.from_numpy(np.flatnonzero(self.labels == k)) for k in range(self.classes)]

    @cached_property
    def counts(self) -> np.ndarray:
        """The number of images of each class, int64 [K]."""
        return np.bincount(self.labels, minlength=self.classes)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of images and labels."""
        return cache.fingerprint(self.images.shape, np.ascontiguousarray(self.images), self.labels)

    def take(self, index: np.ndarray) -> Pool:
        """Some of the images; indices int64 [n], or a mask bool [N]."""
        return Pool(self.images[index], self.labels[index], self.classes)

    def pictures(self, index: Tensor) -> Tensor:
        """float32 [n, C, H, W] in [-1, 1] of indices int64 [n]."""
        return torch.from_numpy(self.images[index.numpy()]).to(torch.float32).mul_(2 / 255).sub_(1)

    def targets(self, index: Tensor) -> Tensor:
        """One-hot labels float32 [n, K] of indices int64 [n]."""
        return torch.nn.functional.one_hot(torch.from_numpy(self.labels)[index], self.classes).float()

    @staticmethod
    def joined(parts: list[Pool]) -> Pool:
        """All images of several pools."""
        images, labels = (np.concatenate([getattr(part, name) for part in parts]) for name in ("images", "labels"))
        return Pool(images, labels, parts[0].classes)


@dataclass(frozen=True)
class Material:
    """What arms draw from."""

    real: Pool  # the training set
    generated: Pool | None = None  # new images of classes that lack some, after filters
    alone: Pool | None = None  # generated images of all classes, unfiltered
    more: Pool | None = None  # further real images
    ratio: float = 1.0  # generated images per real one in a batch, of the classes that have any
    changes: Changes = Changes()  # noqa: RUF009 - frozen; the classical augmentation
    known: dict[str, object] = field(default_factory=dict, compare=False)  # what arms compute once


@dataclass(frozen=True)
class Rows:
    """A batch for a classifier."""

    images: Tensor  # float32 [n, C, H, W] in [-1, 1]
    targets: Tensor  # class probabilities float32 [n, K]
    weights: Tensor | None = None  # of the loss, float32 [n]; None: 1


class Arm(Part, ABC):
    """A way to train a classifier.

    Attributes:
        title: in tables.
        place: position in tables.
        role: "cheap": needs no generator, is what generated images compete with; "generated": uses them; "ceiling": uses
            further real images; "other".
        verdict: whether the verdict is about this arm.
        mixed: whether its targets mix classes, which needs a classifier that takes them.
        weighted: whether its rows have weights.
        otherwise: the arm that it is where a fold has no image that it could add; empty: then it is left out.
    """

    kind: ClassVar[str] = "arm"
    title: ClassVar[str]
    place: ClassVar[int]
    role: ClassVar[Role] = "cheap"
    verdict: ClassVar[bool] = False
    mixed: ClassVar[bool] = False
    weighted: ClassVar[bool] = False
    otherwise: ClassVar[str] = ""

    def objection(self, material: Material) -> str:  # noqa: ARG002
        """Why this arm is not available; empty if it is."""
        return ""

    def options(self, material: Material) -> Mapping[str, object]:  # noqa: ARG002
        """What its batches depend on beside the real images, as JSON values: results are kept under these."""
        return {}

    @abstractmethod
    def batch(self, material: Material, window: Window) -> Rows:
        """A batch.

        Args:
            material: the images.
            window: position and random numbers; nothing else may be random.

        Returns:
            `window.rows` rows.
        """


@dataclass(frozen=True)
class Lesson:
    """What a classifier is trained on."""

    batch: Callable[[int, int], Rows]  # position in the stream, rows -> the batch
    shape: tuple[int, int, int]  # channels, height, width
    classes: int
    seed: int  # of the weights


class Classifier(Part, ABC):
    """What is trained in each arm.

    Attributes:
        takes_mixed: whether it takes targets that mix classes.
    """

    kind: ClassVar[str] = "classifier"
    takes_mixed: ClassVar[bool] = True

    @property
    def takes_weights(self) -> bool:
        """Whether it takes weights of rows."""
        return True

    @property
    def identity(self) -> Mapping[str, object]:
        """What its results depend on, as JSON values."""
        return self.model_dump(mode="json")

    def check(self) -> None:
        """Raise UsageError if it cannot be made; called before anything is computed."""

    @abstractmethod
    def fit(self, lesson: Lesson) -> Predict:
        """Train; a function of the lesson.

        Args:
            lesson: batches, sizes, and the seed of the weights.

        Returns:
            A function that gives class probabilities of images.

        Raises:
            DataError: there is nothing to train on.
        """
