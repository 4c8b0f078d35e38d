"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gancli.errors import ResourceError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write_synced(path: Path, content: bytes) -> None:
    """Write and fsync; the file is on the disk when this returns."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """fsync a folder, so that the names in it are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace(path: Path, content: bytes) -> None:
    """Write beside, then rename: readers see the old file or the new one, never a part."""
    beside = path.with_name(f".{path.name}.tmp")
    write_synced(beside, content)
    beside.replace(path)
    sync_folder(path.parent)


def as_json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


@contextlib.contextmanager
def disk(what: str, path: Path, needed: int = 0) -> Iterator[None]:
    """Turn what a disk can do to us into a ResourceError that says how much is needed."""
    try:
        yield
    except OSError as error:
        size = f" ({needed / 1e6:.0f} MB needed)" if needed else ""
        if error.errno in FULL:
            raise ResourceError(f"no room for {what} in {path}{size}", "free some disk, then: gan resume") from error
        raise ResourceError(f"cannot write {what} in {path}: {error.strerror}") from error
