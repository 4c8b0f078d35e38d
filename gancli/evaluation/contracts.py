"""What this room's parts say to one another: features -> statistics -> number.

`Features` turns images into vectors (and class probabilities), `Metric` turns a `Subject` (held-out reals, fakes, training
images) into named `Score`s. The mathematics of each metric are plain functions of raw float64 features in its own file.
Images are uint8 [N, C, H, W], as saved; features are [N, d]; probabilities are [N, K].
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

import numpy as np
import torch
from torch import Tensor

from gancli.core.errors import DataError
from gancli.core.registry import Part
from gancli.data.images import ImageDataset

Progress = Callable[[str, int, int], None]  # what, done, all
T = TypeVar("T")
BATCH = 64  # images per pass of a feature net; fixed, so that the arithmetic does not depend on the machine


def silent(_what: str, _done: int, _all: int) -> None:
    """A progress callback that shows nothing."""


@dataclass(frozen=True)
class Extracted:
    """What a feature net says of N images."""

    features: np.ndarray  # float32 [N, d]
    probabilities: np.ndarray | None = None  # float32 [N, K], rows sum to 1; None if the net is no classifier


@dataclass(frozen=True)
class Extractor:
    """A frozen feature net, ready to use."""

    label: str  # the name that scores carry: fid@label
    hash: str  # sha256 of the weights (or of the recipe that makes them)
    rule: str  # how images are resized and quantized before the net sees them
    forward: Callable[[Tensor], tuple[Tensor, Tensor | None]]  # uint8 [n, C, H, W] -> features [n, d], probabilities
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    columns: tuple[
        str, ...
    ] = ()  # what the columns of the probabilities are called; empty: they are no classes of the data

    def __call__(self, images: np.ndarray, progress: Progress = silent, what: str = "features") -> Extracted:
        """Features of uint8 images [N, C, H, W], in batches. Raises DataError if they are no such thing or not finite."""
        check_images(images, what)
        features, probabilities = [], []
        with torch.inference_mode():
            for start in range(0, len(images), BATCH):
                batch = torch.from_numpy(np.ascontiguousarray(images[start : start + BATCH]))
                f, p = self.forward(batch.to(self.device))
                features.append(f.float().cpu())
                if p is not None:
                    probabilities.append(p.float().cpu())
                progress(what, min(start + BATCH, len(images)), len(images))
        out = torch.cat(features)
        if not bool(torch.isfinite(out).all()):
            raise DataError(
                f"features {self.label} of {what} are not finite", "check the images, or choose other features"
            )
        return Extracted(out.numpy(), torch.cat(probabilities).numpy() if probabilities else None)


def check_images(images: np.ndarray, what: str) -> None:
    """Raises DataError unless `images` is a non-empty uint8 array [N, C, H, W]."""
    if images.ndim != 4 or images.dtype != np.uint8:
        if images.dtype.kind == "f" and not np.isfinite(images).all():
            raise DataError(
                f"{what}: images hold NaN or infinite values", "the generator has diverged or the file is broken"
            )
        raise DataError(
            f"{what}: images are {images.dtype} {list(images.shape)}",
            "they must be uint8 [N, C, H, W] (see `gancli.evaluation.evaluator.quantize`)",
        )
    if not len(images):
        raise DataError(f"{what}: there are no images")


class Features(Part, ABC):
    """A way to turn images into vectors. A plugin for any torch module is a subclass whose `prepare` returns an Extractor."""

    kind: ClassVar[str] = "features"

    @abstractmethod
    def prepare(
        self, train: ImageDataset, cache_dir: Path, device: torch.device, progress: Progress = silent
    ) -> Extractor:
        """The frozen net. May learn from the training images once and keep the weights under `cache_dir`.

        Raises CheckpointError on weights that are not the pinned ones, UsageError if the net does not suit the data.
        """


@dataclass(frozen=True)
class Score:
    """A number with what belongs beside it."""

    value: float
    meaning: str  # one line of plain words
    better: Literal["lower", "higher", "floor"] = "lower"  # "floor": the nearer to what reals get, the better
    error: float | None = None  # standard error
    how: str = ""  # where the error comes from
    floor: float | None = None  # what real images of the same number get
    floor_error: float | None = None
    detail: Mapping[str, float] = field(default_factory=dict)  # by class, by size, ...
    floor_detail: Mapping[str, float] = field(default_factory=dict)  # the same of the reals

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 %: value +- 1.96 standard errors."""
        if self.error is None or not math.isfinite(self.error):
            return None
        return self.value - 1.96 * self.error, self.value + 1.96 * self.error

    def with_floor(self, other: Score) -> Score:
        """The same with the reals' score as its floor."""
        return replace(self, floor=other.value, floor_error=other.error, floor_detail=other.detail)


