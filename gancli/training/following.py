"""What each rank does between steps: the first keeps the run folder, the others wait where it takes its time."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from gancli.core.errors import GanError, ResourceError
from gancli.runs import history
from gancli.training.loop import crossed
from gancli.training.recovery import Retries

if TYPE_CHECKING:
    from gancli.core.config import Config
    from gancli.core.contracts import Logs
    from gancli.distributed.ranks import Ranks
    from gancli.runs.folder import Run
    from gancli.runs.signals import Signals
    from gancli.training.session import Sitting, Voice
    from gancli.training.state import State


def log_of(run: Run, rank: int) -> Path:
    """Where a rank writes what it has to say."""
    return run.path / f"log.rank{rank}.txt" if rank else run.log


class Following:
    """The loop's `Watch`. `sitting` is there on the first alone; stopping is what all agree on."""

    def __init__(
        self,
        ranks: Ranks,
        sitting: Sitting | None,
        cfg: Config,
        signals: Signals,
        voice: Voice,
        run: Run,
        state: State,
    ) -> None:
        self.ranks, self.sitting, self.cfg, self.signals, self.voice = ranks, sitting, cfg, signals, voice
        steps, self.every, self.looked = ranks.by_first(lambda: self._known(run))
        self.retries = Retries(steps)
        self.retries.apply(state, cfg)

    def _known(self, run: Run) -> tuple[list[int], int, int]:
        """Where the run went back to; how often, in images, the monitor looks, and when it last did."""
        steps = [line["step"] for line in history.read(run.path) if "diverged" in line]
        monitor = self._first.signs.monitor
        return steps, monitor.every, monitor.lines[-1].get("images", 0) if monitor.lines else 0

    def stepped(self, state: State, logs: Logs) -> bool:
        self.retries.apply(state, self.cfg)
        if crossed(self.looked, state.images, self.every):
            self.looked = state.images
            self.ranks.by_first(lambda: self._first.stepped(state, logs))
        elif self.sitting is not None:
            self.sitting.stepped(state, logs)
        if self.sitting is None:
            self.voice.progress(state, logs)
        return self.asked()

    def asked(self) -> bool:
        return self.ranks.ask("signal", self.signals.caught != 0)

    def line(self, values: dict[str, float]) -> None:
        if self.sitting is not None:
            self.sitting.line(values)

    def epoch(self, state: State) -> None:
        if self.sitting is None:
            self.voice.epoch(state, state.meter.read())
        else:
            self.sitting.epoch(state)

    def sample(self, state: State) -> None:
        self.ranks.by_first(lambda: self._first.sample(state))

    def evaluate(self, state: State) -> str:
        """What was trained is saved if this fails."""
        try:
            return self.ranks.by_first(lambda: self._first.evaluate(state))
        except GanError:
            self.save(state)
            raise

    def catch_up(self, state: State) -> str:
        return self.ranks.by_first(lambda: self._first.scores.catch_up(state))

    def save(self, state: State) -> None:
        """Raises ResourceError if the ranks' weights are no longer the same to the bit: they must never be saved as one."""
        for name, net in state.nets.items() if self.ranks.world > 1 else ():
            here = float(zlib.crc32(net.flat.detach().cpu().numpy().tobytes()))
            largest, smallest = self.ranks.most([here, -here])
            if largest != -smallest:
                raise ResourceError(f"the ranks' {name} drifted apart before step {state.step}", "gan resume")
        self.ranks.by_first(lambda: self._first.save(state))

    @property
    def _first(self) -> Sitting:
        assert self.sitting is not None
        return self.sitting
