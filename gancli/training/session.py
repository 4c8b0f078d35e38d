"""Training as a whole: a run folder, its lock, its checkpoints and its journal around the engine's loop."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace as replaced
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from gancli.core.config import Config, Layer, differences, merge, nest, resolve
from gancli.core.contracts import Logs
from gancli.core.errors import DivergedError, GanError, InUseError, ResourceError, StoppedError, UsageError
from gancli.core.images import grid, png, to_uint8
from gancli.distributed.ranks import job, restarted
from gancli.evaluation.evaluator import parse_bound
from gancli.inference import generator
from gancli.runs import checkpoint, folder, history
from gancli.runs.files import disk, replace
from gancli.runs.journal import Journal, rewind
from gancli.runs.lock import locked
from gancli.runs.signals import InterruptedWork, Signals
from gancli.training.checkpointing import MAY_CHANGE, commit, environment, restore, room, same_config
from gancli.training.following import Following, log_of
from gancli.training.loop import finished, fit
from gancli.training.memory import fitting, is_out_of_memory
from gancli.training.prepare import Plan, Request
from gancli.training.recovery import MOST
from gancli.training.signs import Signs
from gancli.training.state import State
from gancli.training.validation import Scores, check, reached

GRID = 64  # images in a sample grid
LOCK_PATIENCE = 30.0  # seconds


class Voice(Protocol):
    """What a sitting says, and to whom: a console, a log, nobody."""

    def note(self, text: str) -> None: ...
    def warn(self, text: str) -> None: ...
    def begin(self, cfg: Config, state: State, epoch: int) -> None: ...
    def progress(self, state: State, logs: Logs) -> None: ...
    def epoch(self, state: State, line: dict[str, Any]) -> None: ...
    def end(self) -> None: ...


class Sitting:
    """What the first rank does between steps: keeps the run folder up to date."""

    def __init__(self, run: folder.Run, plan: Plan, voice: Voice, signals: Signals, state: State) -> None:
        self.run, self.plan, self.voice = run, plan, voice
        self.journal = Journal(run.journal, voice.warn)
        self.scores = Scores(run, plan, voice.warn, voice.note, signals)
        self.signs = Signs(run, plan, voice.warn, voice.note, state)
        self.warned = False

    def stepped(self, state: State, logs: Logs) -> None:
        self.signs.stepped(state)
        self.voice.progress(state, logs)

    def line(self, values: dict[str, float]) -> None:
        if self.signs.last.get("step") != values["step"]:
            self.signs.last = {**values, **self.signs.updates}
            self.journal.write(self.signs.last)

    def epoch(self, state: State) -> None:
        self.voice.epoch(state, {**self.signs.last, **state.meter.read()})

    def sample(self, state: State) -> None:
        """A grid from fixed seeds. A disk that refuses it does not stop the training."""
        made = generator.of_state(self.plan.cfg.task, state)
        labels = made.row_labels(GRID)
        images = to_uint8(made.sample(GRID, seed=0, labels=labels))
        recipe = {"run": self.run.name, "step": state.step, "seeds": f"0-{GRID - 1}", "ema": bool(state.ema)}
        try:
            self.run.samples.mkdir(exist_ok=True)
            replace(self.run.samples / f"{state.step:06d}.png", png(grid(images, 8), recipe))
        except OSError as error:
            if not self.warned:
                self.voice.warn(f"cannot write {self.run.samples}: {error.strerror}; training goes on")
            self.warned = True

    def evaluate(self, state: State) -> str:
        return self.scores.evaluate(state)

    def save(self, state: State) -> None:
        self.journal.sync()
        commit(self.run, self.plan, state)


def start(request: Request, plan: Plan, runs: Path, name: str | None) -> folder.Run:
    """Make the run folder of a new run and write what it is. Raises UsageError and ResourceError before anything is trained."""
    check(plan)
    run = folder.create(runs, f"{plan.data_name}-{plan.cfg.preset}", name)
    _describe(request, plan, run)
    return run


def _describe(request: Request, plan: Plan, run: folder.Run) -> None:
    known = {"ranks": plan.ranks.world, **({"job": job()} if job() else {})}
    with disk("the run", run.path):
        run.write_json("environment.json", {**environment(plan), **known})
        run.write_json("data.json", _data_facts(request, plan))
        run.write_json("config.json", plan.cfg.dump())


def begin(request: Request, plan: Plan, runs: Path, name: str | None) -> tuple[folder.Run, bool]:
    """A new run; or, where torchrun has started its processes again, the run of that name, to be resumed."""

    def work() -> tuple[str, bool]:
        there = folder.Run(runs / name) if name else None
        known = (
            there.json("environment.json").get("job") if there and (there.path / "environment.json").is_file() else None
        )
        if there is None or not there.path.is_dir() or not restarted(known):
            return str(start(request, plan, runs, name).path), False
        if not (there.path / "config.json").is_file():
            _describe(request, plan, there)
        return str(there.path), True

    path, resumed = plan.ranks.by_first(work)
    return folder.Run(Path(path)), resumed


def _data_facts(request: Request, plan: Plan) -> dict[str, Any]:
    return {
        "fingerprint": plan.fingerprint,
        "images": len(plan.split.train.images),
        "held_out": len(plan.split.test.images),
        "choices": plan.choices,
        "data_dir": str(request.data_dir.resolve()),
    }


def train(
    run: folder.Run,
    plan: Plan,
    voice: Voice,
    resumed: bool = False,
    allow_data_change: bool = False,
    on_divergence: str = "stop",
    begun: Callable[[], None] = lambda: None,
) -> tuple[str, State]:
    """Train until what was asked for is reached. Returns why it stopped, and the state. Calls `begun` once the run is its own.

    Raises UsageError if what is asked for cannot be had, StoppedError after saving on a signal, DivergedError, ResourceError, InUseError.
    """
    ranks = plan.ranks
    with Signals() as signals, _bugs_logged(log_of(run, ranks.rank)), ExitStack() as held:
        ranks.by_first(lambda: lock(held, run, LOCK_PATIENCE if ranks.world > 1 else 0))
        if resumed:
            ranks.by_first(partial(_check, plan, signals))
        begun()
        while True:
            try:
                reason, state = _sitting(run, plan, voice, signals, resumed, allow_data_change)
                break
            except DivergedError as error:
                ranks.by_first(partial(_go_back, run, error, on_divergence, voice))
                resumed = True
                continue
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                failed = str(error).split("\n", 1)[0]
            _out_of_memory(run, plan, failed)
        caught = int(ranks.most([signals.caught])[0])
        if caught:
            raise StoppedError(caught, f"stopped at step {state.step}; saved", f"gan resume {run.path}")
    return reason, state


def _sitting(
    run: folder.Run, plan: Plan, voice: Voice, signals: Signals, resumed: bool, allow_data_change: bool
) -> tuple[str, State]:
    ranks = plan.ranks
    if resumed:
        ranks.by_first(lambda: same_config(run, plan))
    state = plan.state()

    def prepare() -> None:
        room(run, state)
        if resumed:
            restore(run, plan, state, voice.note, allow_data_change)
            _record_changes(run, plan.cfg)
            rewind(run.scores, state.step)
            rewind(run.monitor, state.step)
            total = plan.cfg.stop.total(plan.store.epoch)
            over = finished(state, plan.cfg, total) or reached(run, plan.cfg, state.step)
            rewind(run.journal, state.step, still_open=bool(state.meter.sums) and not over)

    ranks.synchronize(state)
    ranks.by_first(prepare)
    ranks.spread(state)
    sitting = Sitting(run, plan, voice, signals, state) if ranks.first else None
    watch = Following(ranks, sitting, plan.cfg, signals, voice, run, state)
    voice.begin(plan.cfg, state, plan.store.epoch)
    try:
        return fit(plan.cfg.task, state, plan.store, plan.cfg, watch, ranks), state
    finally:
        voice.end()


def _check(plan: Plan, signals: Signals) -> None:
    """What `start` does of a new run. A signal leaves it."""
    with suppress(InterruptedWork), signals.breaking():
        check(plan, resumed=True)


def lock(held: ExitStack, run: folder.Run, patience: float) -> None:
    """Take the run's lock. Where torchrun has started again, those who had it may need a while to see that they are alone."""
    end = time.monotonic() + patience
    while True:
        try:
            held.enter_context(locked(run.path))
            return
        except InUseError:
            if time.monotonic() > end:
                raise
            time.sleep(1)


