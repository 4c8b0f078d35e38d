"""What a terminal shows: choices, a bar while training, a line per epoch, the next command.

Everything goes to standard error; only data (`result`, tables) goes to standard output. On a terminal lines are wrapped at words.
Without one they are not wrapped, and the bar becomes plain lines.
"""

from __future__ import annotations

import atexit
import json
import re
import sys
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console as Rich
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Table
from rich.text import Text

from gancli.core.config import flat
from gancli.core.sinks import Progress as Progressed
from gancli.core.sinks import Sink
from gancli.report.bar import title, training_bar

if TYPE_CHECKING:
    from gancli.core.contracts import Logs
    from gancli.runs.folder import Run
    from gancli.training.prepare import Plan

REFRESH = 0.1  # seconds between updates of the bar
PLAIN = 30.0  # seconds between plain lines within an epoch, or of anything else that is slow
FULL, SHORT = 112, 96  # columns that the whole line of the bar takes, and the one with a short bar


class Console(Sink):
    """What a command says: to the terminal and, once a run is open, to its log."""

    def __init__(self, quiet: bool = False, json: bool = False, rank: int = 0) -> None:
        quiet, self.rank = (
            quiet or rank > 0,
            rank,
        )  # of several ranks the first speaks; the others have logs of their own
        self.err = Rich(stderr=True, quiet=quiet, highlight=False, emoji=False)
        self.quiet, self.json = quiet, json
        self.live = self.err.is_terminal and not quiet
        self.log: Path | None = None
        self._bar: Progress | None = None
        self._next = 0.0 if self.live else time.monotonic() + PLAIN

    def open(self, run: Run) -> None:
        """From now on everything is also in the run's log."""
        self.log = run.log(self.rank)
        self.note(f"run {run.path}")

    def note(self, text: str) -> None:
        self._say(text)

    def warn(self, text: str) -> None:
        self._say(f"warning: {text}", "yellow")

    def _say(self, text: str, style: str = "") -> None:
        self.err.print(text, style=style, markup=False, soft_wrap=not self.err.is_terminal)
        if self.log is not None:
            try:
                with self.log.open("a", errors="backslashreplace") as file:
                    file.write(text + "\n")
            except OSError:
                self.log = None
                self.err.print("warning: the run's log cannot be written", style="yellow")

    def plan(self, plan: Plan) -> None:
        """What will be trained, what was chosen, and what differs from the preset."""
        for choice in plan.choices:
            self.note(f"chose {choice}")
        cfg, split = plan.cfg, plan.split
        sizes = f"{len(split.train):,} to train, {len(split.validation):,} for validation, {len(split.test):,} to test"
        self.note(f"data {plan.data_name}: {plan.spec.describe()}; {sizes}")
        changed = ", ".join(f"{k} {short(a)} -> {short(b)}" for k, (a, b) in plan.changed().items())
        self.note(
            f"{f'preset {cfg.preset}' if cfg.preset else f'task {cfg.task.name}'}{f', with {changed}' if changed else ''}"
        )

    def settings(self, plan: Plan) -> None:
        """The whole configuration as resolved; a star marks what differs from the preset."""
        changed = plan.changed()
        for key, value in flat(plan.cfg.dump()).items():
            self.note(f"{'*' if key in changed else ' '} {key:<36} {short(value)}")

    def bar(self, what: str, done: int, total: int) -> None:
        """Progress of something that is not training: a bar where there is a terminal, else a line now and then."""
        if not self.live:
            self._slow(f"{what} {done:,} of {total:,}")
            return
        if self._bar is None:
            self._bar = Progress(
                TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), console=self.err, transient=True
            )
            self._start()
            self._task = self._bar.add_task(what, total=total)
        self._bar.update(self._task, description=what, completed=done, total=total)
        if done >= total:
            self.end()

    def _start(self) -> None:
        """Show the bar. However the command ends, the terminal gets its cursor back."""
        assert self._bar is not None
        atexit.register(self.end)
        self._bar.start()

    def _slow(self, text: str) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + PLAIN
            self.note(text)

    def begin(self, progress: Progressed) -> None:
        self.end()
        self._since, self._first = time.monotonic(), progress.images
        if self.live:
            self._bar, self._task = training_bar(self.err, progress)
            _fit(self._bar, self.err.width)
            self._start()

    def step(self, progress: Progressed, logs: Logs) -> None:
        """Shows something ten times a second at most."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + (REFRESH if self.live else PLAIN)
        if self._bar is not None:
            losses: dict[str, Any] = {key: float(logs[key]) if key in logs else float("nan") for key in progress.losses}
            fields: dict[str, Any] = {
                "epoch": progress.images / progress.epoch,
                "step": progress.step,
                "rate": self._rate(progress),
            }
            self._bar.update(self._task, completed=progress.images, total=progress.total, **fields, **losses)
        elif now - self._since > PLAIN:
            self._line(progress, {key: float(logs[key]) for key in progress.losses if key in logs})

    def event(self, kind: str, **facts: Any) -> None:
        if kind == "note":
            self.note(facts["text"])
        elif kind == "warning":
            self.warn(facts["text"])
        elif kind == "epoch":
            self._next = 0.0 if self.live else time.monotonic() + PLAIN
            self._line(facts["progress"], facts["values"])

    def _rate(self, progress: Progressed) -> float:
        """Images per second in this session."""
        return (progress.images - self._first) / max(time.monotonic() - self._since, 1e-9)

    def _line(self, progress: Progressed, values: Mapping[str, Any]) -> None:
        epochs = f"{progress.images / progress.epoch:.3g}/{progress.total / progress.epoch:.3g}"
        losses = "  ".join(f"{title(key)} {values[key]:.3f}" for key in progress.losses if key in values)
        rate = f"{self._rate(progress):,.0f} images/s"
        self.note(f"epoch {epochs}  step {progress.step:,}  {losses}  {rate}  {_clock(progress.seconds)}")

    def end(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def finished(self, run: Path, samples: Path | None, curves: Path | None, reason: str) -> None:
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
        if curves is not None:
            self.note(f"curves   {curves}")
        self.note(f"next     gan sample {run} --n 64 --out grid.png")
        self.note(f"         gan evaluate {run}")

    def result(self, value: dict[str, Any], only_json: bool = False) -> None:
        """Data, on standard output: one JSON object, or lines."""
        if self.rank:
            return
        if self.json:
            self.dump(value)
        elif not only_json:
            width = max(map(len, value), default=0)
            lines = "".join(f"{k:<{width}}  {_lines(v)}\n" for k, v in value.items())
            sys.stdout.write(re.sub(r" +\n", "\n", lines))

    def dump(self, value: Any) -> None:
        """JSON, on standard output."""
        sys.stdout.write(json.dumps(value) + "\n")

    @property
    def width(self) -> int:
        """Columns of standard output."""
        return Rich().width

    @property
    def wide(self) -> bool:
        """Whether a line of standard output holds more than a table of numbers."""
        return self.width >= 110

    def table(self, table: Table) -> None:
        """A table, on standard output."""
        Rich(soft_wrap=False, highlight=False).print(table)

    def say(self, text: str, style: str = "") -> None:
        """A line of words, on standard output."""
        out = Rich(highlight=False, emoji=False)
        out.print(text, style=style, markup=False, soft_wrap=not out.is_terminal)

    def sheet(
        self,
        heads: list[str],
        rows: list[list[str]],
        right: Collection[int] = (),
        bold: Collection[tuple[int, int]] = (),
    ) -> None:
        """A table of text, on standard output; `right` columns are numbers, `bold` cells are marked. The last column is words."""
        table = Table(box=None, pad_edge=False, header_style="bold")
        for i, head in enumerate(heads):
            words = [word for row in rows for word in row[i].split()]
            least = max(map(len, (*words, *head.split())), default=0)
            side = "right" if i in right else "left"
            table.add_column(Text(head), justify=side, style="" if i else "cyan", min_width=least, no_wrap=not i)  # type: ignore[arg-type]
        for i, row in enumerate(rows):
            table.add_row(*(Text(cell, "bold" if (i, j) in bold else "") for j, cell in enumerate(row)))
        self.table(table)

    def runs(self, found: dict[str, Any]) -> None:
        """Runs, how far they are, and how good; the reason of one that cannot be read."""
        if self.json:
            self.dump({"runs": found})
            return
        heads = ["run", "data", "preset", "step", "images", "fid", "at step"]
        if found:
            self.sheet(heads, [[name, *_row(entry)] for name, entry in found.items()], right=(3, 4, 5, 6))
        for name, entry in found.items():
            if "broken" in entry:
                self.warn(f"{name}: {entry['broken']}")

    def catalog(self, found: dict[str, Any], detail: str | None) -> None:
        """The parts and presets that there are, or one of them with its options."""
        if self.json:
            self.dump(found)
            return
        for kind, entries in found.items():
            if detail is not None:
                self._detail(kind, detail, entries[detail])
            elif entries:
                self.sheet([kind, ""], [[name, entry["about"]] for name, entry in entries.items()])
                sys.stdout.write("\n")

    def _detail(self, kind: str, name: str, entry: dict[str, Any]) -> None:
        self.say(f"{kind} {name}", "bold")
        self.say(entry["about"])
        if entry["papers"]:
            self.say("paper: " + ", ".join(f"arXiv {paper}" for paper in entry["papers"]))
        options = [
            [key, option["type"], "required" if option["required"] else short(option["default"]), option["description"]]
            for key, option in entry["options"].items()
        ]
        settings = [[key, short(value)] for key, value in entry.get("settings", {}).items()]
        sys.stdout.write("\n")
        if options:
            self.sheet(["option", "type", "default", "meaning"], options)
        elif settings:
            self.sheet(["sets", "to"], settings)
        else:
            self.say("It has no options.")


def _fit(bar: Progress, width: int) -> None:
    """Let a training bar's line fit the terminal: first with a shorter bar, then without the step."""
    for column in bar.columns:
        if isinstance(column, BarColumn) and width < FULL:
            column.bar_width = 10 if width >= SHORT else 6
    if width < SHORT:
        bar.columns = tuple(c for c in bar.columns if getattr(c, "name", "") != "step")