class Side:
    """One set of images, and what is computed of it when somebody asks."""

    def __init__(
        self,
        name: str,
        images: np.ndarray,  # uint8 [N, C, H, W]
        labels: np.ndarray | None,  # int64 [N]
        extract: Callable[[np.ndarray, str], Extracted],
        index: np.ndarray | None = None,  # int64 [N]: where the images stand in the whole set, if they are some of it
        attributes: np.ndarray | None = None,  # float32 [N, A]
    ) -> None:
        self.attributes = attributes
        self.name, self.images, self.labels, self._extract, self._index = name, images, labels, extract, index

    def __len__(self) -> int:
        return len(self.images)

    def original(self, i: int) -> int:
        """The number in the whole set of this side's i-th image."""
        return i if self._index is None else int(self._index[i])

    @cached_property
    def extracted(self) -> Extracted:
        return self._extract(self.images, self.name)

    @cached_property
    def features(self) -> np.ndarray:
        """float64 [N, d]."""
        return self.extracted.features.astype(np.float64)

    @property
    def probabilities(self) -> np.ndarray | None:
        """float32 [N, K], or None where the features are no classifier."""
        return self.extracted.probabilities

    @property
    def predicted(self) -> np.ndarray | None:
        """int64 [N]: the class that the features' classifier says, or None."""
        p = self.probabilities
        return None if p is None else p.argmax(1)


class Subject:
    """What is judged: fakes against held-out reals, with the training images beside them."""

    def __init__(
        self,
        real: Side,
        fake: Side,
        train: Side,
        *,
        classes: tuple[str, ...] = (),  # the data's, by label
        columns: tuple[str, ...] = (),  # the classifier's, by column
        seed: int = 0,
        reals_memo: dict[str, Any] | None = None,  # shared between subjects of the same reals
        attribute_names: tuple[str, ...] = (),
        measure: Callable[[np.ndarray], np.ndarray] | None = None,  # uint8 [N, C, H, W] -> attributes [N, A]
    ) -> None:
        self.attribute_names, self.measure = attribute_names, measure
        self.real, self.fake, self.train = real, fake, train
        self.classes, self.columns, self.seed = classes, columns, seed
        self.reals_memo: dict[str, Any] = {} if reals_memo is None else reals_memo
        self._memo: dict[str, Any] = {}

    def shared(self, key: str, make: Callable[[], T]) -> T:
        """`make()`, once for all metrics that ask under this key."""
        if key not in self._memo:
            self._memo[key] = make()
        found: T = self._memo[key]
        return found

    def shared_by_reals(self, key: str, make: Callable[[], T]) -> T:
        """As `shared`, for what depends on the real and training images alone."""
        if key not in self.reals_memo:
            self.reals_memo[key] = make()
        found: T = self.reals_memo[key]
        return found


class Metric(Part, ABC):
    """Subject -> scores by name."""

    kind: ClassVar[str] = "metric"
    gives: ClassVar[tuple[str, ...]]  # the names of its scores
    space: ClassVar[Literal["features", "pixels", "both"]] = "features"  # what a score's name carries after the @
    floor: ClassVar[Literal["train", "own"]] = "train"  # training images scored as if they were fakes; or its own way

    def objection(self, subject: Subject) -> str:  # noqa: ARG002
        """Why this metric cannot be had for the subject; empty if it can."""
        return ""

    @abstractmethod
    def compute(self, subject: Subject) -> dict[str, Score]:
        """The scores, by the names in `gives` (of those, all that apply). Raises DataError on too few images."""


def too_few(subject: Subject, at_least: int) -> str:
    """The objection of a metric to fewer than `at_least` samples or reals; empty if there are enough."""
    few = min(len(subject.real), len(subject.fake))
    return f"fewer than {at_least} samples or reals" if few < at_least else ""


def need(n: int, at_least: int, what: str) -> None:
    """Raises DataError if there are fewer than `at_least` images."""
    if n < at_least:
        raise DataError(
            f"{what} needs at least {at_least} images, there are {n}",
            "take more samples (--n), or data with more images",
        )
