"""A training session of a run: the callbacks between the steps of the loop, from taking the lock to the last checkpoint.

The first rank maintains the run folder; the other ranks wait for it, and all ranks stop at the same step.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from gancli.core.contracts import Logs
from gancli.core.errors import DivergedError, GanError, ResourceError, StoppedError
from gancli.core.files import Folder
from gancli.core.loggers import guarded
from gancli.core.printable import printable
from gancli.core.sinks import Progress, Sink, Sinks
from gancli.runs import checkpoint, folder, history, journal
from gancli.runs.lock import acquire
from gancli.runs.recorder import Recorder
from gancli.runs.signals import InterruptedWork, Signals
from gancli.runs.status import Status
from gancli.training import snapshot, transfer
from gancli.training.checkpointing import check_size, commit, record_changes, restore, room, same_config
from gancli.training.loop import crossed, finished, fit
from gancli.training.memory import fitting, is_out_of_memory
from gancli.training.monitor import Monitor
from gancli.training.prepare import Plan
from gancli.training.recovery import MOST, Retries
from gancli.training.state import State
from gancli.training.validation import Validation, check, reached

PREVIEWS = 64  # samples in a preview, and more where there are more than 8 classes
LOCK_PATIENCE = 30.0  # seconds


def train(
    run: folder.Run,
    plan: Plan,
    sinks: Sequence[Sink] = (),
    resumed: bool = False,
    allow_data_change: bool = False,
    on_divergence: str = "stop",
    begun: Callable[[], None] = lambda: None,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[str, State]:
    """Train until a stop condition is met.

    Args:
        run: its folder, which contains config.json.
        plan: data and configuration.
        sinks: where the run reports to, besides its folder.
        resumed: continue from the newest checkpoint.
        allow_data_change: continue with data other than before.
        on_divergence: "stop", or "rollback" to the last checkpoint at half the learning rate.
        begun: called once the run is locked.
        stop: whether to end after this step, called after every step.

    Returns:
        The stop condition ("images", "steps", "minutes", "quality", or "asked" by `stop`), and the state.

    Raises:
        UsageError: a requested validation is not available.
        StoppedError: a signal came; the run has been saved.
        DivergedError: a loss, gradient or weight is not finite.
        ResourceError: disk, memory or another rank failed.
        InUseError: another process trains the run.
    """
    ranks = plan.ranks
    with Signals() as signals, _bugs_logged(run.log(ranks.rank)), ExitStack() as held:
        ranks.on_first_rank(lambda: acquire(held, run.path, LOCK_PATIENCE if ranks.world > 1 else 0))
        every = Sinks(sinks)
        if ranks.is_first:
            every.sinks = [Recorder(run, every.warn), Status(run), *every.sinks]
            every.sinks += guarded(plan.cfg.runtime.log, run.path, plan.cfg.dump(), every.warn)
            for place in (run.path, run.samples, run.model):
                Folder(place, inside=int(place != run.path)).sweep()
        if resumed:
            ranks.on_first_rank(partial(_check, plan, signals))
        begun()
        with _status(every):
            signals.asked = stop
            reason, state = _until_done(run, plan, every, signals, resumed, allow_data_change, on_divergence)
            caught = int(ranks.maximum([signals.caught])[0])
            if caught:
                raise StoppedError(caught, f"stopped at step {state.step}; saved", f"gan resume {run.word}")
        every.event("finished", reason=reason)
    return reason, state


def _until_done(
    run: folder.Run,
    plan: Plan,
    sinks: Sinks,
    signals: Signals,
    resumed: bool,
    allow_data_change: bool,
    on_divergence: str,
) -> tuple[str, State]:
    """Run sessions; a new one starts where the run goes back to a checkpoint after a divergence."""
    while True:
        try:
            session = Session(run, plan, sinks, signals, resumed, allow_data_change)
            return session.train(), session.state
        except DivergedError as error:
            plan.ranks.on_first_rank(partial(_go_back, run, error, on_divergence, sinks))
            resumed = True
            continue
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            failed = str(error).split("\n", 1)[0]
        session = None  # type: ignore[assignment]  # what failed lets go of its memory
        _out_of_memory(run, plan, failed)


class Session:
    """The callbacks of the loop, around a new or restored state."""

    def __init__(
        self, run: folder.Run, plan: Plan, sinks: Sinks, signals: Signals, resumed: bool, allow_data_change: bool
    ) -> None:
        self.run, self.plan, self.sinks, self.signals, self.ranks = run, plan, sinks, signals, plan.ranks
        for suits in (same_config, check_size) if resumed else ():
            self.ranks.on_first_rank(partial(suits, run, plan))
        self.state = plan.state()
        self.ranks.synchronize(self.state)
        self.ranks.on_first_rank(lambda: self._prepare(resumed, allow_data_change))
        snapshot.share(self.state, self.ranks)
        transfer.freeze(self.state, plan.cfg)
        self.begun = self.state.seconds  # of training before this session
        self.losses = tuple(phase.key for phase in self.state.phases if "/" not in phase.name)
        self.line: dict[str, Any] = {}  # the last scalars
        self.updates: dict[str, float] = {}
        self.monitor: Monitor | None = None
        self.validation: Validation | None = None
        if self.ranks.is_first:
            self.monitor = Monitor(plan, sinks.warn, sinks.note, journal.read(run.monitor))
            self.validation = Validation(run, plan, sinks, signals)
            self.line = (journal.read(run.journal) or [{}])[-1]
            self.updates = self.monitor.stepped(self.state)
        steps, self.every, self.looked = self.ranks.on_first_rank(self._schedule)
        self.retries = Retries(steps)
        self.retries.apply(self.state, plan.cfg)

    def _prepare(self, resumed: bool, allow_data_change: bool) -> None:
        """On the first rank: restore the newest checkpoint and discard what was reported after it."""
        run, plan, state = self.run, self.plan, self.state
        room(run, state)
        if not resumed:
            transfer.begin(state, plan.cfg, self.sinks.note)
            return
        restore(run, plan, state, self.sinks.note, allow_data_change)
        if not state.step:  # no checkpoint yet
            transfer.begin(state, plan.cfg, self.sinks.note)
        record_changes(run, plan.cfg, self.sinks.note, state.step)
        total = plan.cfg.stop.total(plan.loader.epoch)
        over = finished(state, plan.cfg, total, state.seconds) or reached(run, plan.cfg, state.step)
        self.sinks.rewind(state.step, still_open=bool(state.meter.sums) and not over)

    def _schedule(self) -> tuple[list[int], int, int]:
        """The steps that the run went back to; the interval of the monitor in images, and its last look."""
        steps = [line["step"] for line in history.read(self.run.path) if "diverged" in line]
        return steps, self._monitor.every, self._monitor.last

    @property
    def _monitor(self) -> Monitor:
        assert self.monitor is not None
        return self.monitor

    @property
    def _validation(self) -> Validation:
        assert self.validation is not None
        return self.validation

    def progress(self, state: State) -> Progress:
        """How far the run is."""
        stop, epoch = self.plan.cfg.stop, self.plan.loader.epoch
        total = stop.expected(epoch, state.images, state.step, state.seconds, self.begun)
        return Progress(state.step, state.images, epoch, total, state.seconds, self.losses)

    def train(self) -> str:
        """Run the loop. Returns the stop condition."""
        self.sinks.begin(self.progress(self.state))
        try:
            reason = fit(self.plan.cfg.task, self.state, self.plan.loader, self.plan.cfg, self, self.ranks)
            if self.monitor is not None:
                self.monitor.conclude()
            return reason
        finally:
            self.sinks.end()

    def stepped(self, state: State, logs: Logs) -> bool:
        self.retries.apply(state, self.plan.cfg)
        if self.monitor is not None:
            self.updates = self.monitor.stepped(state)
        if crossed(self.looked, state.images, self.every):
            self.looked = state.images
            self.ranks.on_first_rank(lambda: self._look(state))
        self.sinks.step(self.progress(state), logs)
        return self.stop_requested()

    def _look(self, state: State) -> None:
        if self._monitor.due(state):
            self.sinks.event("monitor", line=self._monitor.look(state, self.line))

    def stop_requested(self) -> bool:
        return self.ranks.request("signal", self.signals.caught != 0 or self.signals.asked())

    def scalars(self, values: dict[str, Any]) -> None:
        """Report a line of means, unless there is one of this step (a finished run has written its last line)."""
        if self.ranks.is_first and self.line.get("step") != values["step"]:
            self.line = {**values, **self.updates}
            self.sinks.scalars(values["step"], self.line)

    def epoch(self, state: State) -> None:
        self.sinks.event("epoch", progress=self.progress(state), values={**self.line, **state.meter.read()})

    def preview(self, state: State) -> None:
        """Report samples of the preview ask, which is the same each time."""

        def work() -> None:
            cfg = self.plan.cfg
            data = self.plan.split.validation if len(self.plan.split.validation) else self.plan.split.train
            ask = cfg.task.preview(state.spec, data, PREVIEWS)
            model = state.model(cfg.task, facts={"classes": list(getattr(data, "classes", ()))})
            recipe = {"run": self.run.name, "step": state.step, "ema": bool(state.ema), "rows": ask.names()}
            recipe |= {"classes": [model.class_name(k) for k in model.labels]} if model.conditional else {}
            self.sinks.samples(state.step, "samples", model.generate(ask), recipe)

        self.ranks.on_first_rank(work)

    def validate(self, state: State) -> str:
        """Validate; if that fails, the training so far is saved first."""
        try:
            return self.ranks.on_first_rank(lambda: self._validation.validate(state))
        except GanError:
            self.save(state)
            raise

    def catch_up(self, state: State) -> str:
        return self.ranks.on_first_rank(lambda: self._validation.catch_up(state))

    def save(self, state: State) -> None:
        snapshot.check_same(state, self.ranks)

        def work() -> None:
            self.sinks.event("saving", step=state.step)
            self.sinks.sync()
            commit(self.run, self.plan, state)
            self.sinks.event("saved", step=state.step)

        self.ranks.on_first_rank(work)


@contextmanager
def _status(sinks: Sinks) -> Iterator[None]:
    """Report how training ended, if it did not finish."""
    try:
        yield
    except StoppedError as error:
        sinks.event("stopped", reason=error.name)
        raise
    except KeyboardInterrupt:
        sinks.event("stopped", reason="SIGINT, twice: not saved")
        raise
    except DivergedError as error:
        sinks.event("diverged", reason=error.cause)
        raise
    except BaseException as error:
        sinks.event("failed", reason=error.cause if isinstance(error, GanError) else f"{type(error).__name__}: {error}")
        raise


def _check(plan: Plan, signals: Signals) -> None:
    """The checks of `start`, for a resumed run. A signal ends them early."""
    with suppress(InterruptedWork), signals.breaking():
        check(plan, resumed=True)


def _go_back(run: folder.Run, error: DivergedError, on_divergence: str, sinks: Sinks) -> None:
    """Record in history.jsonl that the run goes back to its last checkpoint, at half the learning rate.

    Raises DivergedError if it must not, or has done so too often.
    """
    before = sum("diverged" in line for line in history.read(run.path))
    if on_divergence != "rollback" or before >= MOST:
        tried = f", after going back {before} times" if before else ""
        raise DivergedError(f"{error.cause}; the last checkpoint is kept{tried}", error.remedy) from None
    there = checkpoint.listed(run.checkpoints)
    step = checkpoint.newest(run.checkpoints, sinks.note).step if there else 0
    history.append(run.path, {"step": step, "diverged": error.cause})
    sinks.warn(f"{error.cause}; going back to step {step:,}, at half the learning rate")


def _out_of_memory(run: folder.Run, plan: Plan, said: str) -> None:
    """Raises ResourceError with the largest batch that fits. Called after the failed session has freed its memory."""
    fits = fitting(plan.cfg, plan.loader, lambda cfg: replace(plan, cfg=cfg).state())
    saved = bool(checkpoint.listed(run.checkpoints))
    command = f"gan resume {run.word} --set runtime.micro_batch={fits}" if saved else f"gan train --batch-size {fits}"
    raise ResourceError(
        f"out of memory with batches of {plan.cfg.runtime.micro_batch or plan.cfg.batch_size} ({said[:200]})",
        command if fits else "a smaller model, or a machine with more memory",
    )


@contextmanager
def _bugs_logged(log: Path) -> Iterator[None]:
    """Unexpected exceptions are written to the run's log with their traceback."""
    try:
        yield
    except GanError:
        raise
    except Exception as error:
        with suppress(OSError):
            Folder(log.parent).append(log.name, printable(traceback.format_exc(), breaks=True, most=100_000).encode())
            error.add_note(f"the traceback is in {log}")
        raise
