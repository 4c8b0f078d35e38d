"""Signals, recorded so that the loop can stop after a step. A second Ctrl-C stops at once."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import Self

CAUGHT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class InterruptedWork(BaseException):
    """A signal arrived within `Signals.breaking`."""


class Signals:
    """`with Signals() as signals:` catches SIGINT, SIGTERM and SIGHUP; `signals.caught` is the first of them, or 0.

    Signals that the process ignores stay ignored (nohup, background jobs). Outside the main thread nothing is caught.
    """

    def __init__(self) -> None:
        self.caught = 0
        self.asked: Callable[[], bool] = lambda: False  # whether something else asks to stop
        self._breaking = False
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in CAUGHT:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._catch)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    @contextlib.contextmanager
    def breaking(self) -> Iterator[None]:
        """For long work without side effects that can be repeated: a signal raises InterruptedWork within it."""
        if self.caught:
            raise InterruptedWork
        self._breaking = True
        try:
            yield
        finally:
            self._breaking = False

    def _catch(self, number: int, _frame: FrameType | None) -> None:
        if self.caught and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.caught = self.caught or number
        if self._breaking:
            self._breaking = False
            raise InterruptedWork
