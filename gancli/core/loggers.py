"""The contract of a logger, which passes on what a run reports, and the guard that keeps its errors away from training."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from gancli.core.registry import Part
from gancli.core.sinks import Note, Progress, Sink

if TYPE_CHECKING:
    from gancli.core.contracts import Logs
    from gancli.core.samples import Samples


class Logger(Part):
    """An output of training metrics, chosen with `--log`."""

    kind: ClassVar[str] = "logger"

    @abstractmethod
    def open(self, run: Path, config: Mapping[str, Any]) -> Sink:
        """Begin to log a run, or to log it further.

        Args:
            run: its folder.
            config: its configuration.
        """


class Guarded(Sink):
    """A sink whose errors become one warning, after which it is left alone: an error of a logger never stops training.

    Args:
        name: of the logger.
        open_sink: makes the sink.
        warn: called with the warning.
    """

    def __init__(self, name: str, open_sink: Callable[[], Sink], warn: Note) -> None:
        self.name, self.warn = name, warn
        self.sink: Sink | None = None
        self._try(lambda: setattr(self, "sink", open_sink()))

    def _try(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as error:  # noqa: BLE001
            self.sink = None
            self.warn(f"the logger {self.name} is off: {type(error).__name__}: {error}")

    def _pass(self, method: str, *values: Any, **named: Any) -> None:
        sink = self.sink
        if sink is not None:
            self._try(lambda: getattr(sink, method)(*values, **named))

    def begin(self, progress: Progress) -> None:
        self._pass("begin", progress)

    def step(self, progress: Progress, logs: Logs) -> None:
        self._pass("step", progress, logs)

    def scalars(self, step: int, values: Mapping[str, Any]) -> None:
        self._pass("scalars", step, values)

    def samples(self, step: int, name: str, samples: Samples, recipe: Mapping[str, Any]) -> None:
        self._pass("samples", step, name, samples, recipe)

    def event(self, kind: str, **facts: Any) -> None:
        if not (kind == "warning" and self.sink is None):
            self._pass("event", kind, **facts)

    def rewind(self, step: int, still_open: bool = False) -> None:
        self._pass("rewind", step, still_open)

    def sync(self) -> None:
        self._pass("sync")

    def end(self) -> None:
        self._pass("end")


def guarded(loggers: Iterable[Logger], run: Path, config: Mapping[str, Any], warn: Note) -> list[Sink]:
    """The sinks of loggers.

    Args:
        loggers: as configured.
        run: the run's folder.
        config: its configuration.
        warn: called with a warning if a logger fails.
    """
    return [Guarded(one.name, lambda one=one: one.open(run, config), warn) for one in loggers]  # type: ignore[misc]
