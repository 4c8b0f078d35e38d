"""A standard error that may be closed, and signals outside of training."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

STOPS = (signal.SIGTERM, signal.SIGHUP)


class Enduring:
    """A text stream that ignores failed writes: a closed terminal must not end training."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()

    def isatty(self) -> bool:
        try:
            return bool(self._stream.isatty())
        except (OSError, ValueError):
            return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Caught:
    """The signal that stopped a command before or after the loop, or 0."""

    number = 0


@contextlib.contextmanager
def guarded() -> Iterator[Caught]:
    """Streams that ignore failed writes, and SIGTERM and SIGHUP as KeyboardInterrupt, unless they are ignored (nohup)."""
    out, err, caught = sys.stdout, sys.stderr, Caught()

    def stop(number: int, _frame: FrameType | None) -> None:
        caught.number = number
        raise KeyboardInterrupt

    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {n: signal.signal(n, stop) for n in STOPS if signal.getsignal(n) is not signal.SIG_IGN}
    sys.stdout = out or io.StringIO()
    sys.stderr = Enduring(err or io.StringIO())
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.stdout, sys.stderr = out, err


def hush() -> None:
    """Discard what is left in the buffer of a closed standard output."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)