def _go_back(run: folder.Run, error: DivergedError, on_divergence: str, voice: Voice) -> None:
    """Note in the history that the run goes back to its last checkpoint, to learn slower. Raises DivergedError if it is not to."""
    before = sum("diverged" in line for line in history.read(run.path))
    if on_divergence != "rollback" or before >= MOST:
        tried = f", after going back {before} times" if before else ""
        raise DivergedError(f"{error.cause}; the last checkpoint is kept{tried}", error.remedy) from None
    there = checkpoint.listed(run.checkpoints)
    step = checkpoint.newest(run.checkpoints, voice.note).step if there else 0
    history.append(run.path, {"step": step, "diverged": error.cause})
    voice.warn(f"{error.cause}; going back to step {step:,}, at half the learning rate")


def _out_of_memory(run: folder.Run, plan: Plan, said: str) -> None:
    """Raises ResourceError with what would fit. Called when what failed has let go of its memory."""
    fits = fitting(plan.cfg, plan.store, lambda cfg: replaced(plan, cfg=cfg).state())
    saved = bool(checkpoint.listed(run.checkpoints))
    command = f"gan resume {run.path} --set runtime.micro_batch={fits}" if saved else f"--batch-size {fits}"
    raise ResourceError(
        f"out of memory with batches of {plan.cfg.runtime.micro_batch or plan.cfg.batch_size} ({said[:200]})",
        command if fits else "a smaller model, or a machine with more memory",
    )


@contextmanager
def _bugs_logged(log: Path) -> Iterator[None]:
    """What is no fault of the user's goes to the run's log, with its traceback."""
    try:
        yield
    except GanError:
        raise
    except Exception as error:
        with suppress(OSError), log.open("a", errors="backslashreplace") as file:
            file.write(traceback.format_exc())
            error.add_note(f"the traceback is in {log}")
        raise


def extend(run: folder.Run, layers: list[Layer]) -> Config:
    """The run's configuration with what a resume may change. Raises UsageError for anything else."""
    old = run.config()
    changes = merge(layers)
    if not changes:
        return old
    new = resolve(merge([old.dump(), changes]))
    wrong = {k: v for k, v in differences(old, new).items() if not k.startswith(MAY_CHANGE)}
    if wrong:
        said = ", ".join(f"{k} ({was!r} -> {now!r})" for k, (was, now) in list(wrong.items())[:5])
        raise UsageError(
            f"a resumed run cannot change {said}", f"start a new one: gan train --config {run.path / 'config.json'}"
        )
    if new.stop.until:
        parse_bound(new.stop.until)
    return new


def _record_changes(run: folder.Run, cfg: Config) -> None:
    """What this sitting changed goes into the history, under the run's lock."""
    different = differences(run.config(), cfg)
    if different:
        history.append(run.path, {"changes": merge(nest(k, now) for k, (_, now) in different.items())})
