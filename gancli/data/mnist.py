"""`mnist`: 70,000 handwritten digits, 28x28 grey (LeCun, Bottou, Bengio and Haffner 1998), 10,000 of them the test set."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from pydantic import Field

from gancli.core.data import Reading, Split
from gancli.data.idx import Idx
from gancli.data.strokes import NAMES, measure, standardized


class MNIST(Idx):
    name = "mnist"
    features: ClassVar[str] = "digits-v1"
    folder: ClassVar[str] = "MNIST/raw"
    table: ClassVar[str] = "MNIST"
    attributes: bool = Field(False, description="measure thickness, slant and width of each digit as attributes")

    def read(self, how: Reading) -> Split:
        split = super().read(how)
        if not self.attributes:
            return split
        like = measure(split.train.images[:, 0])
        of_test = measure(split.test.images[:, 0])
        train = replace(split.train, attributes=standardized(like, like), attribute_names=NAMES)
        test = replace(split.test, attributes=standardized(of_test, like), attribute_names=NAMES)
        return Split(train, test, lambda images: standardized(measure(images[:, 0]), like))
