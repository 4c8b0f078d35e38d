"""The cache of decoded images: uint8 arrays and small records, each under the key of what it was made from.

An array lies in `<cache>/arrays/<key>.npy` with `<key>.json` beside it (shape and BLAKE2b of the bytes); a record in `<cache>/records/`.
All are written to a temporary file and renamed. What is not whole, or belongs to another user, is made again. Up to 256 MB an array
is read into memory and its digest compared; a larger one is memory-mapped, copy on write, and only its length and shape are checked.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import mmap
import os
import shutil
import sys
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gancli.core.errors import CheckpointError, ResourceError
from gancli.core.files import Folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from gancli.core.data import Reading

MAPPED_FROM = 256 * 2**20  # bytes
MAX_RECORD = 256 * 2**20  # bytes of a record: a scan of millions of files
MODE = 0o644  # nobody else may change what is kept
_HEADER = 4096  # more than any .npy header of ours
_NORESERVE = (
    getattr(mmap, "MAP_NORESERVE", 0x4000) if sys.platform == "linux" else 0
)  # more than the memory can be mapped


def key_of(*parts: Any) -> str:
    """A 40-digit key of JSON values."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=20).hexdigest()


def fingerprint(*parts: Any) -> str:
    """A 40-digit key of arrays, by shape and content, and of JSON values: the name of a data set in caches and protocols."""
    return key_of(*((part.shape, content(part)) if isinstance(part, np.ndarray) else part for part in parts))


def content(array: np.ndarray) -> str:
    """The digest of an array's content: of its bytes; or, of a large one in the cache, the one that was taken as it was written."""
    return (source_digest(array) if array.nbytes > MAPPED_FROM else None) or digest(array)


