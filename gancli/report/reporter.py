"""The messages of a training session: choices, a progress bar, a line per epoch, how it ended, the next commands."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.progress import Progress

from gancli.core.config import flat, presets, read_table
from gancli.core.errors import GanError, StoppedError
from gancli.core.files import Folder
from gancli.core.sinks import Progress as Progressed
from gancli.core.sinks import Sink
from gancli.data import remarks
from gancli.report import curves
from gancli.report.bar import title, training_bar
from gancli.report.console import PLAIN, Console
from gancli.report.film import film, previews
from gancli.report.text import clock, short
from gancli.runs import journal
from gancli.training.memory import give_back_freed
from gancli.training.rehearsal import promise

if TYPE_CHECKING:
    from gancli.core.contracts import Logs
    from gancli.core.samples import Samples
    from gancli.runs.folder import Run
    from gancli.training.prepare import Plan

FILMED = 60.0  # seconds of training from which on a film is made
PROMISE = 5.0  # seconds of training before it is said what the run will bring
SHOWN = 5  # lines of a preview
REFRESH = 0.1  # seconds between updates of the bar
ENDS = {
    "images": "all images seen", "steps": "--max-steps reached", "minutes": "--max-minutes reached", "quality": "quality reached",
    "asked": "stopped by a callback; saved",
}  # fmt: skip
LONGER = {"steps": "--max-steps", "minutes": "--max-minutes"}  # why it ended -> what makes the run longer


class Reporter(Sink):
    """Shows a training session on the terminal and in the run's log."""

    def __init__(self, console: Console, plan: Plan) -> None:
        self.console, self._plan = console, plan
        self._bar: Progress | None = None
        self._next = self._since = 0.0
        self._first = self._step = 0
        self._promised = True
        self._unit = plan.spec.unit

    def announce(self) -> None:
        """Print what will be trained, what was chosen, and what differs from the preset."""
        plan = self._plan
        for choice in plan.choices:
            self.console.note(f"chose {choice}")
        cfg, split = plan.cfg, plan.split
        sizes = f"{len(split.train):,} training, {len(split.validation):,} validation, {len(split.test):,} test"
        self.console.note(f"data {plan.data_name}: {plan.spec.describe()}; {sizes}")
        if sizes := remarks.classes(split.train):
            self.console.note(sizes)
        known = flat(cfg.dump())  # what another part has no option for is no change of its own
        changed = ", ".join(
            f"{k} {short(b)}" if a is None else f"{k} {short(a)} -> {short(b)}"
            for k, (a, b) in plan.changed().items()
            if k in known
        )
        recipe = f"preset {cfg.preset}" if cfg.preset else f"task {cfg.task.name}"
        self.console.note(f"{recipe}{f', with {changed}' if changed else ''}")

    def settings(self) -> None:
        """Print the whole configuration as resolved; a star marks what differs from the preset."""
        changed = self._plan.changed()
        for key, value in flat(self._plan.cfg.dump()).items():
            self.console.note(f"{'*' if key in changed else ' '} {key:<36} {short(value)}")

    def begin(self, progress: Progressed) -> None:
        self._since, self._first, self._step = time.monotonic(), progress.images, progress.step
        self._promised = False
        self._next = 0.0 if self.console.live else self._since + PLAIN
        if self.console.live:
            bar, self._task = training_bar(self.console.err, progress, self._unit)
            self._bar = self.console.show(bar)

    def step(self, progress: Progressed, logs: Logs) -> None:
        """Shows something ten times a second at most; without a terminal twice a minute."""
        now = time.monotonic()
        if not self._promised and now - self._since > PROMISE and progress.step - self._step >= 3:
            self._promise(progress)
        if now < self._next:
            return
        self._next = now + (PLAIN if self._bar is None else REFRESH)
        losses = {key: float(logs[key]) for key in progress.losses if key in logs}
        if self._bar is None:
            self._line(progress, losses)
            return
        fields: dict[str, Any] = {"epoch": progress.images / progress.epoch, "step": progress.step}
        left = clock(self._left(progress)) if progress.images > self._first else "-"
        fields |= {"rate": self._rate(progress), "left": left, **losses}
        self._bar.update(self._task, completed=progress.images, total=progress.total, **fields)

    def samples(self, step: int, name: str, samples: Samples, recipe: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Shows samples that are lines: the first ones, always of the same seeds."""
        for line in samples.excerpt(SHOWN):
            self.console.note(f"  {name} at step {step:,}: {line}")

    def event(self, kind: str, **facts: Any) -> None:
        if kind == "note":
            self.console.note(facts["text"])
        elif kind == "warning":
            self.console.warn(facts["text"])
        elif kind == "epoch":
            self._next = 0.0 if self._bar is not None else time.monotonic() + PLAIN
            self._line(facts["progress"], facts["values"])
        elif kind in ("stopped", "diverged", "failed"):  # the command line prints these
            self.console.record(f"{kind}: {facts['reason']}")

    def _rate(self, progress: Progressed) -> float:
        """Images per second in this session."""
        return (progress.images - self._first) / max(time.monotonic() - self._since, 1e-9)

    def _promise(self, progress: Progressed) -> None:
        """Say once what the rest of the run will bring at this speed."""
        self._promised = True
        steps = round(progress.total * progress.step / max(1, progress.images))
        left = clock(self._left(progress))
        expect = promise(steps, len(self._plan.split.train), self._plan.cfg.task.promises)
        self.console.note(f"at {self._rate(progress):,.0f} {self._unit}/s: {steps:,} steps, in {left}; expect {expect}")

    def _left(self, progress: Progressed) -> float:
        """Seconds until the end, at the speed of this session."""
        return max(0, progress.total - progress.images) / max(self._rate(progress), 1e-9)

    def _line(self, progress: Progressed, values: Mapping[str, Any]) -> None:
        epochs = f"{progress.images / progress.epoch:.3g}/{progress.total / progress.epoch:.3g}"
        losses = "  ".join(f"{title(key)} {values[key]:.3f}" for key in progress.losses if key in values)
        rate = f"{self._rate(progress):,.0f} {self._unit}/s"
        self.console.note(f"epoch {epochs}  step {progress.step:,}  {losses}  {rate}  {clock(progress.seconds)}")

    def end(self) -> None:
        self.console.end()
        self._bar = None

    @contextmanager
    def until_stopped(self, run: Run) -> Iterator[None]:
        """Draw the curves of a run that is stopped by a signal, too."""
        try:
            yield
        except StoppedError:
            if not self.console.rank:
                self._name_pictures(run, self._draw(run))
            raise

    def _draw(self, run: Run) -> list[dict[str, Any]]:
        """Write curves.png; returns the lines of the journal."""
        give_back_freed()
        lines = journal.read(run.journal)
        try:
            curves.draw(
                lines, run.path / "curves.png", run.name, journal.read(run.scores), self._plan.cfg.task.headline
            )
        except OSError as error:
            self.console.warn(f"the curves could not be drawn: {error.strerror}")
        return lines

    def _name_pictures(self, run: Run, lines: list[dict[str, Any]]) -> None:
        """Say where the curves are; make a film of a longer run."""
        if (file := run.path / "curves.png").exists():
            self.console.note(f"curves   {file}")
        seconds = lines[-1].get("seconds") if lines else None
        if isinstance(seconds, int | float) and seconds >= FILMED and len(previews(run)) > 1:
            self._film(run)

    def finish(self, run: Run, reason: str) -> None:
        """Draw the curves; print why training ended, where the results are, and the next commands.

        To be called when the run's state is released, so that its memory is free for the curves.
        """
        lines, cfg = self._draw(run), self._plan.cfg
        if cfg.stop.until and reason != "quality":
            more = f"gan resume {run.word} {LONGER.get(reason, '--epochs')} N"
            self.console.warn(f"{cfg.stop.until} was not reached  ->  {more}")
        self.console.note(f"done: {ENDS.get(reason, reason)}")
        newest = max(run.samples.glob("*.*"), default=None, key=lambda p: (len(p.name), p.name))
        if newest is not None:
            self.console.note(f"samples  {newest}")
        self._name_pictures(run, lines)
        asks = cfg.task.asks
        example = asks.example.replace("SUFFIX", newest.suffix if newest else ".png")
        self.console.note(f"next     {asks.verb} {run.word} {example}")
        self.console.note(f"         gan evaluate {run.word}")
        if cfg.preset in presets() and (better := read_table(presets()[cfg.preset]).get("better")):
            self.console.note(f"better   {better}")
        self.console.result({"run": str(run.path), "stopped": reason, **(lines[-1] if lines else {})}, only_json=True)

    def _film(self, run: Run) -> None:
        """Make a film of the previews, in the run folder."""
        try:
            Folder(run.path).write("learning.gif", film(run, ".gif"))
        except (GanError, OSError) as error:
            self.console.warn(f"no film was made: {error}")
        else:
            self.console.note(f"film     {run.path / 'learning.gif'}")
