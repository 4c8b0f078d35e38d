"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gancli.core.errors import CheckpointError, ResourceError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
MAX_JSON = 4 << 20  # bytes


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


def replace(path: Path, *pieces: bytes | memoryview) -> None:
    """Write beside, then rename: readers see the old file or the new one, never a part. Of several writers each waits for its turn."""
    beside = path.with_name(f".{path.name}.tmp")
    with _alone(beside):
        try:
            write_synced(beside, *pieces)
            beside.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                beside.unlink()
            raise
    sync_folder(path.parent)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
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


def as_json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def size_of(path: Path) -> int:
    """A regular file's size. Raises CheckpointError for what is missing or no file: a pipe would be waited for, a device has no end."""
    try:
        found = path.stat()
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    if not stat.S_ISREG(found.st_mode):
        raise CheckpointError(f"{path} is not a file")
    return found.st_size


def read_capped(path: Path, most: int) -> bytes:
    """A regular file's bytes. Raises CheckpointError if it is missing, no file, or larger than `most`."""
    if size_of(path) > most:
        raise CheckpointError(f"{path} is larger than {_amount(most)}, which is more than it can need")
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror}") from None
    if len(content) > most:
        raise CheckpointError(f"{path} grew while it was read")
    return content


def table(content: bytes, name: str) -> dict[str, Any]:
    """A JSON object. Raises CheckpointError naming the file if it is anything else."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{name} is damaged: {error}") from None
    if not isinstance(value, dict):
        raise CheckpointError(f"{name} is damaged: not a table")
    return value


def _amount(size: int) -> str:
    return f"{size >> 30} GB" if size >= 1 << 30 else f"{size / 1e6:.3g} MB"


@contextlib.contextmanager
def disk(what: str, path: Path, needed: int = 0, then: str = "gan resume") -> Iterator[None]:
    """Context what a disk can do to us into a ResourceError that says how much is needed, and what to do `then`, with room again."""
    try:
        yield
    except OSError as error:
        size = f" ({needed / 1e6:.3g} MB needed)" if needed else ""
        again = f", then: {then}" if then else ""
        if error.errno == errno.EFBIG:
            raise ResourceError(
                f"{what} in {path} is over the limit of a file's size{size}", f"ulimit -f unlimited{again}"
            ) from error
        if error.errno in FULL:
            raise ResourceError(f"no room for {what} in {path}{size}", f"free some disk{again}") from error
        remedy = "check its owner and its rights"
        if error.errno == errno.ENOENT and not (above := Path(error.filename or path).parent).exists():
            remedy = f"mkdir -p {shlex.quote(str(above))}"
        raise ResourceError(f"cannot write {what} in {path}: {error.strerror or error}", remedy) from error
