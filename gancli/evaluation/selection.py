"""Which features suit which data, and which images are looked at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gancli.core.data import Dataset
from gancli.core.registry import build
from gancli.core.samples import Samples
from gancli.core.seeds import derive
from gancli.data.images import ImageDataset
from gancli.evaluation.contracts import Features

CLASSIFIED = 16  # images at once while training: maps of 64 would take 30 MB
LABELLED = 500  # images from which on a classifier of the data's own is worth training


def choose_features(source_features: str, train: ImageDataset) -> Features:
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


def classifier(
    name: str, train: Dataset, cache_dir: Path, device: torch.device
) -> Callable[[Samples], np.ndarray] | None:
    """Samples to labels int64 [N], where a source names features that know its classes; else None.

    Args:
        name: of the features; "auto" names none.
        train: the data, with its classes.
        cache_dir: where the features keep what they make.
        device: of the net.
    """
    if name == "auto" or not isinstance(train, ImageDataset) or train.labels is None:
        return None
    net = features_part(name).prepare(train, cache_dir, device)
    if not net.columns or net.columns != train.classes:
        return None

    def classify(samples: Samples) -> np.ndarray:
        images = samples.arrays()["images"].transpose(0, 3, 1, 2)
        parts = [net(images[i : i + CLASSIFIED]).probabilities for i in range(0, len(images), CLASSIFIED)]
        return np.concatenate([p.argmax(1) for p in parts if p is not None])

    return classify
