"""IDX files, the format of MNIST and its kin, in the layout that torchvision uses: `<data-dir>/MNIST/raw/train-images-idx3-ubyte`.

A file is 0, 0, 8 (unsigned bytes), the number of dimensions, each dimension as a big-endian 32-bit number, then the bytes. It may be
gzipped. Files that torchvision keeps in `processed/` are pickles and are not looked at.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from math import prod
from pathlib import Path
from typing import ClassVar

import numpy as np

from gancli.core.data import Reading, Source, Split
from gancli.core.descriptors import open_named
from gancli.core.errors import DataError, reason_of
from gancli.data.fetch import deadline, fetch
from gancli.data.images import ImageDataset


def read_idx(path: Path, dims: int) -> np.ndarray:
    """The array in an IDX file.

    Args:
        path: a plain file, or one that ends in .gz.
        dims: the dimensions that it must have.

    Returns:
        uint8, of that many dimensions.

    Raises:
        DataError: the file is no such array, or not whole.
    """
    try:
        with open_named(path) as packed, gzip.open(packed) if path.suffix == ".gz" else packed as file:
            head = file.read(4 + 4 * dims)
            if len(head) < 4 + 4 * dims or head[:4] != bytes((0, 0, 8, dims)):
                raise DataError(f"{path} is not an IDX file of {dims} dimensions", "remove it and fetch it again")
            shape = struct.unpack(f">{dims}I", head[4:])
            if prod(shape) > path.stat().st_size * 1100:  # more than gzip can pack
                raise DataError(f"{path} is cut short", "remove it and fetch it again")
            out = np.empty(shape, np.uint8)
            data, there = out.reshape(-1).data, 0
            while n := file.readinto(data[there:]):
                there += n
            more = file.read(1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {reason_of(error)}", "remove it and fetch it again") from None
    if there != out.size or more:
        raise DataError(f"{path} is cut short or too long", "remove it and fetch it again")
    return out


class Idx(Source):
    """Base of the sources in IDX files. A subclass says where its four files lie and how they can be fetched."""

    folder: ClassVar[str]
    files: ClassVar[tuple[str, str, str, str]] = (
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    )
    classes: ClassVar[tuple[str, ...]] = tuple("0123456789")
    table: ClassVar[str]  # the class of torchvision that holds the addresses and sums

    def present(self, how: Reading) -> bool:
        """Whether all four files are there; they are not read."""
        return all(_there(how.data_dir / self.folder / name) for name in self.files)

    def read(self, how: Reading) -> Split[ImageDataset]:
        """The set; its test set is the files' own.

        Raises:
            DataError: the files are neither there nor can be fetched; with their names and their folder.
        """
        return Split(*self.parts(how))

    def parts(self, how: Reading) -> tuple[ImageDataset, ImageDataset]:
        """The training set and the test set."""
        folder = how.data_dir / self.folder
        if not self.present(how):
            self._get(folder, how)
        paths = [_there(folder / name) for name in self.files]
        images, labels, test_images, test_labels = (
            read_idx(path or folder / name, dims)
            for path, name, dims in zip(paths, self.files, (3, 1, 3, 1), strict=True)
        )
        return self._arrays(images, labels, folder), self._arrays(test_images, test_labels, folder)

    def fetch_missing(self, folder: Path, how: Reading) -> None:
        """Fetch what is missing from the mirrors that torchvision lists.

        Raises:
            DataError: none of them gave a file that is missing.
        """
        import torchvision.datasets

        until, table = deadline(how), getattr(torchvision.datasets, self.table)
        for (archive, md5), name in zip(table.resources, self.files, strict=True):
            if _there(folder / name) is None:
                fetch([mirror + archive for mirror in table.mirrors], folder / f"{name}.gz", md5, how, until)

    def upright(self, images: np.ndarray) -> np.ndarray:
        """Images as they are seen, [N, H, W], of images as they lie in the file, [N, H, W]."""
        return images

    def _get(self, folder: Path, how: Reading) -> None:
        why = "fetching is not allowed"
        if how.download:
            try:
                return self.fetch_missing(folder, how)
            except DataError as error:
                why = error.cause
        raise DataError(
            f"{self.name} is not in {folder}, and {why}",
            f"put {', '.join(self.files)} (or .gz) there, or name the folder above {Path(self.folder).parts[0]}/ by --data-dir",
        )

    def _arrays(self, images: np.ndarray, labels: np.ndarray, folder: Path) -> ImageDataset:
        if len(images) != len(labels):
            raise DataError(
                f"{folder}: {len(images)} images but {len(labels)} labels", "remove them and fetch them again"
            )
        if len(labels) and labels.max() >= len(self.classes):
            raise DataError(f"{folder}: a label is {labels.max()}, of {len(self.classes)} classes")
        return ImageDataset(self.upright(images)[:, None], labels.astype(np.int64), classes=self.classes)


def _there(path: Path) -> Path | None:
    zipped = path.with_name(path.name + ".gz")
    return path if path.is_file() else zipped if zipped.is_file() else None