def _row(entry: dict[str, Any]) -> list[str]:
    """The cells of a run, behind its name."""
    if "broken" in entry:
        return ["broken", *5 * ["-"]]
    step, images, at = (f"{entry[k]:,}" if isinstance(entry[k], int) else "-" for k in ("step", "images", "fid_step"))
    fid = "-" if entry["fid"] is None else f"{entry['fid']:.4g}"
    return [entry["data"], entry["preset"], step, images, fid, at]


def _lines(value: Any) -> str:
    """A value in words: what is inside of a table is below its name, a line each, and so are long texts."""
    if isinstance(value, dict):
        width = max(map(len, value), default=0)
        return "".join(f"\n  {k:<{width}}  {_lines(v)}" for k, v in value.items()) or "none"
    if isinstance(value, list | tuple):
        texts = [_lines(v) for v in value]
        if sum(map(len, texts)) > 60:
            return "".join(f"\n  {text}" for text in texts)
        numbers = len(value) == 2 and all(isinstance(v, int | float) for v in value)
        return (" to " if numbers else ", ").join(texts) or "none"
    return str(value)


def short(value: Any) -> str:
    """A value of a configuration, in few characters."""
    if value is None:
        return "-"
    if isinstance(value, dict):
        return str(value["name"]) if "name" in value else ", ".join(f"{k}={short(v)}" for k, v in value.items())
    if isinstance(value, float):
        return f"{value:g}"
    return json.dumps(value) if isinstance(value, list | tuple) else str(value)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
