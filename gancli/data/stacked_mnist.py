"""`stacked-mnist`: three MNIST digits as the red, green and blue of one image: 1,000 classes (1611.02163, section 3.3.1).

Which digits is a function of the seed. The class is 100 r + 10 g + b. Training images are stacked of MNIST's training set, test images of
its test set. The stack is kept in the cache, memory-mapped when large.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from pydantic import Field

from gancli.core.data import Reading, Source, Split
from gancli.core.seeds import generator
from gancli.data import cache, holdout
from gancli.data.images import ImageDataset
from gancli.data.mnist import MNIST


class StackedMNIST(Source):
    name = "stacked-mnist"
    features: ClassVar[str] = "digits-v1"
    classes: ClassVar[tuple[str, ...]] = tuple(f"{i:03}" for i in range(1000))
    n: int = Field(128_000, ge=1, le=100_000_000, description="training images")
    n_test: int = Field(26_000, ge=0, le=100_000_000, description="test images")
    seed: int = Field(0, ge=0, description="of the choice of digits")

    def read(self, how: Reading) -> Split[ImageDataset]:
        """The stacks; the last of the training images are the validation set, as all are drawn at random.

        Raises:
            DataError: as `mnist`.
        """
        mnist = MNIST().read(how)
        drawn = self._drawn("train", self.n, mnist.train), self._drawn("test", self.n_test, mnist.test)
        made_of = [cache.digest(part.images) for part in (mnist.train, mnist.test)]
        key = cache.key_of("stacked-mnist", 1, made_of, self.n, self.n_test, self.seed)

        def fill(out: np.ndarray) -> None:
            _stack(mnist.train.images, drawn[0], out[: self.n])
            _stack(mnist.test.images, drawn[1], out[self.n :])

        h, w = mnist.train.images.shape[2:]
        images = cache.array(how, key, (self.n + self.n_test, 3, h, w), fill)
        labels = self._labels(drawn[0], mnist.train), self._labels(drawn[1], mnist.test)
        whole = ImageDataset(images[: self.n], labels[0], classes=self.classes)
        train, validation = holdout.shuffled_split(whole, how)
        return Split(train, ImageDataset(images[self.n :], labels[1], classes=self.classes), validation)

    def _drawn(self, part: str, n: int, digits: ImageDataset) -> np.ndarray:
        """Which three digits: int64 [n, 3]."""
        random = generator("stacked-mnist", part, self.seed)
        drawn: np.ndarray = torch.randint(len(digits.images), (n, 3), generator=random).numpy()
        return drawn

    def _labels(self, drawn: np.ndarray, digits: ImageDataset) -> np.ndarray:
        assert digits.labels is not None
        return np.asarray(digits.labels[drawn] @ np.array([100, 10, 1]), np.int64)


def _stack(digits: np.ndarray, drawn: np.ndarray, out: np.ndarray) -> None:
    for start, part in cache.blocks(out):
        part[:] = digits[drawn[start : start + len(part)], 0]
