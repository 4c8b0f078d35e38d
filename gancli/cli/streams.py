"""Streams that may be closed or have few characters, and signals outside of training."""

from __future__ import annotations

import codecs
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
PLAIN = "gan-plain"  # what a stream does with characters that its encoding does not have


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


def _plain(error: UnicodeError) -> tuple[str, int]:
    """The codec error handler `PLAIN`: no output ends because of a character."""
    from gancli.report.text import encodable

    assert isinstance(error, UnicodeEncodeError)
    return encodable(error.object[error.start : error.end], "ascii"), error.end


@contextlib.contextmanager
def _plain_where_needed(stream: Any) -> Iterator[None]:
    """Make a text stream write other characters in place of those that its encoding does not have."""
    codecs.register_error(PLAIN, _plain)
    if not isinstance(stream, io.TextIOWrapper):
        yield
        return
    before = stream.errors
    stream.reconfigure(errors=PLAIN)
    try:
        yield
    finally:
        with contextlib.suppress(OSError, ValueError):  # closed
            stream.reconfigure(errors=before)


@contextlib.contextmanager
def guarded() -> Iterator[Caught]:
    """Streams that endure closed terminals and odd characters; SIGTERM and SIGHUP as KeyboardInterrupt.

    Signals that are ignored stay ignored (nohup).
    """
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
        with _plain_where_needed(out), _plain_where_needed(err):
            yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.stdout, sys.stderr = out, err


def hush() -> None:
    """Discard what is left in the buffer of a closed standard output."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)
