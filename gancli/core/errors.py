"""What a user can be told: one line that names the cause and the remedy, and an exit code.

Every error that is not a bug derives from `GanError`; the command line prints it without a traceback.
"""

from __future__ import annotations

import signal
from typing import ClassVar


class GanError(Exception):
    """A cause and, where there is one, the remedy. `code` is the exit code of the command line."""

    code: ClassVar[int] = 1

    def __init__(self, cause: str, remedy: str = "") -> None:
        super().__init__(cause if not remedy else f"{cause}  ->  {remedy}")
        self.cause, self.remedy = cause, remedy


class UsageError(GanError):
    """A wrong option, name or combination."""

    code = 2


class DataError(GanError):
    """Data that is missing, broken, or not what the run was trained on."""

    code = 3


class CheckpointError(GanError):
    """A checkpoint or model file that is missing, damaged or not ours."""

    code = 4


class ResourceError(GanError):
    """Disk, memory, or versions that do not fit together."""

    code = 5


class DivergedError(GanError):
    """A loss, gradient or weight that is not finite."""

    code = 6


class InUseError(GanError):
    """Another process is training this run."""

    code = 7


class BoundError(GanError):
    """A bound that was asked for (`--fail-if`) is not met."""

    code = 8


class StoppedError(GanError):
    """Stopped by a signal, after saving. `code` is 128 plus the signal's number."""

    def __init__(self, signal_number: int, cause: str, remedy: str = "") -> None:
        super().__init__(cause, remedy)
        self.exit_code = 128 + signal_number
        self.name = signal.Signals(signal_number).name  # "SIGTERM"
