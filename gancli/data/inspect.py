"""A report of what a data set holds. Broken pictures are listed, not refused."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gancli.core.errors import DataError
from gancli.core.images import ImageSamples
from gancli.core.specs import Images
from gancli.data.collection import Scan, shown
from gancli.data.decode import middle
from gancli.data.find import finished
from gancli.data.images import ImageDataset
from gancli.data.pictures import Pictures

if TYPE_CHECKING:
    from gancli.core.data import Dataset, Reading, Source, Split

PREVIEW = 64
PAIRS = 16  # pairs in a preview
ENLARGED = 1.5  # times, from which on a picture is much smaller than it is to be
LONG = 3  # times as long as wide
PARTS = {"train", "training", "val", "valid", "validation", "test", "testing"}  # of a split, and hardly classes


@dataclass(frozen=True)
class Report:
    """What was found. `split` is None, and the counts are 0, if no picture can be read."""

    source: dict[str, Any]
    train: int
    validation: int
    test: int
    shape: tuple[int, int, int] | None  # channels, height, width as a run would see them
    sizes: dict[tuple[int, int], int]  # (height, width) as found -> images, most frequent first
    grey: int  # images without color, as found
    classes: dict[str, tuple[int, int, int]]  # name -> images of the training, validation and test set
    attributes: dict[str, tuple[float, float, float]]  # name -> mean, least, greatest, of the training images
    broken: dict[str, str]  # name -> reason
    notes: tuple[str, ...]
    preview: tuple[int, ...]  # training images to show, evenly over the classes
    split: Split[ImageDataset] | None

    @property
    def count(self) -> int:
        """All images that can be read."""
        return self.train + self.validation + self.test

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is probably not as it was meant to be."""
        out = []
        if self.shape is not None:
            size = (self.shape[1], self.shape[2])
            cut = {
                found: middle(*found, size) for found in self.sizes
            }  # what is seen of a picture, before it is scaled
            total = sum(self.sizes.values())
            small = sum(n for found, n in self.sizes.items() if ENLARGED * cut[found][2] < size[0])
            long = sum(n for found, n in self.sizes.items() if _long(found, cut[found]))
            if small:
                out.append(
                    f"{small:,} of {total:,} pictures are much smaller than {size[0]}x{size[1]} and are enlarged"
                    f" over {ENLARGED:g} times"
                )
            if long:
                out.append(
                    f"{long:,} of {total:,} pictures are over three times as long as wide: only their middle is seen"
                )
        if self.source["name"] != "translation" and self.sizes and all(w == 2 * h for h, w in self.sizes):
            out.append("all pictures are twice as wide as high  ->  pairs side by side? --layout side-by-side")
        if self.classes and {name.lower() for name in self.classes} <= PARTS:
            out.append(
                f"the subfolders {', '.join(self.classes)} are taken as classes  ->  if they are none, name one of them"
            )
        return tuple(out)

    def as_json(self) -> dict[str, Any]:
        """All but the images, as JSON values."""
        return {
            "source": self.source,
            "count": self.count,
            "train": self.train,
            "validation": self.validation,
            "test": self.test,
            "shape": None if self.shape is None else list(self.shape),
            "sizes": {f"{height}x{width}": n for (height, width), n in self.sizes.items()},
            "grey": self.grey,
            "classes": {n: {"train": a, "validation": b, "test": c} for n, (a, b, c) in self.classes.items()},
            "attributes": {n: {"mean": a, "min": b, "max": c} for n, (a, b, c) in self.attributes.items()},
            "broken": self.broken,
            "notes": list(self.notes),
            "warnings": list(self.warnings),
        }


def inspect(source: Source, how: Reading) -> Report:
    """Read a source, leaving broken pictures out, and report.

    Args:
        source: where the data come from.
        how: what is asked for; its notes go into the report.

    Raises:
        DataError: the data is missing.
    """
    notes: list[str] = []
    how = replace(how, note=notes.append)
    described: dict[str, Any] = source.model_dump(mode="json")
    if not isinstance(source, Pictures):
        raw = source.read(how)
        n, (c, h, w) = sum(map(len, (raw.train, raw.test, raw.validation))), _images(raw.train).shape[1:]
        if not isinstance(raw.train.spec, Images):
            notes.insert(0, raw.train.spec.describe())
        return _report(described, finished(source, raw, how), {(h, w): n}, n if c == 1 else 0, {}, notes)
    split = None
    try:
        raw, found = source.replace(skip_broken=True).scanned(how)
        split = finished(source, raw, how)
    except DataError as error:
        notes.append(error.cause)
        _, found = source.survey(how)
    return _report(described, split, _sizes(found), sum(found.grey), found.broken, notes)


def _images(data: Dataset) -> np.ndarray:
    """Its images uint8 [N, C, H, W]; of pairs and of two domains, those of B."""
    samples = data.samples()
    assert isinstance(samples, ImageSamples)
    return samples.images


def _sizes(found: Scan) -> dict[tuple[int, int], int]:
    return dict(Counter(found.sizes).most_common())


def _report(
    source: dict[str, Any],
    split: Split[ImageDataset] | None,
    sizes: dict[tuple[int, int], int],
    grey: int,
    broken: dict[str, str],
    notes: list[str],
) -> Report:
    train = None if split is None else split.train
    shape = None if train is None else _images(train).shape[1:]
    return Report(
        source,
        *((0, 0, 0) if split is None else (len(split.train), len(split.validation), len(split.test))),
        None if shape is None else (shape[0], shape[1], shape[2]),
        sizes,
        grey,
        _classes(split) if split is not None and isinstance(train, ImageDataset) else {},
        _attributes(train) if isinstance(train, ImageDataset) else {},
        {shown(name): why for name, why in sorted(broken.items())},
        tuple(notes),
        _preview(train)
        if isinstance(train, ImageDataset)
        else tuple(range(0 if train is None else min(PAIRS, len(train)))),
        split,
    )


def _long(size: tuple[int, int], cut: tuple[int, int, int, int]) -> bool:
    """Whether it is long, and most of it is cut off: where all pictures are long, so may be what is made of them."""
    return max(size) > LONG * min(size) and LONG * cut[2] * cut[3] < size[0] * size[1]


def _classes(split: Split[ImageDataset]) -> dict[str, tuple[int, int, int]]:
    names, parts = split.train.classes, (split.train, split.validation, split.test)
    if any(part.labels is None for part in parts):
        return {}
    a, b, c = (np.bincount(part.labels, minlength=len(names)).tolist() for part in parts)  # type: ignore[arg-type]
    return {name: (a[i], b[i], c[i]) for i, name in enumerate(names)}


def _attributes(train: ImageDataset) -> dict[str, tuple[float, float, float]]:
    if train.attributes is None:
        return {}
    columns = zip(train.attribute_names, train.attributes.T, strict=True)
    return {name: (float(column.mean()), float(column.min()), float(column.max())) for name, column in columns}


def _preview(train: ImageDataset) -> tuple[int, ...]:
    """Up to 64 images: the first of each class, the second of each class, and so on."""
    if train.labels is None:
        return tuple(range(min(PREVIEW, len(train.images))))
    seen: Counter[int] = Counter()
    ranks = []
    for label in train.labels.tolist():
        ranks.append(seen[label])
        seen[label] += 1
    return tuple(np.lexsort((train.labels, np.array(ranks)))[:PREVIEW].tolist())
