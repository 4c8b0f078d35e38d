"""Which images are held out as validation and test set, where a data set has no such parts of its own.

`order` puts the images in a fixed shuffled order in which every run of neighbors has about the classes' proportions; the test
set is the last part, the validation set the part before it. The order depends on the number of images and their labels alone, so a
share is part of any larger share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gancli.core.data import D, Split
from gancli.data import cache
from gancli.data.images import ImageDataset

if TYPE_CHECKING:
    from gancli.core.data import Reading
    from gancli.data.labels import Known

MOST = 10_000  # images in each part that is held out
LEAST = 100  # images of a validation set, where there are MANY
MANY = 2_000


def order(n: int, labels: np.ndarray | None = None) -> np.ndarray:
    """The indices 0 .. n - 1, shuffled, the classes evenly spread.

    Args:
        n: how many.
        labels: int64 [n]; not given: all are of one class.

    Returns:
        int64 [n].
    """
    chance = _mixed(n)
    if labels is None:
        return np.argsort(chance, kind="stable")
    by_class = np.lexsort((chance, labels))
    _, first, count = np.unique(labels[by_class], return_index=True, return_counts=True)
    place = np.empty(n)
    place[by_class] = (np.arange(n) - np.repeat(first, count) + 0.5) / np.repeat(count, count)
    return np.lexsort((chance, place))


def held_out(n: int, share: float) -> int:
    """How many of n images are held out for a share: at least 1 and at most 10,000 if it is not 0, never all."""
    return 0 if share <= 0 else min(n - 1, MOST, max(1, round(share * n)))


def validation_size(n: int, share: float) -> int:
    """How many of n training images are held out for validation: as `held_out`, and at least 100 where there are 2,000."""
    return max(held_out(n, share), LEAST if share > 0 and n >= MANY else 0)


def with_validation(split: Split[D], how: Reading) -> Split[D]:
    """Hold a validation set out of the training set, the classes in proportion, where there is none.

    Args:
        split: as the source gave it.
        how: its `validation` is the share that is held out; its cache holds copies that are too large for memory.

    Returns:
        Training and validation set in the order that they were in; the same split where it has a validation set, or gets none.
    """
    train = split.train
    n = validation_size(len(train), how.validation)
    if len(split.validation) or not n:
        return split
    by = order(len(train), train.strata)
    say(how, n, len(train))
    return Split(train.take(np.sort(by[:-n]), how), split.test, train.take(np.sort(by[-n:]), how))


def say(how: Reading, n: int, total: int) -> None:
    """Note that n of the images are the validation set."""
    how.note(f"held out as the validation set: {n:,} of {total:,}")


def key(by: np.ndarray) -> str:
    """What of an order, which depends on the labels, goes into the key of images that are kept in it."""
    return cache.digest(by.astype("<i8"))


def shuffled_split(train: D, how: Reading) -> tuple[D, D]:
    """Training and validation set of data whose order is random already: the last part is held out; slices, no copies."""
    n = validation_size(len(train), how.validation)
    if n:
        say(how, n, len(train))
    kept = len(train) - n
    return train.take(slice(0, kept)), train.take(slice(kept, kept + n))


def arranged(n: int, labels: np.ndarray | None = None, parts: np.ndarray | None = None) -> np.ndarray:
    """The indices 0 .. n - 1 in the order in which images of a file or folder are kept.

    It depends on the images of each class in their order, and not on how the classes are mixed, so that folders of classes, tables and
    arrays of the same images give the same data.

    Args:
        n: how many.
        labels: int64 [n]; not given: all are of one class.
        parts: int64 [n], 0 training, 1 validation, 2 test; not given: all are of one part.

    Returns:
        int64 [n]: the training, the validation, the test set, each in the order of `order`.
    """
    found = []
    for part in (0, 1, 2):
        index = np.arange(n) if parts is None else np.flatnonzero(parts == part)
        if parts is None and part:
            break
        if labels is not None:
            index = index[np.argsort(labels[index], kind="stable")]
        found.append(index[order(len(index), None if labels is None else labels[index])])
    return np.concatenate(found)


def split(images: np.ndarray, known: Known, by: np.ndarray, how: Reading) -> Split[ImageDataset]:
    """Training, validation and test set; slices, no copies. What the data have no part for is held out of the training set.

    Args:
        images: uint8 [N, C, H, W], in the order `by`.
        known: beside the images; not yet in that order.
        by: int64 [N], as `arranged` gives it.
        how: its `holdout` and `validation` are the shares that are held out.
    """
    known = known.take(by)
    everything = ImageDataset(images, known.labels, known.attributes, known.classes, known.attribute_names)
    parts = np.zeros(len(images), np.int64) if known.parts is None else known.parts
    n, of_validation = int((parts == 0).sum()), int((parts == 1).sum())
    rest, kept = everything.take(slice(n, None)), n
    if len(rest) > of_validation:
        test = rest.take(slice(of_validation, None))
    else:
        kept = n - held_out(n, how.holdout)
        test = everything.take(slice(kept, n))
        if how.holdout > 0 and kept == n:
            how.note(f"{n} image: none is held out")
    train = everything.take(slice(0, kept))
    if of_validation:
        return Split(train, test, rest.take(slice(0, of_validation)))
    train, validation = shuffled_split(train, how)
    return Split(train, test, validation)


def _mixed(n: int) -> np.ndarray:
    """SplitMix64 of 0 .. n - 1: the same numbers in every version of numpy."""
    x = np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
