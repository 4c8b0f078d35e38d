"""One trainer per run. The lock is the kernel's (flock): a killed process leaves it free."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from gancli.errors import InUseError


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the run's lock. Raises InUseError naming the process that has it."""
    path = folder / ".lock"
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(handle, 32).decode(errors="replace").strip() or "unknown"
            raise InUseError(f"{folder} is being trained by process {holder}", "wait for it, or stop it") from None
        os.truncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)
