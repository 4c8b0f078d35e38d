"""The loop around the step. What happens when is a function of the images seen; `Watch` is told, and may stop it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from gancli.core.contracts import Logs, Task
from gancli.distributed.ranks import ALONE, Ranks
from gancli.training.step import step

if TYPE_CHECKING:
    from gancli.core.config import Config
    from gancli.data.store import Store
    from gancli.training.state import State


class Watch(Protocol):
    """What a loop reports to."""

    def stepped(self, state: State, logs: Logs) -> bool:
        """After every step; true asks to stop now."""

    def asked(self) -> bool:
        """Whether to stop now."""

    def line(self, values: dict[str, float]) -> None:
        """A line of the journal, unless this step has one: a run that was finished has its last."""

    def epoch(self, state: State) -> None:
        """An epoch has ended."""

    def sample(self, state: State) -> None:
        """Time for a grid of samples."""

    def evaluate(self, state: State) -> str:
        """Time for an evaluation; "quality" says that the one asked for is reached, "best" that none was as good before."""

    def catch_up(self, state: State) -> str:
        """Before the first step: as `evaluate`, of what was evaluated at this step or should have been."""

    def save(self, state: State) -> None:
        """Time for a checkpoint."""


def fit(task: Task, state: State, store: Store, cfg: Config, watch: Watch, ranks: Ranks = ALONE) -> str:
    """Train until something asked for is reached, and say what: "images", "steps", "minutes", "quality" or "asked"."""
    total = cfg.stop.total(store.epoch)
    sampling = cfg.intervals.sample or store.epoch
    saving = cfg.intervals.save or save_interval(store.epoch)
    evaluating = evaluation_interval(cfg, store.epoch)
    clock = _Clock(state)
    reason = "quality" if watch.catch_up(state) == "quality" else finished(state, cfg, total)
    if reason:
        _finish(state, store, cfg, watch, clock)
    while not reason:
        before = state.images
        logs = step(task, state, store, cfg, ranks)
        clock.read(state)
        state.meter.add(logs)
        asked = watch.stepped(state, logs)
        if state.step % cfg.intervals.log == 0:
            watch.line(_line(state, store, clock))
        if crossed(before, state.images, store.epoch):
            watch.epoch(state)
        found = watch.evaluate(state) if crossed(before, state.images, evaluating) else ""
        asked = watch.asked() or asked
        reason = "quality" if found == "quality" else finished(state, cfg, total, ranks) or ("asked" if asked else "")
        if reason not in ("", "asked"):
            _finish(state, store, cfg, watch, clock)
        elif crossed(before, state.images, sampling):
            watch.sample(state)
        if reason or found or crossed(before, state.images, saving):
            clock.read(state)
            watch.save(state)
            clock.skip()
    return reason


def _finish(state: State, store: Store, cfg: Config, watch: Watch, clock: _Clock) -> None:
    """The last grid and the last line."""
    watch.sample(state)
    if state.step % cfg.intervals.log:
        watch.line(_line(state, store, clock, last=True))


def save_interval(epoch: int) -> int:
    """Whole epochs, about 50,000 images."""
    return epoch * max(1, round(50_000 / epoch)) if epoch <= 100_000 else 100_000


def evaluation_interval(cfg: Config, epoch: int) -> int:
    """Images between evaluations; 0: never."""
    return cfg.intervals.evaluate or (epoch if cfg.stop.until else 0)


def crossed(before: int, now: int, interval: int) -> bool:
    """Whether a multiple of the interval lies in (before, now]; never for 0."""
    return interval > 0 and before // interval != now // interval


def finished(state: State, cfg: Config, total: int, ranks: Ranks = ALONE) -> str:
    """Which of the images, steps and minutes asked for are reached; empty if none."""
    if state.images >= total:
        return "images"
    if cfg.stop.max_steps and state.step >= cfg.stop.max_steps:
        return "steps"
    if cfg.stop.max_minutes and ranks.ask("minutes", state.seconds >= 60 * cfg.stop.max_minutes):
        return "minutes"
    return ""


class _Clock:
    """Seconds of training: wall time less what saving took."""

    def __init__(self, state: State) -> None:
        self.last = time.monotonic()
        self.mark, self.images = state.seconds, state.images

    def read(self, state: State) -> None:
        now = time.monotonic()
        state.seconds += now - self.last
        self.last = now

    def skip(self) -> None:
        self.last = time.monotonic()

    def rate(self, state: State) -> float:
        """Images per second since the last time; of the whole run where there were none since."""
        images, seconds = state.images - self.images, state.seconds - self.mark
        rate = (images or state.images) / max(seconds if images else state.seconds, 1e-9)
        self.mark, self.images = state.seconds, state.images
        return rate


def _line(state: State, store: Store, clock: _Clock, last: bool = False) -> dict[str, float]:
    """The window's means. The last line of a run leaves the window open, for a resume that makes the run longer."""
    values = state.meter.read() if last else state.meter.drain()
    return {
        "step": state.step,
        "epoch": round(state.images / store.epoch, 4),
        "images": state.images,
        **values,
        "images_per_s": round(clock.rate(state), 1),
        "seconds": round(state.seconds, 2),
    }
