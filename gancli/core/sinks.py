"""Where a run reports to: the journal on disk, `status.json`, a terminal, TensorBoard. One fan-out, any number of sinks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gancli.core.contracts import Logs
    from gancli.core.samples import Samples


Note = Callable[[str], None]  # is given a line of words
Bar = Callable[[str, int, int], None]  # is given what is done, how much of it, and of how much


@dataclass(frozen=True)
class Progress:
    """How far a run is."""

    step: int
    images: int  # real data drawn
    epoch: int  # data in an epoch
    total: int  # data that it will have drawn in the end, as far as is known
    seconds: float  # of training, over all its sessions
    losses: tuple[str, ...] = ()  # the log keys of the phases' losses, in their order


class Sink:
    """What a run reports to. Every method may be left as it is."""

    def begin(self, progress: Progress) -> None:
        """Training begins, or goes on."""

    def step(self, progress: Progress, logs: Logs) -> None:
        """After every step; `logs` are scalars still on the device: reading one waits for it."""

    def scalars(self, step: int, values: Mapping[str, Any]) -> None:
        """The means since the last call, by key (`loss/D`, `logit/D/real`, `grad/G`), with the time (`images`, `seconds`)."""

    def samples(self, step: int, name: str, samples: Samples, recipe: Mapping[str, Any]) -> None:
        """Previews made at a step."""

    def event(self, kind: str, **facts: Any) -> None:
        """Something happened.

        Args:
            kind: `note` or `warning` (text); `epoch` (progress, values); `validation`, `monitor` (line); `saving`, `saved` (step);
                `finished`, `stopped`, `diverged`, `failed` (reason).
            facts: what belongs to it.
        """

    def rewind(self, step: int, still_open: bool = False) -> None:
        """The run goes on from a step: what was reported after it is to be forgotten.

        With `still_open` also the scalars of that very step, whose window goes on.
        """

    def sync(self) -> None:
        """A checkpoint is about to be written: what was reported must be on the disk before it."""

    def end(self) -> None:
        """Training is over, for now."""


class Sinks(Sink):
    """Several sinks as one."""

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
        """A line of words."""
        self.event("note", text=text)

    def warn(self, text: str) -> None:
        """A line that somebody should read."""
        self.event("warning", text=text)
