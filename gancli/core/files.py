"""Atomic writing of files, and reading with an upper bound on the size."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from gancli.core.errors import CheckpointError


def write_synced(path: Path, *pieces: bytes | memoryview) -> None:
    """Write a file and fsync it.

    Args:
        path: the file.
        pieces: its content, concatenated.
    """
    with path.open("wb") as file:
        file.writelines(pieces)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """fsync a folder, which makes created and renamed files in it durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_atomic(path: Path, *pieces: bytes | memoryview, synced: bool = True) -> None:
    """Write a file atomically, through a temporary file that is renamed: readers see the old or the new content.

    Concurrent writers wait for each other. A temporary file left by a killed process is reused.

    Args:
        path: the file, in an existing folder.
        pieces: its content, concatenated.
        synced: whether to fsync file and folder.

    Raises:
        OSError: writing failed; `path` is unchanged.
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
    """Write a file atomically and incrementally, without fsync and without waiting for other writers.

    For caches and downloads, which can be recreated. Every writer has its own temporary file, since a cache may be on a
    file system without locks. The folder is created.

    Args:
        path: the file.

    Yields:
        The temporary file to write to. It replaces `path` at the end, or is removed if an exception is raised.

    Raises:
        OSError: the folder or file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name[:64]}.{secrets.token_hex(6)}.part")
    os.close(
        os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    )  # permissions by umask, unlike those of tempfile
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a temporary file, which is created if missing and renamed or removed in the end."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            with contextlib.suppress(OSError):  # the file system has no locks
                fcntl.flock(handle, fcntl.LOCK_EX)
            if _is_same_file(handle, path):
                yield
                return
        finally:
            os.close(handle)


def _is_same_file(handle: int, path: Path) -> bool:
    """Whether an open file is still the one at `path`: the previous holder of the lock may have renamed it."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def size_of(path: Path) -> int:
    """The size of a regular file in bytes.

    Args:
        path: the file.

    Raises:
        CheckpointError: the file is missing, or is no regular file: reading a pipe may block, and a device has no end.
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
    """Read a regular file.

    Args:
        path: the file.
        most: upper bound of its size in bytes.
        follow: whether it may be a symbolic link.

    Returns:
        Its content.

    Raises:
        CheckpointError: the file is missing, no regular file, or larger than `most`; `__cause__` is the OSError, if any.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW)  # opening a pipe must not block
    try:
        handle = os.open(path, flags)
        try:
            if _regular(os.fstat(handle), path) > most:
                raise CheckpointError(f"{path} is larger than the limit of {_amount(most)}")
            with os.fdopen(handle, "rb", closefd=False) as file:
                content = file.read(most + 1)
        finally:
            os.close(handle)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    if len(content) > most:
        raise CheckpointError(f"{path} grew while it was being read")
    return content


def _amount(size: int) -> str:
    return f"{size >> 30} GB" if size >= 1 << 30 else f"{size / 1e6:.3g} MB"
