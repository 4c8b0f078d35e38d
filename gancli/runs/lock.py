"""One training process per run. The lock is flock, so that the kernel frees it when a process is killed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from gancli.core.errors import InUseError
from gancli.core.files import Folder
from gancli.runs.files import disk

NAME = ".lock"
SAID = 32  # bytes, more than a process id has
LOOK = 0.05  # seconds, more than `holder` has the lock


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the run's lock. Raises InUseError with the process that holds it, ResourceError if the folder cannot be written."""
    with disk("the run's lock", folder):
        handle = Folder(folder).opened(NAME, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        with disk("the run's lock", folder):
            if not _got(handle):
                time.sleep(LOOK)
                if not _got(handle):
                    raise InUseError(f"{folder} is being trained by process {_said(handle)}", "wait for it, or stop it")
        with contextlib.suppress(OSError):  # a full disk: the lock holds without its owner's name
            found = os.fstat(handle)
            if found.st_nlink == 1 and found.st_size <= SAID:  # else it is another file, by a hard link
                os.truncate(handle, 0)
                os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def holder(folder: Path) -> str:
    """The id of the process that trains the run now, or "". Changes nothing."""
    try:
        handle = Folder(folder).opened(NAME, os.O_RDONLY)
    except OSError:
        return ""
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _said(handle)
    else:
        return ""
    finally:
        os.close(handle)


def _got(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _said(handle: int) -> str:
    said = os.pread(handle, SAID, 0).strip()
    return said.decode() if said.isdigit() else "unknown"


def acquire(held: contextlib.ExitStack, folder: Path, patience: float = 0) -> None:
    """Take the run's lock into `held`. The processes of a run that was just restarted may need a while to release it.

    Args:
        held: releases the lock when it closes.
        folder: of the run.
        patience: seconds to wait.

    Raises:
        InUseError: another process holds the lock for longer than that.
    """
    end = time.monotonic() + patience
    while True:
        try:
            held.enter_context(locked(folder))
            return
        except InUseError:
            if time.monotonic() > end:
                raise
            time.sleep(1)
