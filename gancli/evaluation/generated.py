"""Samples to evaluate: where they come from, and whether they can be compared with data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gancli.core.data import Dataset
from gancli.core.errors import DataError
from gancli.core.samples import Samples
from gancli.evaluation.contracts import SampleSet, classes_of
from gancli.inference.stream import Stream


@dataclass(frozen=True)
class Generated:
    """Samples to evaluate, and where they come from."""

    samples: Samples | Stream
    description: Mapping[str, Any] = field(default_factory=dict)  # run, checkpoint, averaged or raw weights, seeds, ...
    paired: bool = False  # sample i belongs to datum i of the set that it is compared with
    names: tuple[str, ...] = ()  # of the samples, where they are files

    def named(self, some: SampleSet[Any]) -> tuple[str, ...]:
        """What some of the samples are called: their files, else their seeds, else their numbers."""
        seed = self.description.get("seed")
        first = seed if isinstance(seed, int) and not self.paired else 0
        numbers = map(some.original, range(len(some)))
        return tuple(self.names[i] if self.names else str(first + i) for i in numbers)

    @property
    def labels(self) -> np.ndarray | None:
        """The labels asked for, int64 [N], of a conditional generator."""
        return getattr(self.samples, "labels", None)

    @property
    def attributes(self) -> np.ndarray | None:
        """The attributes asked for, float32 [N, A]."""
        return getattr(self.samples, "attributes", None)

    def check(self, data: Dataset) -> None:
        """Raises DataError if there are fewer than two, or labels or attributes are not such as the data have."""
        n, labels, attributes = len(self.samples), self.labels, self.attributes
        if n < 2:
            raise DataError("there is one sample only" if n else "there are no samples", "take more (--n)")
        if labels is not None and len(labels) != n:
            raise DataError(f"{len(labels)} labels for {n} samples")
        if labels is not None and (labels.min() < 0 or labels.max() >= max(1, len(classes_of(data)))):
            raise DataError("labels of the samples are not classes of the data")
        wanted = (n, len(getattr(data, "attribute_names", ())))
        if attributes is not None and attributes.shape != wanted:
            raise DataError(f"attributes of the samples are {attributes.shape}, the data's {wanted}")


def check_alike(samples: Samples, real: Samples) -> None:
    """Raises DataError if samples hold numbers that are none, or samples of the reals' type are not as large as these."""
    wanted = real.pack() if type(samples) is type(real) else {}
    for key, array in samples.pack().items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise DataError(f"samples: {key} hold NaN or infinite values", "take an earlier checkpoint (--step)")
        other = wanted.get(key, array)
        if (array.shape[1:], array.dtype) != (other.shape[1:], other.dtype):
            sizes = [f"{a.dtype} {'x'.join(map(str, a.shape[1:]))}" for a in (array, other)]
            raise DataError(f"samples are {sizes[0]}, the data's {key} {sizes[1]}", "compare samples of the same size")
