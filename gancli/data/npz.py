"""`npz`: arrays of images in a file of `numpy.savez`, as `gan sample --out x.npz`, Keras, MedMNIST and others write it.

Arrays are understood by their names: a word that means images (images, x, arr_0, data), labels (labels, y) or attributes, and one that
means a part (train, val, test), as in x_train or val_labels. Where no array is called so, the one that can be images is taken. Labels:
integers, booleans or names [N] or [N, 1] and rows [N, K] of which one number is 1 are classes; other numbers [N, A] are attributes.
What is not read is named.
"""

from __future__ import annotations

import hashlib
import re
import shlex
import tokenize
import zipfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from gancli.core.data import Reading, Source, Split
from gancli.core.descriptors import open_named
from gancli.core.errors import DataError, reason_of
from gancli.core.images import over_white
from gancli.data import cache, holdout, npy, remarks, values
from gancli.data.images import ImageDataset
from gancli.data.labels import LONGEST, Known, classes_of
from gancli.data.layout import TRAIN, part_of
from gancli.data.npy import REMEDY, Array

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

IMAGES = ("images", "x", "arr_0", "image", "imgs", "img", "data", "samples", "features", "arr")  # which goes first
LABELS = ("labels", "label", "y", "targets", "target", "class_ids", "class")
BESIDE = ("seeds", "attributes", "classes", "names")  # that gan writes itself
MOST_COLUMNS = 4096
RATIO, RATIO_FROM = 200, 2**28  # a file that unpacks to more than 256 MB and 200 times its size is a bomb


@dataclass(frozen=True)
class Found:
    """The arrays of a part of the data."""

    part: int
    images: Array
    labels: Array | None = None


class Npz(Source):
    name = "npz"
    options: ClassVar[tuple[str, ...]] = ("range", "labels")
    path: str = Field(description="the .npz file")

    @classmethod
    def claims(cls, path: Path) -> bool:
        return path.suffix.lower() == ".npz" and path.is_file()

    def read(self, how: Reading) -> Split[ImageDataset]:
        """The file's images, in the order of `holdout.arranged`.

        Raises:
            DataError: the file is broken, holds no images, or their layout is ambiguous.
        """
        path = Path(self.path)
        try:
            with open_named(path) as file, zipfile.ZipFile(file) as archive:
                total, size = sum(info.file_size for info in archive.infolist()), path.stat().st_size
                if total > RATIO_FROM and total > RATIO * size:
                    raise DataError(f"{path} would unpack to {total / 1e9:.2g} GB from {size / 1e6:.1f} MB", REMEDY)
                arrays = npy.members(archive, path)
                parts = chosen(arrays, path, how)
                return assemble(parts, known_of(parts), path.name, lambda: content_of(path, how), how)
        except BROKEN as error:
            raise DataError(f"{path} cannot be read: {reason_of(error)}", REMEDY) from None


BROKEN = (
    *(OSError, EOFError, zipfile.BadZipFile, zlib.error, ValueError, NotImplementedError, RuntimeError),
    *(
        SyntaxError,
        tokenize.TokenError,
        SystemError,
        OverflowError,
        MemoryError,
    ),  # of a header that is no Python, or no text
)


def chosen(arrays: Sequence[Array], path: Path, how: Reading) -> list[Found]:
    """The arrays that are read, by part.

    Raises:
        DataError: none can be images, or it is not clear which; lists all of them.
    """
    there = ", ".join(array.described for array in arrays) or "nothing"
    best: dict[int, Array] = {}
    for word in reversed(IMAGES):
        best |= {part_in(a.name): a for a in arrays if kind_in(a.name) == word and len(a.shape) > 1}
    if not best:
        able = [a for a in arrays if len(a.shape) in (3, 4) and a.dtype.kind in "biuf"]
        if len(able) != 1:
            raise DataError(f"{path} has no array called images or x; there are {there}", REMEDY)
        best = {TRAIN: able[0]}
        how.note(f"the images are the array {able[0].described}")
    if TRAIN not in best:
        raise DataError(f"{path} has no images to train on; there are {there}", REMEDY)
    parts = [Found(part, images, _labels_of(arrays, part, images, how)) for part, images in sorted(best.items())]
    if how.labels not in (None, "none") and not any(found.labels for found in parts):
        raise DataError(f"{path} has no array {how.labels!r}", f"there are {there}")
    used = {id(a) for found in parts for a in (found.images, found.labels)}
    passed = [a for a in arrays if id(a) not in used and a.name not in BESIDE]
    alike = [a for a in passed if a.shape[:1] in {f.images.shape[:1] for f in parts}]
    if passed:
        way = (
            f"  ->  --set data.labels={shlex.quote(alike[0].name)} makes it the labels"
            if alike and not parts[0].labels
            else ""
        )
        how.warn(f"passed over: {', '.join(a.described for a in passed)}{way}")
    return parts


