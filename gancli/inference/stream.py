"""Samples that are made as they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from gancli.core.samples import Ask, Samples
from gancli.inference.generator import Model


@dataclass(frozen=True)
class Stream:
    """Samples that a model makes as they are read, chunk by chunk; each reading makes the same ones."""

    model: Model
    ask: Ask
    progress: Callable[[int], None] | None = None

    def __len__(self) -> int:
        return len(self.ask)

    def __iter__(self) -> Iterator[Samples]:
        return self.model.stream(self.ask, self.progress)

    def take(self, index: np.ndarray) -> Stream:
        """Some of the samples, in this order."""
        return replace(self, ask=self.ask.rows(index.tolist()))

    @property
    def labels(self) -> np.ndarray | None:
        """The labels asked for, int64 [N], if any."""
        return labels_of(self.ask)

    @property
    def attributes(self) -> np.ndarray | None:
        """The attributes asked for, float32 [N, A], if any."""
        return attributes_of(self.ask)


def labels_of(ask: Ask) -> np.ndarray | None:
    """The labels asked for, int64 [N], if any."""
    labels = getattr(ask, "labels", None)
    return None if labels is None else np.array(labels, np.int64)


def attributes_of(ask: Ask) -> np.ndarray | None:
    """The attributes asked for, float32 [N, A], if any."""
    return getattr(ask, "attributes", None)
