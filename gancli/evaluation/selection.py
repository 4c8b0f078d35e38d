"""Which features suit which data, and which images are looked at."""

from __future__ import annotations

from typing import Any

import numpy as np

from gancli.core.data import Arrays
from gancli.core.registry import build
from gancli.core.seeds import derive
from gancli.evaluation.contracts import Features

LABELLED = 500  # images from which on a classifier of the data's own is worth training


def choose_features(source_features: str, train: Arrays) -> Features:
    """The features that suit the data: those its source names; else a classifier on its labels; else random convolutions."""
    if source_features != "auto":
        return features_part(source_features)
    labels = train.labels
    if labels is not None and len(labels) >= LABELLED and len(np.unique(labels)) >= 2:
        return features_part("classifier")
    return features_part("random-conv")


def features_part(value: Any) -> Features:
    """A part of the kind from its name, a table, or itself. Raises UsageError with the nearest names."""
    part = build("features", value)
    assert isinstance(part, Features)
    return part


def subset(n: int, most: int, *seed: int | str) -> np.ndarray:
    """Indices, sorted, of at most `most` of n images."""
    if n <= most:
        return np.arange(n)
    chosen = np.random.Generator(np.random.PCG64(derive(*seed))).permutation(n)[:most]
    return np.sort(chosen)
