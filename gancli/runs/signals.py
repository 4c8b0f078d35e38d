"""Signals as a question that the loop asks after each step. The second Ctrl-C does not wait."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Self

CAUGHT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class InterruptedWork(BaseException):
    """A signal came within `Signals.breaking`."""


class Signals:
    """`with Signals() as signals:` catches SIGINT, SIGTERM and SIGHUP; `signals.caught` is the first of them, or 0.

    What the process was started to ignore stays ignored (nohup, a job in the background). Outside the main thread nothing is caught.
    """

    def __init__(self) -> None:
        self.caught = 0
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
        """Long work that changes nothing and can be done again: a signal leaves it at once. Raises InterruptedWork."""
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
