"""Small sets of images to evaluate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gancli.core.data import Reading, Split
from gancli.data.digits import Digits
from gancli.data.images import ImageDataset


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def digits(cache: Path) -> Split:
    """scikit-learn's 1,797 digits."""
    return Digits().read(Reading(data_dir=cache, cache_dir=cache, validation=0.0))


def blobs(n: int, seed: int, channels: int = 3, classes: int = 3) -> ImageDataset:
    """Labelled pictures [n, channels, 12, 12]: a bright patch whose place is the class, on noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    images = rng.integers(0, 90, (n, channels, 12, 12))
    for c in range(classes):
        images[labels == c, :, 4 * c : 4 * c + 4, 2:9] += rng.integers(80, 160)
    names = tuple(f"patch {c}" for c in range(classes))
    return ImageDataset(images.astype(np.uint8), labels.astype(np.int64), classes=names)


@pytest.fixture(scope="session")
def pictures() -> Split:
    return Split(blobs(600, 1), blobs(200, 2))