def digest(array: np.ndarray) -> str:
    """BLAKE2b of an array's bytes, 40 hexadecimal digits; 16 MB are read at a time."""
    hasher = hashlib.blake2b(digest_size=20)
    rows = max(1, 2**24 // max(1, array[:1].nbytes))
    for start in range(0, len(array), rows):
        hasher.update(np.ascontiguousarray(array[start : start + rows]).data)
        release(array)
    return hasher.hexdigest()


def release(array: np.ndarray) -> None:
    """Free the memory that holds pages of a memory-mapped array; they are read from the file again when they are needed.

    Whoever goes through a large array, reading or writing, calls it from time to time. Of an array in memory nothing happens.
    """
    pages = _root(array).base
    if isinstance(pages, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        pages.madvise(mmap.MADV_DONTNEED)


def _root(array: Any) -> Any:
    """The array that this one is a view of."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def recall(how: Reading, key: str) -> dict[str, Any] | None:
    """The record under a key, or None if there is none that can be read."""
    return _json(Folder(how.cache_dir) / "records", f"{key}.json")


def remember(how: Reading, key: str, record: dict[str, Any]) -> None:
    """Keep a record; where nothing can be written it is not kept."""
    with contextlib.suppress(OSError):
        _put(Folder(how.cache_dir) / "records", f"{key}.json", record)


def array(how: Reading, key: str, shape: tuple[int, ...], fill: Callable[[np.ndarray], None]) -> np.ndarray:
    """An array from the cache, made and kept there if need be.

    Args:
        how: the cache's folder, and whom to tell.
        key: of all that the array is made from.
        shape: of the array.
        fill: writes all of the array that it is given, uint8 of that shape, zeros; calls `release` on the way.

    Returns:
        uint8, in memory up to 256 MB, else memory-mapped.

    Raises:
        ResourceError: an array that must lie on the disk cannot be written; a smaller one is then just not kept.
    """
    folder = Folder(how.cache_dir) / "arrays"
    there = _load(folder, key, shape)
    if there is not None:
        return there
    if prod(shape) > MAPPED_FROM:
        return _made_on_disk(folder, key, shape, fill)
    out = np.zeros(shape, np.uint8)
    fill(out)
    try:
        folder.make(parents=True)
        with folder.writing(f"{key}.npy", mode=MODE) as file:
            np.save(file, out, allow_pickle=False)
        _describe(folder, key, out)
    except OSError as error:
        how.note(f"the decoded images are not kept: {how.cache_dir}: {error.strerror or error}")
    return out


def copied(
    how: Reading | None, key: Callable[[], str], shape: tuple[int, ...], fill: Callable[[np.ndarray], None]
) -> np.ndarray:
    """An array made of another one: in memory, or where it is too large for that, in the cache.

    Args:
        how: the cache's folder; not given: in memory whatever its size.
        key: gives the key in the cache, if it is needed.
        shape: of the array.
        fill: as for `array`.

    Returns:
        uint8, of that shape.
    """
    if how is not None and prod(shape) > MAPPED_FROM:
        return array(how, key(), shape, fill)
    out = np.empty(shape, np.uint8)
    fill(out)
    return out


def blocks(out: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Go through an array to fill it.

    Args:
        out: the array.

    Returns:
        Runs of its rows of about 4 MB, each with the number of its first row; memory is released between them.
    """
    rows = max(1, 2**22 // max(1, out[:1].nbytes))
    for start in range(0, len(out), rows):
        yield start, out[start : start + rows]
        release(out)


def source_digest(images: np.ndarray) -> str | None:
    """A digest of images that are neighboring rows of an array in the cache: of the array, and which rows; None if they are not."""
    root = _root(images)
    if not isinstance(root, np.memmap) or root.filename is None or not images.flags.c_contiguous or not len(images):
        return None
    path = Path(root.filename)
    record = _json(Folder(path.parent, inside=1), f"{path.stem}.json")
    if record is None or "digest" not in record:
        return None
    first = images.__array_interface__["data"][0] - root.__array_interface__["data"][0]
    return f"{record['digest']}+{first}+{images.nbytes}"


def _json(folder: Folder, name: str) -> dict[str, Any] | None:
    try:
        value = json.loads(folder.read(name, MAX_RECORD, mine=True))
    except (CheckpointError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _put(folder: Folder, name: str, record: dict[str, Any]) -> None:
    folder.make(parents=True)
    with folder.writing(name, mode=MODE) as file:
        file.write(json.dumps(record).encode())


def _load(folder: Folder, key: str, shape: tuple[int, ...]) -> np.ndarray | None:
    record, size = _json(folder, f"{key}.json"), prod(shape)
    if record is None or record.get("shape") != list(shape):
        return None
    path = folder.path / f"{key}.npy"
    try:
        with folder.open(path.name, mine=True) as file:
            if os.fstat(file.fileno()).st_size != record.get("file_size"):
                return None
            out = _mapped(file, path) if size > MAPPED_FROM else np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    if out.shape != shape or out.dtype != np.uint8 or not out.flags.c_contiguous:
        return None
    return out if size > MAPPED_FROM or digest(out) == record.get("digest") else None


def _mapped(file: BinaryIO, path: Path) -> np.memmap[Any, np.dtype[np.uint8]]:
    """An array as `numpy.load(path, mmap_mode="c")` gives it, however large it is: numpy's own must fit the memory."""
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("not written by this cache")
    shape, transposed, dtype = np.lib.format.read_array_header_1_0(file)
    offset = file.tell()
    if transposed or dtype != np.uint8 or os.fstat(file.fileno()).st_size != offset + prod(shape):
        raise ValueError("not written by this cache")
    private = mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE | _NORESERVE, prot=mmap.PROT_READ | mmap.PROT_WRITE)
    made: Any = np.ndarray.__new__(np.memmap, shape, dtype, private, offset)
    made._mmap, made.filename, made.offset, made.mode = private, str(path), offset, "c"
    return made  # type: ignore[no-any-return]


def _describe(folder: Folder, key: str, out: np.ndarray) -> None:
    found = folder.stat(f"{key}.npy")
    record = {"shape": list(out.shape), "digest": digest(out), "file_size": found.st_size if found else 0}
    _put(folder, f"{key}.json", record)


def _made_on_disk(folder: Folder, key: str, shape: tuple[int, ...], fill: Callable[[np.ndarray], None]) -> np.ndarray:
    size, path = prod(shape) + _HEADER, folder.path / f"{key}.npy"
    try:
        folder.make(parents=True)
        free = shutil.disk_usage(path.parent).free
        if free < size:
            why = f"{path.parent} has {free / 1e9:.1f} GB free, the decoded images need {size / 1e9:.1f} GB"
            raise ResourceError(why, "set GAN_CACHE_DIR to a larger disk, or ask for a smaller image size")
        with folder.writing(path.name, mode=MODE) as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            file.flush()
            whole = file.tell() + prod(shape)
            os.truncate(file.fileno(), whole)
            if hasattr(os, "posix_fallocate"):  # a full disk is then an error here, not a bus error while filling
                os.posix_fallocate(file.fileno(), 0, whole)
            out = np.memmap(file, np.uint8, "r+", file.tell(), shape)
            fill(out)
            out.flush()
            del out
        with folder.open(path.name, mine=True) as file:
            made = _mapped(file, path)
        _describe(folder, key, made)
    except OSError as error:
        why = f"the decoded images cannot be kept in {path.parent}: {error.strerror or error}"
        raise ResourceError(why, "set GAN_CACHE_DIR to a folder that can be written") from None
    return made
