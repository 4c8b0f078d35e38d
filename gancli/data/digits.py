"""`digits`: 1,797 real handwritten digits, 8x8 grayscale, that come with scikit-learn (Alpaydin and Kaynak 1998).

Every fifth image (index i with i % 5 == 4) is held out: a quarter of them (i % 20 == 4) for validation, the others are the test set.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from gancli.core.data import Reading, Source, Split
from gancli.data import holdout
from gancli.data.images import ImageDataset


class Digits(Source):
    name = "digits"
    features: ClassVar[str] = "digits-v1"

    def read(self, how: Reading) -> Split[ImageDataset]:
        from sklearn.datasets import load_digits

        raw = load_digits()
        images = np.round(raw.images * (255 / 16)).astype(np.uint8)[:, None]  # 0..16 -> 0..255
        everything = ImageDataset(images, raw.target.astype(np.int64), classes=tuple("0123456789"))
        held = np.arange(len(images)) % 5 == 4
        chosen = (np.arange(len(images)) % 20 == 4) & (how.validation > 0)
        if chosen.any():
            holdout.say(how, int(chosen.sum()), len(images))
        return Split(everything.take(~held), everything.take(held & ~chosen), everything.take(chosen))
