"""Sinks receive what a run reports: the journal on disk, `status.json`, the terminal. `Sinks` forwards to any number of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gancli.core.contracts import Logs
    from gancli.core.samples import Samples


Note = Callable[[str], None]  # called with a line of text
Bar = Callable[[str, int, int], None]  # called with the name of a job, work done, total work


@dataclass(frozen=True)
class Progress:
    """The progress of a run."""

    step: int  # steps done
    images: int  # training images drawn
    epoch: int  # images per epoch
    total: int  # estimated total of training images
    seconds: float  # training time over all sessions
    losses: tuple[str, ...] = ()  # the log keys of the losses of the phases, in order


class Sink:
    """A receiver of reports. The methods do nothing; a subclass overrides those it needs."""

    def begin(self, progress: Progress) -> None:
        """Called when training begins or resumes."""

    def step(self, progress: Progress, logs: Logs) -> None:
        """Called after every step.

        Args:
            progress: of the run.
            logs: scalar tensors on the device by log key; reading a value synchronizes with the device.
        """

    def scalars(self, step: int, values: Mapping[str, Any]) -> None:
        """Called every `intervals.log` steps.

        Args:
            step: steps done.
            values: means since the last call by log key (`loss/D`, `logit/D/real`, `grad/G`), with `images` and `seconds`.
        """

    def samples(self, step: int, name: str, samples: Samples, recipe: Mapping[str, Any]) -> None:
        """Called with new preview samples.

        Args:
            step: steps done.
            name: of the preview.
            samples: the samples.
            recipe: their provenance, for metadata of the file.
        """

    def event(self, kind: str, **facts: Any) -> None:
        """Called on other events.

        Args:
            kind: `note` or `warning` (text); `epoch` (progress, values); `validation`, `monitor` (line); `saving`, `saved` (step);
                `finished`, `stopped`, `diverged`, `failed` (reason).
            facts: the values named in parentheses.
        """

    def rewind(self, step: int, still_open: bool = False) -> None:
        """Discard all reports after a step, from which the run resumes.

        Args:
            step: the step of the checkpoint.
            still_open: also discard the scalars of this step, whose logging interval continues.
        """

    def sync(self) -> None:
        """Make all reports durable (fsync). Called before a checkpoint is written."""

    def end(self) -> None:
        """Called at the end of a session."""


class Sinks(Sink):
    """Forwards every call to several sinks."""

    def __init__(self, sinks: Iterable[Sink]) -> None:
        self.sinks = list(sinks)

    def begin(self, progress: Progress) -> None:
        for sink in self.sinks:
            sink.begin(progress)

    def step(self, progress: Progress, logs: Logs) -> None:
        for sink in self.sinks:
            sink.step(progress, logs)

    def scalars(self, step: int, values: Mapping[str, Any]) -> None:
        for sink in self.sinks:
            sink.scalars(step, values)

    def samples(self, step: int, name: str, samples: Samples, recipe: Mapping[str, Any]) -> None:
        for sink in self.sinks:
            sink.samples(step, name, samples, recipe)

    def event(self, kind: str, **facts: Any) -> None:
        for sink in self.sinks:
            sink.event(kind, **facts)

    def rewind(self, step: int, still_open: bool = False) -> None:
        for sink in self.sinks:
            sink.rewind(step, still_open)

    def sync(self) -> None:
        for sink in self.sinks:
            sink.sync()

    def end(self) -> None:
        for sink in self.sinks:
            sink.end()

    def note(self, text: str) -> None:
        """Report the event `note`."""
        self.event("note", text=text)

    def warn(self, text: str) -> None:
        """Report the event `warning`."""
        self.event("warning", text=text)
