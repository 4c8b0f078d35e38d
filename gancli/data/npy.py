"""Arrays in files of `numpy.save` and `numpy.savez`, read a part at a time. What images they are, by their shape.

Nothing is allocated before the header has been checked, and pickled objects are refused.

| shape | images |
|-|-|
| [N, H, W] | gray |
| [N, H, W, C], [N, C, H, W] | C 1 gray, 3 RGB, 4 RGBA |
| [N, D] | gray, of sides sqrt(D) |
"""

from __future__ import annotations

import math
import zipfile
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from gancli.core.errors import DataError
from gancli.data import values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LARGEST = 256 * 2**30  # bytes of an array
WHOLE = 256 * 2**20  # bytes of an array that must be held as a whole: in Fortran order, or labels
PART = 16 * 2**20  # bytes read at a time
MOST_IMAGES = 2**22
MOST_ARRAYS = 2000  # in a file
LONGEST = 4096  # pixels of a side
CHANNELS = (1, 3, 4)
REMEDY = "numpy.savez(file, images=array) with uint8 [N, H, W, C]"


@dataclass(frozen=True)
class Array:
    """An array in a file: its header, and how the file is opened."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool
    open: Callable[[], IO[bytes]]
    where: str  # file and name, for messages

    @property
    def nbytes(self) -> int:
        return prod(self.shape) * self.dtype.itemsize

    @property
    def described(self) -> str:
        """`images uint8 [60000, 28, 28]`."""
        return f"{self.name} {self.dtype} [{', '.join(map(str, self.shape))}]"

    def parts(self) -> Iterator[np.ndarray]:
        """The array's rows, about 16 MB at a time."""
        if self.fortran and len(self.shape) > 1:
            yield self._whole(WHOLE)
            return
        row = prod(self.shape[1:]) * self.dtype.itemsize
        step = max(1, PART // max(1, row))
        with self.open() as file:
            _header(file)
            for start in range(0, self.shape[0], step):
                rows = min(step, self.shape[0] - start)
                data = file.read(rows * row)
                if len(data) != rows * row:
                    raise ValueError(f"{self.name} is cut short")
                yield np.frombuffer(data, self.dtype).reshape(rows, *self.shape[1:])

    def whole(self, most: int = WHOLE) -> np.ndarray:
        """All of an array of at most so many bytes. Raises DataError if it is larger."""
        if self.nbytes > most:
            raise DataError(f"{self.where} is larger than {most >> 20} MB", REMEDY)
        if self.fortran and len(self.shape) > 1:
            return self._whole(most)
        if not self.shape or not self.shape[0]:
            return np.empty(0)
        out, at = np.empty(self.shape, self.dtype), 0
        for part in self.parts():
            out[at : at + len(part)] = part
            at += len(part)
        return out

    def _whole(self, most: int) -> np.ndarray:
        size = self.nbytes
        if size > most:
            raise DataError(
                f"{self.where} is in Fortran order and larger than {most >> 20} MB",
                "save numpy.ascontiguousarray(images)",
            )
        with self.open() as file:
            _header(file)
            data = file.read(size)
        if len(data) != size:
            raise ValueError(f"{self.name} is cut short")
        return np.frombuffer(data, self.dtype).reshape(self.shape, order="F")

    def stats(self) -> values.Stats:
        """Of all numbers."""
        return values.total(values.stats(part) for part in self.parts())


def header_of(name: str, where: str, opener: Callable[[], IO[bytes]], file_size: int) -> Array:
    """The header of an array, checked.

    Args:
        name: of the array.
        where: it is, for messages.
        opener: opens the file.
        file_size: bytes of the file.

    Raises:
        DataError: it is pickled, cut short, or too large.
        ValueError: the header is broken.
    """
    with opener() as file:
        shape, fortran, dtype = _header(file)
        if any(type(n) is not int or n < 0 for n in shape):
            raise ValueError(f"the shape of {name} is {shape!r}")
        size = prod(shape) * dtype.itemsize
        if dtype.hasobject:
            raise DataError(f"{where} is pickled, which is never read", REMEDY)
        if size > LARGEST or size + file.tell() != file_size:
            raise DataError(f"{where} is cut short, or too large ({size / 1e9:.1f} GB)", REMEDY)
    return Array(name, shape, dtype, fortran, opener, where)


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Raises ValueError, or OSError of the disk."""
    try:
        version = np.lib.format.read_magic(file)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
        if read is None:
            raise ValueError(f"version {version} of the .npy format")
        return read(file)
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - it is Python's syntax, which can raise anything
        raise ValueError(f"the header is broken: {str(error)[:200]}") from None


def members(archive: zipfile.ZipFile, path: Any) -> list[Array]:
    """The arrays of an .npz whose headers can be read, in the file's order; raises DataError where one is broken."""
    out = []
    if len(archive.infolist()) > MOST_ARRAYS:
        raise DataError(f"{path} holds more than {MOST_ARRAYS:,} arrays", REMEDY)
    for info in archive.infolist():
        if info.filename.endswith(".npy"):
            name = info.filename.removesuffix(".npy")
            where = f"{path}: {name}"
            out.append(header_of(name, where, partial(archive.open, info), info.file_size))
    return out


@dataclass(frozen=True)
class Layout:
    """How images lie in an array."""

    count: int
    channels: int
    height: int
    width: int
    to_chw: Callable[[np.ndarray], np.ndarray]  # a part of the array -> [n, C, H, W]


def layout(array: Array, labeled: bool = False) -> Layout:
    """What images an array holds.

    Args:
        array: by its header.
        labeled: whether there is a label for each of its rows, which makes clear that it is not one image.

    Raises:
        DataError: it is not clear, or they are too large; says what would be clear.
    """
    shape, where = array.shape, array.where
    if array.dtype.kind not in "biuf":
        raise DataError(f"{where} holds {array.dtype}, no numbers of pixels", REMEDY)
    if not 2 <= len(shape) <= 4 or 0 in shape:
        raise DataError(f"{where} has the shape {list(shape)}", REMEDY)
    found = {2: _flat, 3: _gray, 4: _color}[len(shape)](shape, where, labeled)
    if found.count > MOST_IMAGES:
        raise DataError(f"{where}: {found.count:,} images are more than {MOST_IMAGES:,}", "take a part of them")
    if max(found.height, found.width) > LONGEST:
        raise DataError(
            f"{where}: images of {found.height}x{found.width} pixels; a side has at most {LONGEST:,}",
            "scale them, or cut them into parts",
        )
    return found


def _flat(shape: tuple[int, ...], where: str, labeled: bool) -> Layout:
    n, d = shape
    side = math.isqrt(d)
    if side * side != d or side < 2 or not (labeled or n > 4 * d or d > 4 * n):
        raise DataError(
            f"{where} has the shape {list(shape)}: one image, or rows of {d} numbers?",
            f"save images.reshape(-1, {side}, {side}), or images[None] for one image",
        )
    return Layout(n, 1, side, side, lambda x: x.reshape(-1, 1, side, side))


def _gray(shape: tuple[int, ...], where: str, labeled: bool) -> Layout:
    n, h, w = shape
    if not labeled and ((w in CHANNELS and h > 2 * w) or (n in CHANNELS[1:] and min(h, w) > 8 * n)):
        raise DataError(
            f"{where} has the shape {list(shape)}: one color image, or {n} gray ones?",
            "save images[None] for one image, images[..., None] for gray ones",
        )
    return Layout(n, 1, h, w, lambda x: x[:, None])


def _color(shape: tuple[int, ...], where: str, labeled: bool) -> Layout:  # noqa: ARG001
    n, a, b, c = shape
    first, last = a in CHANNELS, c in CHANNELS
    if first and last and (a == b) != (b == c):  # the one of them that is a square
        first, last = b == c, a == b
    if first and last:
        raise DataError(
            f"{where}: {list(shape)} may be [N, C, H, W] or [N, H, W, C]",
            "save one size of images that is not 1, 3 or 4",
        )
    if not first and not last:
        raise DataError(f"{where}: {list(shape)} has neither 1, 3 nor 4 channels", REMEDY)
    if first:
        return Layout(n, a, b, c, lambda x: x)
    return Layout(n, c, a, b, lambda x: x.transpose(0, 3, 1, 2))
