"""Signals as a question that the loop asks after each step. The second Ctrl-C does not wait."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Self

CAUGHT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    """`with Signals() as signals:` catches SIGINT, SIGTERM and SIGHUP; `signals.caught` is the first of them, or 0."""

    def __init__(self) -> None:
        self.caught = 0

    def __enter__(self) -> Self:
        self._before = {s: signal.signal(s, self._catch) for s in CAUGHT}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _catch(self, number: int, _frame: FrameType | None) -> None:
        if self.caught and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.caught = number
