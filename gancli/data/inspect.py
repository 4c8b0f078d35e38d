"""A report of what a data set holds. Broken pictures are listed, not refused."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gancli.core.errors import DataError, UsageError
from gancli.core.images import ImageSamples
from gancli.core.registry import nearest
from gancli.core.specs import Images
from gancli.core.titles import first_of_each
from gancli.data import find
from gancli.data.collection import Scan, shown
from gancli.data.images import ImageDataset
from gancli.data.pictures import Pictures

if TYPE_CHECKING:
    from gancli.core.data import Dataset, Reading, Source, Split

PREVIEW = 64
PAIRS = 16  # pairs in a preview


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
    warnings: tuple[str, ...]  # what is probably not as it was meant to be
    preview: tuple[int, ...]  # training images to show, evenly over the classes
    split: Split[ImageDataset] | None
    refusal: DataError | None = None  # why nothing can be used, where nothing can

    @property
    def count(self) -> int:
        """All images that can be read."""
        return self.train + self.validation + self.test

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
        DataError: the data is missing. Pictures of which none can be used are reported; the report has the refusal.
    """
    notes: list[str] = []
    warnings: list[str] = []
    how = replace(how, note=notes.append, warn=warnings.append)
    find.unsuited(source, how)
    described: dict[str, Any] = source.model_dump(mode="json")
    if not isinstance(source, Pictures):
        raw = source.read(how)
        if not isinstance(raw.train.samples(), ImageSamples):
            notes.insert(0, raw.train.spec.describe())
            return _report(described, find.finished(source, raw, how), {}, 0, {}, notes, warnings)
        n, (c, h, w) = sum(map(len, (raw.train, raw.test, raw.validation))), _images(raw.train).shape[1:]
        if not isinstance(raw.train.spec, Images):
            notes.insert(0, raw.train.spec.describe())
        return _report(described, find.finished(source, raw, how), {(h, w): n}, n if c == 1 else 0, {}, notes, warnings)
    split, refusal = None, None
    try:
        raw, found = source.replace(skip_broken=True).scanned(how)
        split = find.finished(source, raw, how)
    except DataError as error:
        refusal = error
        _, found = source.survey(how)
    report = _report(described, split, _sizes(found), sum(found.grey), found.broken, notes, warnings)
    return replace(report, refusal=refusal)


def of_class(report: Report, label: str) -> Report:
    """The report with a preview of one class.

    Args:
        report: of data with classes.
        label: the name of a class.

    Raises:
        UsageError: there is no such class.
    """
    train = None if report.split is None else report.split.train
    names = list(report.classes)
    if label not in names or not isinstance(train, ImageDataset) or train.labels is None:
        raise UsageError(f"no class {label!r}", nearest(label, names) or "the data has no classes")
    at = np.flatnonzero(train.labels == names.index(label))[:PREVIEW]
    return replace(report, preview=tuple(at.tolist()))


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
    warnings: list[str],
) -> Report:
    train = None if split is None else split.train
    images = train is not None and isinstance(train.samples(), ImageSamples)
    shape = _images(train).shape[1:] if train is not None and images else None
    return Report(
        source,
        *((0, 0, 0) if split is None else (len(split.train), len(split.validation), len(split.test))),
        None if shape is None else (shape[0], shape[1], shape[2]),
        sizes,
        grey,
        _classes(split) if split is not None and hasattr(train, "labels") else {},
        _attributes(train) if isinstance(train, ImageDataset) else {},
        {shown(name): why for name, why in sorted(broken.items())},
        tuple(notes),
        tuple(dict.fromkeys(warnings)),
        _preview(train, train.labels)
        if isinstance(train, ImageDataset)
        else tuple(range(0 if train is None else min(PAIRS, len(train)))),
        split,
    )


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


def _preview(train: Dataset, labels: np.ndarray | None) -> tuple[int, ...]:
    """64 samples; of every class the first ones."""
    return tuple(first_of_each(labels, len(train), PREVIEW).tolist())
