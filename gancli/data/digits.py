"""`digits`: 1,797 real handwritten digits, 8x8 grey, that come with scikit-learn (Alpaydin and Kaynak 1998).

Every fifth image (index i with i % 5 == 4) is held out.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from gancli.core.data import Arrays, Reading, Source, Split


class Digits(Source):
    name = "digits"
    features: ClassVar[str] = "digits-v1"

    def read(self, how: Reading) -> Split:  # noqa: ARG002
        from sklearn.datasets import load_digits

        raw = load_digits()
        images = np.round(raw.images * (255 / 16)).astype(np.uint8)[:, None]  # 0..16 -> 0..255
        everything = Arrays(images, raw.target.astype(np.int64), classes=tuple("0123456789"))
        held = np.arange(len(images)) % 5 == 4
        return Split(everything.take(~held), everything.take(held))
