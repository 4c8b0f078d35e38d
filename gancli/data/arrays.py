"""`arrays`: images in files of `numpy.save`: one .npy of many images, or a folder of .npy.

In a folder, files that are called as arrays of an .npz are (x_train.npy and y_train.npy; `data/npz.py`) are read as those would be; else
each file is one image, and subfolders and tables mean what they mean beside pictures.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from gancli.core.data import Reading, Source, Split
from gancli.core.descriptors import open_named
from gancli.core.errors import DataError, reason_of
from gancli.data import labels, npy
from gancli.data.collection import named_as_image, scan, shown
from gancli.data.folder import FolderCollection, file_names
from gancli.data.images import ImageDataset
from gancli.data.layout import TRAIN
from gancli.data.npy import REMEDY, Array
from gancli.data.npz import BROKEN, IMAGES, Found, assemble, chosen, content_of, kind_in, known_of

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOKED_AT = 2000  # files of a folder, for what it holds


class Arrays(Source):
    name = "arrays"
    options: ClassVar[tuple[str, ...]] = ("range", "labels", "unlabeled")
    path: str = Field(description="the .npy file, or the folder of .npy files")

    @classmethod
    def claims(cls, path: Path) -> bool:
        if path.is_file():
            return path.suffix.lower() == ".npy"
        if not path.is_dir():
            return False
        names = list(itertools.islice(file_names(path), LOOKED_AT))
        return any(is_npy(name) for name in names) and not any(map(named_as_image, names))

    def read(self, how: Reading) -> Split[ImageDataset]:
        """The images, in the order of `holdout.arranged`.

        Raises:
            DataError: a file is broken, or their layout is ambiguous.
        """
        path = Path(self.path)
        try:
            return self._read_folder(path, how) if path.is_dir() else _read_file(path, how)
        except BROKEN as error:
            raise DataError(
                f"{path} cannot be read: {reason_of(error)}", "numpy.save(file, array) with uint8 [N, H, W, C]"
            ) from None

    def _read_folder(self, path: Path, how: Reading) -> Split[ImageDataset]:
        files = FolderCollection(path)
        names = [entry.name for entry in files.entries if is_npy(entry.name)]
        sizes = {entry.name: entry.size for entry in files.entries}
        arrays = [
            npy.header_of(_stem(name), f"{path}/{shown(name)}", partial(files.open, name), sizes[name])
            for name in names
        ]
        content = scan(files, how).content
        if any(kind_in(array.name) in IMAGES for array in arrays):
            parts = chosen(arrays, path, how)
            return assemble(parts, known_of(parts), path.name, lambda: content, how)
        found = labels.known(files, names, how)
        for note in found.notes:
            how.note(note)
        for warning in found.warnings:
            how.warn(warning)
        images = _stacked([arrays[i] for i in found.keep], path)
        return assemble([Found(TRAIN, images)], found.known, path.name, lambda: content, how)


def _read_file(path: Path, how: Reading) -> Split[ImageDataset]:
    array = npy.header_of(path.stem, str(path), lambda: open_named(path), path.stat().st_size)
    return assemble([Found(TRAIN, array)], labels.Known(), path.name, lambda: content_of(path, how), how)


@dataclass(frozen=True)
class Stack(Array):
    """Arrays of one image each, as one array."""

    files: tuple[Array, ...] = ()

    def parts(self) -> Iterator[np.ndarray]:
        step = max(1, npy.PART // max(1, self.files[0].nbytes))
        for start in range(0, len(self.files), step):
            yield np.stack([file.whole() for file in self.files[start : start + step]])


def _stacked(arrays: list[Array], path: Path) -> Stack:
    shapes = {(array.shape, array.dtype) for array in arrays}
    if len(shapes) != 1:
        said = ", ".join(array.described for array in arrays[:3])
        raise DataError(f"{path}: the arrays have different shapes or types ({said}, ...)", REMEDY)
    first = arrays[0]
    if len(first.shape) not in (2, 3):
        raise DataError(f"{path}: {first.described} is not one image", "call an array of many images images.npy")
    return Stack(path.name, (len(arrays), *first.shape), first.dtype, False, first.open, str(path), tuple(arrays))


def is_npy(name: str) -> bool:
    """Whether a file has the suffix of an array."""
    return name.lower().endswith(".npy")


def _stem(name: str) -> str:
    return PurePosixPath(name).stem
