"""`npz`: an array of images in a file of `numpy.savez`, as `gan sample --out x.npz` writes it.

`images` (or `x`, or `arr_0`): uint8, or floating point in 0 .. 1 or -1 .. 1; [N, H, W], [N, H, W, C] or [N, C, H, W] with C 1 or 3.
`labels`, if there: whole numbers or names [N] are classes, floating-point numbers [N, A] attributes. The rest is not looked at.
The file is read a part at a time; nothing is allocated before the header has been checked, and pickled objects are refused.
"""

from __future__ import annotations

import hashlib
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from pydantic import Field

from gancli.core.data import Reading, Source, Split
from gancli.core.errors import DataError
from gancli.data import cache, holdout
from gancli.data.images import ImageDataset
from gancli.data.labels import Known, classes_of

NAMES = ("images", "x", "arr_0")
LARGEST = 256 * 2**30  # bytes of the images, unpacked
LARGEST_LABELS = 2**30
PART = 16 * 2**20  # bytes read at a time
REMEDY = "numpy.savez(file, images=array) with uint8 [N, H, W, C]"


@dataclass(frozen=True)
class _Member:
    """An array in the file: its header."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class Npz(Source):
    name = "npz"
    path: str = Field(description="the .npz file")

    @classmethod
    def claims(cls, path: Path) -> bool:
        return path.suffix.lower() == ".npz" and path.is_file()

    def read(self, how: Reading) -> Split[ImageDataset]:
        """The file's images, in the order of `holdout.order`.

        Raises:
            DataError: the file is broken, holds no images, or their layout is ambiguous.
        """
        path = Path(self.path)
        try:
            with zipfile.ZipFile(path) as archive:
                return self._read(archive, path, how)
        except (
            OSError,
            EOFError,
            zipfile.BadZipFile,
            zlib.error,
            ValueError,
            NotImplementedError,
            RuntimeError,
            SyntaxError,  # of a header that is no Python
            tokenize.TokenError,
            SystemError,  # of text that is none
            OverflowError,
        ) as error:
            raise DataError(f"{path} cannot be read: {error}", REMEDY) from None

    def _read(self, archive: zipfile.ZipFile, path: Path, how: Reading) -> Split[ImageDataset]:
        there = set(archive.namelist())
        name = next((name for name in NAMES if f"{name}.npy" in there), None)
        if name is None:
            raise DataError(f"{path} has no array called {', '.join(NAMES)}", REMEDY)
        images = _member(archive, name, path, LARGEST)
        to_chw = _layout(images.shape, path)
        known = _labels(archive, path, images.shape[0]) if "labels.npy" in there else Known()
        order = holdout.order(images.shape[0], known.labels)
        place = np.argsort(order)

        def fill(out: np.ndarray) -> None:
            scale, shift = _range(archive, images, path)
            at = 0
            for part in _parts(archive, images):
                pixels = part if scale == 1 else np.clip(np.round(part.astype(np.float32) * scale + shift), 0, 255)
                out[place[at : at + len(part)]] = to_chw(pixels)
                cache.release(out)
                at += len(part)
                how.progress("reading", at, len(out))

        shape = to_chw(np.broadcast_to(np.uint8(0), images.shape)).shape
        key = cache.key_of("npz", 1, _content(path, how), name, holdout.key(order))
        return holdout.split(cache.array(how, key, shape, fill), known, order, how)


def _content(path: Path, how: Reading) -> str:
    """The BLAKE2b of the file, remembered under its size and time."""
    status = path.stat()
    quick = cache.key_of("npz", str(path.absolute()), status.st_size, status.st_mtime_ns)
    known = cache.recall(how, quick)
    if known is not None and isinstance(known.get("content"), str):
        return str(known["content"])
    with path.open("rb") as file:
        content = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=20)).hexdigest()
    cache.remember(how, quick, {"content": content})
    return content


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if read is None:
        raise ValueError(f"version {version} of the .npy format")
    return read(file)


def _member(archive: zipfile.ZipFile, name: str, path: Path, most: int) -> _Member:
    """The header of an array, checked."""
    with archive.open(f"{name}.npy") as file:
        shape, fortran, dtype = _header(file)
        size = prod(shape) * dtype.itemsize
        if dtype.hasobject:
            raise DataError(f"{path}: {name} is pickled, which is never read", REMEDY)
        if size > most or size + file.tell() != archive.getinfo(f"{name}.npy").file_size:
            raise DataError(f"{path}: {name} is cut short, or too large ({size / 1e9:.1f} GB)", REMEDY)
    if fortran and len(shape) > 1:
        raise DataError(f"{path}: {name} is in Fortran order", "save numpy.ascontiguousarray(images)")
    return _Member(name, shape, dtype)


def _parts(archive: zipfile.ZipFile, member: _Member) -> Iterator[np.ndarray]:
    """The array's rows, about 16 MB at a time."""
    row = prod(member.shape[1:]) * member.dtype.itemsize
    step = max(1, PART // max(1, row))
    with archive.open(f"{member.name}.npy") as file:
        _header(file)
        for start in range(0, member.shape[0], step):
            rows = min(step, member.shape[0] - start)
            data = file.read(rows * row)
            if len(data) != rows * row:
                raise ValueError(f"{member.name} is cut short")
            yield np.frombuffer(data, member.dtype).reshape(rows, *member.shape[1:])


def _layout(shape: tuple[int, ...], path: Path) -> Any:
    """The function from this layout to [N, C, H, W]."""
    if len(shape) not in (3, 4) or 0 in shape:
        raise DataError(f"{path}: the images have the shape {list(shape)}", REMEDY)
    if len(shape) == 3:
        return lambda x: x[:, None]
    first, last = shape[1] in (1, 3), shape[3] in (1, 3)
    if first and last:
        raise DataError(
            f"{path}: {list(shape)} may be [N, C, H, W] or [N, H, W, C]", "save one size of images that is not 1 or 3"
        )
    if not first and not last:
        raise DataError(f"{path}: {list(shape)} has neither 1 nor 3 channels", REMEDY)
    return (lambda x: x) if first else (lambda x: x.transpose(0, 3, 1, 2))


def _range(archive: zipfile.ZipFile, images: _Member, path: Path) -> tuple[float, float]:
    """(scale, shift) from the values in the file to 0 .. 255."""
    if images.dtype == np.uint8:
        return 1, 0
    if images.dtype.kind != "f":
        raise DataError(
            f"{path}: the images are {images.dtype}, not uint8 or floating point", "save images.astype('uint8')"
        )
    low, high = np.inf, -np.inf
    for part in _parts(archive, images):
        low, high = np.minimum(low, part.min()), np.maximum(high, part.max())  # a NaN stays one
    if not (low >= -1 and high <= 1):
        raise DataError(
            f"{path}: the images have values from {low:g} to {high:g}", "scale them to 0 .. 1, -1 .. 1 or uint8"
        )
    return (255.0, 0.0) if low >= 0 else (127.5, 127.5)


def _labels(archive: zipfile.ZipFile, path: Path, n: int) -> Known:
    """Labels or attributes."""
    member = _member(archive, "labels", path, LARGEST_LABELS)
    values: Any = np.concatenate(list(_parts(archive, member))) if member.shape and member.shape[0] else np.empty(0)
    if values.ndim == 2 and values.shape[1] == 1 and values.dtype.kind in "iuU":
        values = values[:, 0]
    if len(values) != n:
        raise DataError(f"{path}: {n} images but labels of the shape {list(member.shape)}", REMEDY)
    if values.ndim == 1 and values.dtype.kind in "iubU":
        labels, classes = classes_of(values.astype(int if values.dtype.kind == "b" else values.dtype).tolist())
        return Known(labels, classes)
    if values.ndim == 2 and values.dtype.kind == "f" and values.shape[1] and np.isfinite(values).all():
        names = tuple(str(i) for i in range(values.shape[1]))
        return Known(attributes=values.astype(np.float32), attribute_names=names)
    raise DataError(f"{path}: labels are neither classes [N] nor finite attributes [N, A]", REMEDY)
