"""The parts of the data that a study uses: training, validation and test set without duplicates across them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gancli.augmentation.contracts import Pool
from gancli.augmentation.leaks import digests, without
from gancli.core.data import Dataset, Split
from gancli.core.errors import DataError, UsageError
from gancli.core.images import ImageSamples
from gancli.evaluation.contracts import classes_of


@dataclass(frozen=True)
class Parts:
    """Labeled images."""

    names: tuple[str, ...]  # of the classes
    real: Pool  # the training set
    validation: Pool
    test: Pool
    more: Pool | None = None  # further real images for the ceiling
    twice: tuple[str, ...] = ()  # sentences on duplicates that were left out

    @property
    def rare(self) -> int:
        """The class with the fewest training images."""
        return int(self.real.counts.argmin())


def pool(data: Dataset, classes: int) -> Pool:
    """A data set as labeled images.

    Raises:
        UsageError: it has no labels, or is no set of images.
    """
    samples = data.samples()
    if not isinstance(samples, ImageSamples) or classes < 2 or (samples.labels is None and len(samples)):
        raise UsageError(
            "the data have no classes to balance", "subfolders are classes, or labels.csv beside the images"
        )
    labels = np.zeros(0, np.int64) if samples.labels is None else samples.labels
    return Pool(samples.images, labels, classes)


def parts(split: Split[Any], more: tuple[Dataset, tuple[str, ...]] | None = None) -> Parts:
    """The parts of a split. Images of the training set are removed from validation and test set, those of the test set from the others.

    Args:
        split: of the data.
        more: further real images, with the names of their classes.

    Raises:
        UsageError: the data have no labels.
        DataError: a class has no training image, or there is no test image.
    """
    names = classes_of(split.train)
    real, validation, test = (pool(part, len(names)) for part in (split.train, split.validation, split.test))
    if not real.counts.all():
        raise DataError(
            f"class {names[int(real.counts.argmin())]} has no training image", "add some, or remove the class"
        )
    own = digests(real.images)
    test, of_test = without(test, own)
    validation, of_validation = without(validation, own, digests(test.images))
    said = []
    if of_test:
        said.append(f"{of_test:,} test images are training images, too; they are left out of the test set")
    if of_validation:
        said.append(
            f"{of_validation:,} validation images are in another part, too; they are left out of the validation set"
        )
    out = Parts(names, real, validation, test, twice=tuple(said))
    return out if more is None else _with_more(out, *more)


def _with_more(out: Parts, data: Dataset, names: tuple[str, ...]) -> Parts:
    """With further real images of the same classes, but for those that are in a part already."""
    unknown = [name for name in names if name not in out.names]
    if unknown or not names:
        raise UsageError(
            f"--more-real has {f'the class {unknown[0]}' if unknown else 'no classes'}, and the data have {', '.join(out.names[:10])}",
            "its subfolders must be called as the classes of the data",
        )
    found = pool(data, max(2, len(names)))
    table = np.array([out.names.index(name) for name in names], np.int64)
    if found.images.shape[1:] != out.real.images.shape[1:]:
        raise UsageError("--more-real has images of another size", "use images like those of the data")
    whole = Pool(found.images, table[found.labels], len(out.names))
    rest, n = without(whole, *(digests(part.images) for part in (out.real, out.validation, out.test)))
    said = f"{n:,} images of --more-real are in a part of the data, too; they are left out"
    return replace(out, more=rest, twice=(*out.twice, *([said] if n else [])))


def tested(found: Parts) -> None:
    """Raises DataError if there are no test images of a class."""
    if not found.test.counts.all():
        name = found.names[int(found.test.counts.argmin())]
        raise DataError(
            f"class {name} has no test image", "hold out more: gan train --set data.holdout=0.2, or a folder test/"
        )
