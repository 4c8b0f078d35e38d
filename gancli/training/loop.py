"""The loop around the step. What happens when is a function of the images drawn; it notifies the session, which may stop it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol

from gancli.core.contracts import Logs
from gancli.core.task import Task
from gancli.distributed.ranks import ALONE, Ranks
from gancli.training.step import step

if TYPE_CHECKING:
    from gancli.core.config import Config
    from gancli.data.loader import Loader
    from gancli.training.state import State


PREVIEWS = 4  # in a run of less than so many epochs
UNSAVED = 600.0  # seconds of training at most without a checkpoint, where the user has not chosen an interval


class Callbacks(Protocol):
    """What happens between steps (`training/session.py`)."""

    def stepped(self, state: State, logs: Logs) -> bool:
        """After every step; true asks to stop now."""

    def stop_requested(self) -> bool:
        """Whether to stop now."""

    def scalars(self, values: dict[str, Any]) -> None:
        """The means since the last call."""

    def epoch(self, state: State) -> None:
        """An epoch has ended."""

    def preview(self, state: State) -> None:
        """Time for previews."""

    def validate(self, state: State) -> str:
        """Time for a validation; "quality" says that the one asked for is reached, "best" that no earlier one was as good."""

    def catch_up(self, state: State) -> str:
        """Before the first step: as `validate`, of what was validated at this step or should have been."""

    def save(self, state: State) -> None:
        """Time for a checkpoint."""


def fit(task: Task, state: State, loader: Loader, cfg: Config, calls: Callbacks, ranks: Ranks = ALONE) -> str:
    """Train until something asked for is reached.

    Returns:
        What it was: "images", "steps", "minutes", "quality" or "asked" (a signal).
    """
    total = cfg.stop.total(loader.epoch)
    length = min(total, (cfg.stop.max_steps or total) * cfg.batch_size)
    previewing = cfg.intervals.sample or min(loader.epoch, -(-length // PREVIEWS))
    saving = cfg.intervals.save or save_interval(loader.epoch)
    validating = validation_interval(cfg, loader.epoch)
    timer, begun = _Timer(state), state.seconds
    saved = begun
    reason = "quality" if calls.catch_up(state) == "quality" else finished(state, cfg, total, begun)
    if reason:
        _finish(state, loader, cfg, calls, timer)
    while not reason:
        before = state.images
        logs = step(task, state, loader, cfg, ranks)
        timer.read(state)
        state.meter.add(logs)
        asked = calls.stepped(state, logs)
        if state.step % cfg.intervals.log == 0:
            calls.scalars(_line(state, loader, timer))
        if crossed(before, state.images, loader.epoch):
            calls.epoch(state)
        found = calls.validate(state) if crossed(before, state.images, validating) else ""
        asked = calls.stop_requested() or asked
        reason = (
            "quality" if found == "quality" else finished(state, cfg, total, begun, ranks) or ("asked" if asked else "")
        )
        if reason not in ("", "asked"):
            _finish(state, loader, cfg, calls, timer)
        elif crossed(before, state.images, previewing):
            calls.preview(state)
        late = not cfg.intervals.save and ranks.request("save", state.seconds - saved >= UNSAVED)
        if reason or found or late or crossed(before, state.images, saving):
            timer.read(state)
            calls.save(state)
            timer.skip()
            saved = state.seconds
            ranks.request("save", False)
    return reason


def _finish(state: State, loader: Loader, cfg: Config, calls: Callbacks, timer: _Timer) -> None:
    """The last preview and the last line."""
    calls.preview(state)
    if state.step % cfg.intervals.log:
        calls.scalars(_line(state, loader, timer, last=True))


def save_interval(epoch: int) -> int:
    """Whole epochs, about 50,000 images."""
    return epoch * max(1, round(50_000 / epoch)) if epoch <= 100_000 else 100_000


def validation_interval(cfg: Config, epoch: int) -> int:
    """Images between validations; 0: never."""
    return cfg.intervals.evaluate or (epoch if cfg.stop.until else 0)


def crossed(before: int, now: int, interval: int) -> bool:
    """Whether a multiple of the interval lies in (before, now]; never for 0."""
    return interval > 0 and before // interval != now // interval


def finished(state: State, cfg: Config, total: int, begun: float, ranks: Ranks = ALONE) -> str:
    """Which of the images, steps and minutes asked for are reached; empty if none. Minutes count from `begun`, seconds of training."""
    if state.images >= total:
        return "images"
    if cfg.stop.max_steps and state.step >= cfg.stop.max_steps:
        return "steps"
    if cfg.stop.max_minutes and ranks.request("minutes", state.seconds - begun >= 60 * cfg.stop.max_minutes):
        return "minutes"
    return ""


class _Timer:
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
        """Images per second since the last call; of the whole run where there were none since."""
        images, seconds = state.images - self.images, state.seconds - self.mark
        rate = (images or state.images) / max(seconds if images else state.seconds, 1e-9)
        self.mark, self.images = state.seconds, state.images
        return rate


def _line(state: State, loader: Loader, timer: _Timer, last: bool = False) -> dict[str, float]:
    """The window's means. The last line of a run leaves the window open, for a resume that makes the run longer."""
    values = state.meter.read() if last else state.meter.drain()
    return {
        "step": state.step,
        "epoch": round(state.images / loader.epoch, 4),
        "images": state.images,
        **values,
        "images_per_s": round(timer.rate(state), 1),
        "seconds": round(state.seconds, 2),
    }