def _words(name: str) -> list[str]:
    return [w for w in re.split(r"[^a-z0-9]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()) if w]


def part_in(name: str) -> int:
    """The part that an array's name says; the training set, where it says none."""
    return next((part for word in _words(name) if (part := part_of(word)) is not None), TRAIN)


def kind_in(name: str) -> str:
    """Of a name without the word for a part: `x` of `x_train`."""
    return "_".join(word for word in _words(name) if part_of(word) is None)


def _labels_of(arrays: Sequence[Array], part: int, images: Array, how: Reading) -> Array | None:
    """The labels of a part: as `data.labels` says, else by name."""
    if how.labels == "none":
        return None
    mine = [a for a in arrays if part_in(a.name) == part and a is not images]
    if how.labels is not None:
        return next((a for a in arrays if a.name == how.labels), None) or next(
            (a for a in mine if kind_in(a.name) == how.labels), None
        )
    named = next((a for word in LABELS for a in mine if kind_in(a.name) == word), None)
    if named is None and images.name == "arr_0":  # numpy.savez(file, images, labels)
        named = next((a for a in mine if a.name == "arr_1" and a.shape[:1] == images.shape[:1]), None)
    return named


def assemble(
    parts: list[Found], known: Known, what: str, content: Callable[[], str], how: Reading
) -> Split[ImageDataset]:
    """The data of arrays: all parts in one array, in the order of `holdout.arranged`.

    Args:
        parts: the arrays.
        known: beside the images.
        what: is read, for messages.
        content: gives the digest of the files.
        how: the range of values, channels, and what is held out.
    """
    layouts = [npy.layout(found.images, _as_many(found)) for found in parts]
    if len({(one.channels, one.height, one.width) for one in layouts}) > 1:
        raise DataError(f"{what}: the parts have images of different sizes", REMEDY)
    count = sum(one.count for one in layouts)
    choice = values.choose(
        values.total(found.images.stats() for found in parts), parts[0].images.dtype, how.range, f"the images of {what}"
    )
    known = replace(known, parts=None) if how.whole else known
    order = holdout.arranged(count, known.labels, known.parts)
    place = np.argsort(order)
    channels = 3 if layouts[0].channels == 4 and how.channels != 4 else layouts[0].channels

    def fill(out: np.ndarray) -> None:
        at = 0
        for found, one in zip(parts, layouts, strict=True):
            for part in found.images.parts():
                made = one.to_chw(choice.range.to_uint8(part))
                made = over_white(made) if made.shape[1] > channels else made
                out[place[at : at + len(made)]] = made
                cache.release(out)
                at += len(made)
                how.progress("reading", at, len(out))

    shape = (count, channels, layouts[0].height, layouts[0].width)
    names = [(found.images.name, found.part) for found in parts]
    key = cache.key_of("npz", 2, content(), names, choice.range.low, choice.range.high, shape, holdout.key(order))
    images = cache.array(how, key, shape, fill)
    how.note(f"{count:,} images, {choice.said}")
    for warning in [choice.warning] if choice.warning else remarks.dark(images):
        how.warn(warning)
    return holdout.split(images, known, order, how)


def _as_many(found: Found) -> bool:
    return found.labels is not None and found.labels.shape[:1] == found.images.shape[:1]


def content_of(path: Path, how: Reading) -> str:
    """The BLAKE2b of the file, remembered under its size and time."""
    status = path.stat()
    quick = cache.key_of("npz", str(path.absolute()), status.st_size, status.st_mtime_ns)
    known = cache.recall(how, quick)
    if known is not None and isinstance(known.get("content"), str):
        return str(known["content"])
    with open_named(path) as file:
        content = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=20)).hexdigest()
    cache.remember(how, quick, {"content": content})
    return content


def known_of(parts: list[Found]) -> Known:
    """The parts, and their labels or attributes.

    Raises:
        DataError: they do not fit the images.
    """
    counts = [found.images.shape[0] for found in parts]
    codes = np.repeat([found.part for found in parts], counts) if len(parts) > 1 else None
    arrays = [found.labels for found in parts]
    if None in arrays:
        return Known(parts=codes)
    read = [_values(array, n) for array, n in zip(arrays, counts, strict=True) if array is not None]
    if len({(part.ndim, part.dtype.kind) for part in read}) > 1:
        raise DataError(f"{arrays[0].where if arrays[0] else ''}: the parts have different kinds of labels", REMEDY)
    both = np.concatenate(read)
    if both.ndim == 1:
        labels, classes = classes_of(both.tolist())
        return Known(labels, classes, parts=codes)
    names = tuple(str(i) for i in range(both.shape[1]))
    return Known(attributes=both, attribute_names=names, parts=codes)


def _values(array: Array, n: int) -> np.ndarray:
    """Classes [N], as integers or text, or attributes float32 [N, A]."""
    where, shape, kind = array.where, array.shape, array.dtype.kind
    if not shape or shape[0] != n:
        raise DataError(f"{where}: {n} images but labels of the shape {list(shape)}", REMEDY)
    if len(shape) > 2 or (len(shape) == 2 and not 0 < shape[1] <= MOST_COLUMNS):
        raise DataError(
            f"{where}: labels of the shape {list(shape)} are neither classes [N] nor attributes [N, A]", REMEDY
        )
    if kind in "US" and array.dtype.itemsize > (4 if kind == "U" else 1) * LONGEST:
        raise DataError(f"{where}: names of classes have at most {LONGEST} characters", REMEDY)
    values_ = array.whole()
    if values_.ndim == 2 and values_.shape[1] == 1:
        values_ = values_[:, 0]
    if kind in "SU":
        return np.char.decode(values_, "utf-8", "backslashreplace") if kind == "S" else values_
    if kind not in "biuf" or not np.isfinite(values_).all():
        raise DataError(f"{where}: labels are neither classes [N] nor finite attributes [N, A]", REMEDY)
    if values_.ndim == 2:
        one_hot = ((values_ == 1).sum(1) == 1).all() and ((values_ == 0).sum(1) == values_.shape[1] - 1).all()
        return values_.argmax(1) if one_hot else values_.astype(np.float32)
    whole = kind != "f" or bool((values_ == np.round(values_)).all())
    return values_.astype(np.int64) if whole else values_.astype(np.float32)[:, None]
