"""Errors with cause, remedy and exit code.

Every error that is not a bug derives from `GanError`; the command line prints it as one line, without a traceback.
"""

from __future__ import annotations

import signal
from typing import ClassVar


class GanError(Exception):
    """Base of all errors.

    Args:
        cause: what is wrong.
        remedy: what the user can do about it; may be empty.

    Attributes:
        code: exit code of the command line.
    """

    code: ClassVar[int] = 1

    def __init__(self, cause: str, remedy: str = "") -> None:
        super().__init__(cause if not remedy else f"{cause}  ->  {remedy}")
        self.cause, self.remedy = cause, remedy


class UsageError(GanError):
    """An invalid option, name or combination of options."""

    code = 2


class DataError(GanError):
    """Data that is missing, corrupt, or different from the data that the run was trained on."""

    code = 3


class CheckpointError(GanError):
    """A checkpoint or model file that is missing, corrupt or of an unknown format."""

    code = 4


class ResourceError(GanError):
    """Not enough disk space or memory, a lost rank, or incompatible versions."""

    code = 5


class DivergedError(GanError):
    """Training diverged: a loss, gradient or weight is not finite."""

    code = 6


class InUseError(GanError):
    """Another process is training this run."""

    code = 7


class BoundError(GanError):
    """A condition given by `--fail-if`, such as `fid>10`, holds."""

    code = 8


class StoppedError(GanError):
    """Training was stopped by a signal, after a checkpoint was saved. `exit_code` is 128 plus the signal number."""

    def __init__(self, signal_number: int, cause: str, remedy: str = "") -> None:
        super().__init__(cause, remedy)
        self.exit_code = 128 + signal_number
        self.name = signal.Signals(signal_number).name  # "SIGTERM"


def reason_of(error: Exception) -> str:
    """What an exception says, of an OSError without its number and path."""
    return getattr(error, "strerror", None) or str(error)
