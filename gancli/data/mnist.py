"""`mnist`: 70,000 handwritten digits, 28x28 grayscale (LeCun, Bottou, Bengio and Haffner 1998), 10,000 of them the test set."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
from pydantic import Field

from gancli.core.data import Reading, Split
from gancli.data.idx import Idx
from gancli.data.images import ImageDataset
from gancli.data.strokes import NAMES, measure, standardized


class MNIST(Idx):
    name = "mnist"
    features: ClassVar[str] = "digits-v1"
    folder: ClassVar[str] = "MNIST/raw"
    table: ClassVar[str] = "MNIST"
    attributes: bool = Field(False, description="measure thickness, slant and width of each digit as attributes")

    def read(self, how: Reading) -> Split[ImageDataset]:
        train, test = self.parts(how)
        if not self.attributes:
            return Split(train, test)
        like, of_test = measure(train.images[:, 0]), measure(test.images[:, 0])

        def measured(images: np.ndarray) -> np.ndarray:
            return standardized(measure(images[:, 0]), like)

        return Split(
            replace(train, attributes=standardized(like, like), attribute_names=NAMES, measure=measured),
            replace(test, attributes=standardized(of_test, like), attribute_names=NAMES, measure=measured),
        )
