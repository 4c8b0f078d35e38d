"""Files that are there whole or not at all, and reading no more than was expected."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from gancli.core.errors import CheckpointError


def write_synced(path: Path, *pieces: bytes | memoryview) -> None:
    """Write and fsync; the file is on the disk when this returns."""
    with path.open("wb") as file:
        file.writelines(pieces)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """fsync a folder, so that the names in it are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_atomic(path: Path, *pieces: bytes | memoryview, synced: bool = True) -> None:
    """Write beside, then rename: readers see the old file or the new one, never a part.

    Of several writers each waits for its turn; what a killed one left is taken over.

    Args:
        path: the file, in a folder that is there.
        pieces: its content.
        synced: whether it must be on the disk when this returns.

    Raises:
        OSError: it cannot be written; `path` is then as it was.
    """
    beside = path.with_name(f".{path.name}.tmp")
    with _locked(beside):
        try:
            if synced:
                write_synced(beside, *pieces)
            else:
                beside.write_bytes(b"".join(pieces))
            beside.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                beside.unlink()
            raise
    if synced:
        sync_folder(path.parent)


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """As `replace`, for what is written piece by piece and can be made again: not synced, and nobody waits.

    Each writer has a temporary file of its own, as a cache may lie on a disk without locks; the folder is made.

    Yields:
        The temporary file to write to; it is removed if writing fails.

    Raises:
        OSError: the folder cannot be made, or the file not written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:64]}.", suffix=".part", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a file that is renamed or removed in the end, made if it is not there. One that a killed process left is taken over."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            with contextlib.suppress(OSError):  # a disk without locks
                fcntl.flock(handle, fcntl.LOCK_EX)
            if _is_still(handle, path):
                yield
                return
        finally:
            os.close(handle)


def _is_still(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:  # another writer was done with it
        return False


def size_of(path: Path) -> int:
    """A regular file's size in bytes.

    Raises:
        CheckpointError: it is missing or no file: a pipe would be waited for, a device has no end.
    """
    try:
        found = path.stat()
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    return _regular(found, path)


def _regular(found: os.stat_result, path: Path) -> int:
    if not stat.S_ISREG(found.st_mode):
        raise CheckpointError(f"{path} is not a file")
    return found.st_size


def read_capped(path: Path, most: int, follow: bool = True) -> bytes:
    """A regular file's bytes.

    Args:
        path: the file.
        most: bytes that it can need at most.
        follow: whether it may be a symbolic link.

    Raises:
        CheckpointError: it is missing, no file, or larger than `most`; caused by the OSError, if there was one.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW)  # a pipe is not waited for
    try:
        handle = os.open(path, flags)
        try:
            if _regular(os.fstat(handle), path) > most:
                raise CheckpointError(f"{path} is larger than {_amount(most)}, which is more than it can need")
            with os.fdopen(handle, "rb", closefd=False) as file:
                content = file.read(most + 1)
        finally:
            os.close(handle)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    if len(content) > most:
        raise CheckpointError(f"{path} grew while it was read")
    return content


def _amount(size: int) -> str:
    return f"{size >> 30} GB" if size >= 1 << 30 else f"{size / 1e6:.3g} MB"
