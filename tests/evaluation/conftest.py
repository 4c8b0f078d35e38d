"""Small sets of images to evaluate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gancli.core import registry
from gancli.core.data import Reading, Split
from gancli.core.images import ImageSamples
from gancli.data.digits import Digits
from gancli.data.images import ImageDataset
from gancli.evaluation.evaluator import evaluate
from gancli.evaluation.generated import Generated
from gancli.evaluation.results import Evaluation


@pytest.fixture(autouse=True)
def metrics_of_a_test_end_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry._parts, "metric", dict(registry.parts("metric")))


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


def of(images: np.ndarray, labels: np.ndarray | None = None, attributes: np.ndarray | None = None) -> Generated:
    return Generated(ImageSamples(images, labels, attributes))


def images_of(generated: Generated) -> np.ndarray:
    assert isinstance(generated.samples, ImageSamples)
    return generated.samples.images


@pytest.fixture(scope="session")
def fakes(digits: Split) -> Generated:
    """300 training images, a tenth of them as they are and the rest with some noise."""
    rng = np.random.default_rng(0)
    images = (
        digits.train.images[:300] + rng.integers(0, 40, (300, 1, 8, 8)) * (np.arange(300) >= 30)[:, None, None, None]
    )
    assert digits.train.labels is not None
    samples = ImageSamples(np.clip(images, 0, 255).astype(np.uint8), digits.train.labels[:300])
    return Generated(samples, {"run": "test", "weights": "averaged"})


@pytest.fixture(scope="session")
def found(digits: Split, fakes: Generated, cache: Path) -> Evaluation:
    return evaluate(fakes, digits, "digits-v1", cache_dir=cache)
