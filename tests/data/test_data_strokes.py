"""What is measured of a character."""

from __future__ import annotations

import numpy as np
import pytest

from gancli.core.data import Reading
from gancli.data.strokes import measure
from tests.data.conftest import put, source


def bar(thickness: int, lean: float = 0.0, height: int = 20) -> np.ndarray:
    image = np.zeros((28, 28), np.uint8)
    for y in range(4, 4 + height):
        x = 14 - round(lean * (y - 14)) - thickness // 2
        image[y, x : x + thickness] = 255
    return image


def test_measures_of_bars() -> None:
    got = measure(np.stack([bar(2), bar(4), bar(2, lean=0.3), bar(2, lean=-0.3), np.zeros((28, 28), np.uint8)]))
    assert got.dtype == np.float32
    assert got[0, 0] == pytest.approx(2, rel=0.15)
    assert got[1, 0] == pytest.approx(4, rel=0.25)
    assert got[:2, 1] == pytest.approx([0, 0], abs=1e-3)
    assert got[2:4, 1] == pytest.approx([0.3, -0.3], abs=0.03)
    assert got[:2, 2].tolist() == [2, 4]
    assert got[4].tolist() == [0, 0, 0]


def test_mnist_attributes_are_standardized(how: Reading) -> None:
    put("mnist", how, n=50)
    split = source("mnist", attributes=True).read(how)
    assert split.train.attribute_names == ("thickness", "slant", "width")
    assert split.train.attributes is not None
    assert split.train.attributes.dtype == np.float32
    assert split.train.attributes[:, :2].mean(axis=0) == pytest.approx([0, 0], abs=1e-5)
    assert split.train.attributes[:, :2].std(axis=0) == pytest.approx([1, 1], abs=1e-4)
    assert split.test.attributes is not None
    assert np.allclose(split.test.attributes, split.train.attributes[:10], atol=1e-3)
