"""What a terminal shows: choices, a bar while training, a line per epoch, the next command.

Everything goes to standard error; only data (`result`) goes to standard output. Without a terminal the bar becomes plain lines.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console as Rich
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Table

from gancli.config import flat

if TYPE_CHECKING:
    from gancli.config import Config
    from gancli.contracts import Logs
    from gancli.engine.state import State
    from gancli.plan import Plan
    from gancli.run.folder import Run

REFRESH = 0.1  # seconds between updates of the bar
PLAIN = 30.0  # seconds between plain lines within an epoch


class Console:
    """The voice of a command: to the terminal and, once a run is open, to its log."""

    def __init__(self, quiet: bool = False, json: bool = False, rank: int = 0) -> None:
        quiet, self.rank = (
            quiet or rank > 0,
            rank,
        )  # of several ranks the first speaks; the others have logs of their own
        self.err = Rich(stderr=True, quiet=quiet, highlight=False, soft_wrap=True)
        self.quiet, self.json = quiet, json
        self.live = self.err.is_terminal and not quiet
        self.log: Path | None = None
        self._bar: Progress | None = None
        self._next = 0.0

    def open(self, run: Run) -> None:
        """From now on everything is also in the run's log."""
        self.log = run.path / f"log.rank{self.rank}.txt" if self.rank else run.log
        self.note(f"run {run.path}")

    def note(self, text: str) -> None:
        self._say(text)

    def warn(self, text: str) -> None:
        self._say(f"warning: {text}", "yellow")

    def _say(self, text: str, style: str = "") -> None:
        self.err.print(text, style=style, markup=False)
        if self.log is not None:
            try:
                with self.log.open("a") as file:
                    file.write(text + "\n")
            except OSError:
                self.log = None
                self.err.print("warning: the run's log cannot be written", style="yellow")

    def plan(self, plan: Plan) -> None:
        """What will be trained, what was chosen, and what differs from the preset."""
        for choice in plan.choices:
            self.note(f"chose {choice}")
        shape, cfg = plan.shape, plan.cfg
        held = len(plan.split.test.images)
        self.note(
            f"data {plan.data_name}: {len(plan.split.train.images):,} images {shape.channels}x{shape.height}x{shape.width}"
            f"{f', {shape.classes} classes' if shape.classes else ''}, {held:,} held out"
        )
        changed = ", ".join(f"{k} {_short(a)} -> {_short(b)}" for k, (a, b) in plan.changed().items())
        self.note(f"preset {cfg.preset}{f', with {changed}' if changed else ''}")

    def settings(self, plan: Plan) -> None:
        """The whole configuration as resolved; a star marks what differs from the preset."""
        changed = plan.changed()
        for key, value in flat(plan.cfg.dump()).items():
            self.note(f"{'*' if key in changed else ' '} {key:<36} {_short(value)}")

    def bar(self, what: str, done: int, total: int) -> None:
        """Progress of something that is not training. A bar appears where there is a terminal."""
        if not self.live:
            return
        if self._bar is None:
            self._bar = Progress(
                TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), console=self.err, transient=True
            )
            self._bar.start()
            self._task = self._bar.add_task(what, total=total)
        self._bar.update(self._task, description=what, completed=done, total=total)
        if done >= total:
            self.end()

    def begin(self, cfg: Config, state: State, epoch: int) -> None:
        """Training begins."""
        from gancli.report.bar import training_bar

        self.end()
        self._total, self._epoch, self._since = cfg.stop.total(epoch), epoch, time.monotonic()
        self._first = state.images
        if self.live:
            self._bar, self._task = training_bar(self.err, self._total, state.images)

    def progress(self, state: State, logs: Logs) -> None:
        """After each step; shows something ten times a second at most."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + (REFRESH if self.live else PLAIN)
        if self._bar is not None:
            self._bar.update(self._task, completed=state.images, **self._fields(state, logs, now))
        elif now - self._since > PLAIN:
            self._line(state, {k: float(v) for k, v in logs.items()})

    def _fields(self, state: State, logs: Logs, now: float) -> dict[str, Any]:
        rate = (state.images - self._first) / max(now - self._since, 1e-9)
        losses = {k: float(logs[k]) if k in logs else float("nan") for k in ("d_loss", "g_loss")}
        return {"epoch": state.images / self._epoch, "step": state.step, "rate": rate, **losses}

    def epoch(self, state: State, line: dict[str, Any]) -> None:
        self._next = 0.0 if self.live else time.monotonic() + PLAIN
        self._line(state, line)

    def _line(self, state: State, values: dict[str, Any]) -> None:
        rate = (state.images - self._first) / max(time.monotonic() - self._since, 1e-9)
        epochs = f"{state.images / self._epoch:.3g}/{self._total / self._epoch:.3g}"
        losses = "  ".join(f"{k} {values[k]:.3f}" for k in ("d_loss", "g_loss") if k in values)
        self.note(f"epoch {epochs}  step {state.step:,}  {losses}  {rate:,.0f} images/s  {_clock(state.seconds)}")

    def end(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def finished(self, run: Path, samples: Path | None, reason: str) -> None:
        """Where everything is, and the next commands."""
        why = {
            "images": "all images seen",
            "steps": "steps done",
            "minutes": "time is up",
            "quality": "quality reached",
        }
        self.note(f"done: {why.get(reason, reason)}")
        if samples is not None:
            self.note(f"samples  {samples}")
        self.note(f"curves   {run / 'curves.png'}")
        self.note(f"next     gan sample {run} --n 64 --out grid.png    gan evaluate {run}")

    def result(self, value: dict[str, Any], only_json: bool = False) -> None:
        """Data, on standard output: one JSON object, or lines."""
        if self.rank:
            return
        if self.json:
            sys.stdout.write(json.dumps(value) + "\n")
        elif not only_json:
            width = max(map(len, value), default=0)
            sys.stdout.write("".join(f"{k:<{width}}  {v}\n" for k, v in value.items()))

    @property
    def wide(self) -> bool:
        """Whether a line of standard output holds more than a table of numbers."""
        return Rich().width >= 110

    def rows(self, rows: list[dict[str, Any]]) -> None:
        """Rows with the same keys, as a table or as JSON."""
        if self.json:
            sys.stdout.write(json.dumps(rows) + "\n")
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for i, key in enumerate(rows[0] if rows else ()):
            table.add_column(key, justify="right" if i else "left", style="" if i else "cyan")
        for row in rows:
            table.add_row(*(f"{v:.4g}" if isinstance(v, float) else "-" if v is None else str(v) for v in row.values()))
        self.table(table)

    def table(self, table: Table) -> None:
        """A table, on standard output."""
        Rich(soft_wrap=False, highlight=False).print(table)

    def catalogue(self, found: dict[str, Any], detail: str | None) -> None:
        """The parts and presets that there are."""
        if self.json:
            self.result(found)
            return
        for kind, entries in found.items():
            table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
            if detail is None:
                table.add_column(kind, style="cyan", no_wrap=True)
                table.add_column("")
                for name, entry in entries.items():
                    table.add_row(name, entry["about"])
            else:
                table.add_column(f"{kind} {detail}", style="cyan", no_wrap=True)
                table.add_column("default")
                table.add_column(entries[detail]["about"])
                for name, option in entries[detail]["options"].items():
                    table.add_row(name, _short(option["default"]), option["description"])
            if entries:
                self.table(table)
                sys.stdout.write("\n")


def _short(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, dict):
        return str(value.get("name", json.dumps(value)))
    if isinstance(value, float):
        return f"{value:g}"
    return json.dumps(value) if isinstance(value, list | tuple) else str(value)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
