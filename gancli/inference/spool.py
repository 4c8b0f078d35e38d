"""Samples chunk by chunk: read from arrays larger than memory, regrouped, and kept in temporary files to be read again.

Pages of a memory-mapped array count as memory of the process from the first look at them. They are given back after each
chunk (madvise DONTNEED): the data stay in the file, and mostly in the kernel's cache, which takes them from nobody.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from gancli.core.errors import ResourceError
from gancli.core.samples import Samples
from gancli.data import cache

LIMIT = 64 << 20  # bytes of an array that is kept in memory
S = TypeVar("S", bound=Samples)


def release(samples: Samples) -> None:
    """Free the memory of samples that lie in files; of others nothing changes."""
    for array in vars(samples).values():
        if isinstance(array, np.ndarray):
            cache.release(array)


def pieces(samples: S, size: int, index: np.ndarray | None = None) -> Iterator[S]:
    """Samples in pieces of at most `size`, in their order or that of `index`; their pages are given back after each."""
    for first in range(0, len(samples) if index is None else len(index), size):
        rows: Any = slice(first, first + size)
        yield samples.take(rows if index is None else index[rows])
        release(samples)


def batches(chunks: Iterable[S], size: int) -> Iterator[S]:
    """The same samples in batches of `size`, the last one as large as it comes."""
    held: list[S] = []
    for chunk in chunks:
        held.append(chunk)
        while sum(map(len, held)) >= size:
            whole = joined(held)
            yield whole.take(slice(0, size))
            held = [whole.take(slice(size, None))] if len(whole) > size else []
    if held:
        yield joined(held)


def joined(parts: list[S]) -> S:
    """One or more chunks as one."""
    return parts[0] if len(parts) == 1 else parts[0].concat(parts)


def empty(shape: tuple[int, ...], dtype: Any, folder: Path) -> np.ndarray:
    """An array to be filled: in memory up to 64 MiB, beyond that in a temporary file that goes away with the array.

    Where the folder cannot be written, it is the system's folder for temporary files.

    Raises:
        ResourceError: there is no room for it.
    """
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    if size <= LIMIT:
        return np.empty(shape, dtype)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _mapped(shape, dtype, size, folder)
    except OSError as error:
        if error.errno not in (
            errno.ENOSPC,
            errno.EDQUOT,
            errno.EFBIG,
        ):  # it cannot be written: a home of nobody, a file
            with contextlib.suppress(OSError):
                return _mapped(shape, dtype, size, Path(tempfile.gettempdir()))
        cause = f"{size / 1e9:.1f} GB of samples cannot be kept in {folder}: {error.strerror or error}"
        raise ResourceError(cause, "set GAN_CACHE_DIR to a larger disk, or ask for fewer samples") from None


def _mapped(shape: tuple[int, ...], dtype: Any, size: int, folder: Path) -> np.ndarray:
    """An array in a temporary file of a folder."""
    with tempfile.TemporaryFile(dir=folder, prefix=".spool-") as file:
        if hasattr(os, "posix_fallocate"):  # a full disk is then an error here, not a bus error while filling
            os.posix_fallocate(file.fileno(), 0, size)
        return np.memmap(file, dtype, "w+", shape=shape)


class Spool(Generic[S]):
    """The samples of a stream, kept to be read again.

    Args:
        n: how many there will be.
        folder: where temporary files may be written.
    """

    def __init__(self, n: int, folder: Path) -> None:
        self._n, self._folder, self._done = n, folder, 0
        self._kind: type[S] | None = None
        self._arrays: dict[str, np.ndarray] = {}

    def through(self, chunks: Iterable[S]) -> Iterator[S]:
        """Keep each chunk, and hand it on."""
        for chunk in chunks:
            self.add(chunk)
            yield chunk

    def add(self, chunk: S) -> None:
        """Keep a chunk."""
        packed = chunk.pack()
        if self._kind is None:
            self._kind = type(chunk)
            self._arrays = {k: empty((self._n, *v.shape[1:]), v.dtype, self._folder) for k, v in packed.items()}
        for key, value in packed.items():
            self._arrays[key][self._done : self._done + len(chunk)] = value
            cache.release(self._arrays[key])
        self._done += len(chunk)

    @property
    def samples(self) -> S:
        """What was kept so far."""
        assert self._kind is not None, "nothing was kept"
        return self._kind.unpack({key: value[: self._done] for key, value in self._arrays.items()})


def spooled(chunks: Iterable[S], n: int, folder: Path) -> S:
    """All samples of a stream."""
    spool = Spool[S](n, folder)
    for chunk in chunks:
        spool.add(chunk)
    return spool.samples
