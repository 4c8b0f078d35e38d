"""Which pictures are held out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gancli.core.data import Reading
from gancli.data import holdout
from gancli.data.folder import Folder
from tests.data.conftest import Write


@pytest.mark.parametrize(
    ("n", "share", "expected"), [(10, 0.1, 1), (3, 0.01, 1), (1, 0.5, 0), (10, 0, 0), (10**6, 0.5, 10_000)]
)
def test_how_many_are_held_out(n: int, share: float, expected: int) -> None:
    assert holdout.held_out(n, share) == expected


def test_the_order_is_fixed_and_stratified() -> None:
    labels = np.repeat(np.arange(3), [70, 20, 10])
    order = holdout.order(100, labels)
    assert sorted(order.tolist()) == list(range(100))
    assert np.bincount(labels[order[-10:]], minlength=3).tolist() == [7, 2, 1]
    assert holdout.order(8).tolist() == [2, 4, 6, 5, 1, 7, 0, 3]


def test_a_smaller_share_is_part_of_a_larger_one(classes: dict[str, bytes], write: Write, how: Reading) -> None:
    source = Folder(path=str(write("pets", classes)))
    a, b = (source.read(replace(how, holdout=share)).test.images for share in (0.1, 0.3))
    assert np.array_equal(b[-len(a) :], a)
    assert len(list((how.cache_dir / "arrays").glob("*.npy"))) == 1
