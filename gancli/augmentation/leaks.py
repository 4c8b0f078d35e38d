"""Leaks: images that are in two parts of the data, and what a generator or a classifier must not have been trained on."""

from __future__ import annotations

import hashlib

import numpy as np

from gancli.augmentation.contracts import Pool
from gancli.core.errors import DataError

SHARE = 0.01  # of the test images: from here on it is no accident that the generator was trained on them


def digests(images: np.ndarray) -> np.ndarray:
    """A digest of the pixels of each image, [N]."""
    return np.array(
        [hashlib.blake2b(np.ascontiguousarray(image).tobytes(), digest_size=16).hexdigest() for image in images]
    )


def without(pool: Pool, *others: np.ndarray) -> tuple[Pool, int]:
    """The images of a pool that are in none of other parts, by their digests, and how many are."""
    if not len(pool):
        return pool, 0
    twice = np.isin(digests(pool.images), np.concatenate(others))
    return (pool.take(~twice), int(twice.sum())) if twice.any() else (pool, 0)


def unseen(test: Pool, trained: np.ndarray, run: str) -> Pool:
    """The test images that a generator was not trained on.

    Args:
        test: test images.
        trained: digests of the training images of the generator.
        run: its name.

    Raises:
        DataError: more than 1 % of the test images are among its training images.
    """
    rest, seen = without(test, trained)
    if seen > SHARE * len(test):
        raise DataError(
            f"{seen:,} of {len(test):,} test images are training images of {run}: a gain measured on them would be a leak",
            "split the data first, then train on the training part alone",
        )
    return rest
