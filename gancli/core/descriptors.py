"""Checks and system calls below `files.py`: descriptors of folders and files, relative to their folder and without links; data files."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

ENTER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
PLAIN = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC  # opening a pipe must not block
DENSE_FROM = 64 << 20  # bytes; a larger file with fewer than one byte in 64 on the disk is no file of ours
WRITTEN = 1 << 26  # bytes in one system call


class ForeignError(OSError):
    """A link, pipe, device or folder where a file was expected, or a file that another user can change."""


@contextlib.contextmanager
def named(path: Path) -> Iterator[None]:
    """Errors within carry the whole path, not the name relative to a descriptor."""
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        raise


def entered(name: str, above: int, path: Path) -> int:
    """The descriptor of a folder that must not be a link."""
    with named(path):
        try:
            return os.open(name, ENTER | os.O_NOFOLLOW, dir_fd=above)
        except NotADirectoryError:  # a link, too
            check(os.stat(name, dir_fd=above, follow_symlinks=False), stat.S_ISDIR, "folder")
            raise


def check(found: os.stat_result, wanted: Callable[[int], bool], what: str) -> None:
    """Raises OSError if it is a link, or not what is wanted: reading a pipe may block, and a device has no end."""
    if stat.S_ISLNK(found.st_mode):
        raise ForeignError(errno.ELOOP, "is a link, which is not followed")
    if not wanted(found.st_mode):
        raise ForeignError(errno.EINVAL, f"is not a {what}")


def plain_file(name: str, folder: int, flags: int, mode: int, mine: bool) -> int:
    """The descriptor of a regular file; see `Folder.opened`."""
    with contextlib.suppress(FileNotFoundError):  # a device is not even opened
        check(os.stat(name, dir_fd=folder, follow_symlinks=False), stat.S_ISREG, "file")
    handle = os.open(name, flags | PLAIN, mode, dir_fd=folder)
    try:
        found = os.fstat(handle)
        check(found, stat.S_ISREG, "file")
        if mine and (found.st_uid != os.geteuid() or found.st_mode & 0o022):
            raise ForeignError(errno.EPERM, "belongs to, or can be written by, another user")
    except OSError:
        os.close(handle)
        raise
    return handle


def replaced(name: str, folder: int) -> int | None:
    """The permissions of the file that will be replaced, if it is this user's. Raises OSError if it is no regular file."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    check(found, stat.S_ISREG, "file")
    return stat.S_IMODE(found.st_mode) if found.st_uid == os.geteuid() else None


@contextlib.contextmanager
def replacing(name: str, folder: int, path: Path, synced: bool, mode: int) -> Iterator[BinaryIO]:
    """A file that takes the place of another one in the end; see `Folder.writing`."""
    temporary = temporary_name()
    with named(path):
        kept = replaced(name, folder)
        handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | PLAIN, mode, dir_fd=folder)
    try:
        with os.fdopen(handle, "w+b") as file:
            if kept is not None:
                os.fchmod(handle, kept)
            yield file
            file.flush()
            if synced:
                os.fsync(handle)
        with named(path):
            os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise
    if synced:
        os.fsync(folder)


def temporary_name() -> str:
    """A name for a file or folder that nobody can guess."""
    return f".gan-{secrets.token_hex(8)}.part"


def is_hollow(handle: int) -> bool:
    """Whether a large file is nearly all holes, so that next to nothing on the disk claims any number of bytes."""
    size, at, held = os.fstat(handle).st_size, 0, 0
    if size < DENSE_FROM or not hasattr(os, "SEEK_DATA"):
        return False
    try:
        while at < size and held < size // 64:
            start = os.lseek(handle, at, os.SEEK_DATA)
            at = os.lseek(handle, start, os.SEEK_HOLE)
            held += at - start
    except OSError:  # ENXIO: there are no more data
        pass
    os.lseek(handle, 0, os.SEEK_SET)
    return held < size // 64


def write_all(handle: int, pieces: Iterable[bytes | memoryview]) -> None:
    """Write pieces to a descriptor, however little the system takes at a time."""
    for piece in pieces:
        rest = memoryview(piece).cast("B")
        while rest:
            rest = rest[os.write(handle, rest[:WRITTEN]) :]


def amount(size: int) -> str:
    """A number of bytes in words."""
    return f"{size >> 30} GB" if size >= 1 << 30 else f"{size / 1e6:.3g} MB"


def open_named(path: Path) -> BufferedReader:
    """A file that the user named, to be read; links are followed.

    Raises:
        OSError: there is none, or it is no regular file, empty or a large one of holes. The kernel's own files, which seem empty, may have
            no end.
    """
    handle = os.open(path, os.O_RDONLY | PLAIN & ~os.O_NOFOLLOW)
    try:
        found = os.fstat(handle)
        check(found, stat.S_ISREG, "file")
        if not found.st_size:
            raise OSError(errno.ENODATA, "the file is empty", str(path))
        if is_hollow(handle):
            raise ForeignError(errno.EFBIG, "the file consists of holes", str(path))
    except OSError:
        os.close(handle)
        raise
    return os.fdopen(handle, "rb")
