"""`fashion-mnist`: 70,000 pictures of clothes, 28x28 grayscale (1708.07747), 10,000 of them the test set."""

from __future__ import annotations

from typing import ClassVar

from gancli.data.idx import Idx


class FashionMNIST(Idx):
    name = "fashion-mnist"
    folder: ClassVar[str] = "FashionMNIST/raw"
    table: ClassVar[str] = "FashionMNIST"
    classes: ClassVar[tuple[str, ...]] = (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    )
