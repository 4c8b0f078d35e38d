"""Standard error: notes, warnings and progress, and the run's log.

On a terminal lines are wrapped at words. Without one they are not wrapped, and a progress bar becomes plain lines.
"""

from __future__ import annotations

import atexit
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console as Rich
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from gancli.core.files import Folder
from gancli.core.printable import printable
from gancli.report.output import Output

if TYPE_CHECKING:
    from gancli.runs.folder import Run

PLAIN = 30.0  # seconds between plain lines of anything slow


class Console(Output):
    """Messages of a command: on the terminal and, once a run is open, in its log.

    Args:
        quiet: say nothing on the terminal.
        json: results are JSON.
        rank: of several ranks only the first, 0, speaks; the others have logs of their own.
    """

    def __init__(self, quiet: bool = False, json: bool = False, rank: int = 0) -> None:
        super().__init__(json, rank)
        self.quiet = quiet or rank > 0
        self.err = Rich(stderr=True, quiet=self.quiet, highlight=False, emoji=False)
        self.live = self.err.is_terminal and not self.quiet
        self.log: Path | None = None
        self._early: list[str] | None = []  # said before the log was open
        self._bar: Progress | None = None
        self._next = 0.0 if self.live else time.monotonic() + PLAIN

    def open(self, run: Run) -> None:
        """From now on messages also go to the run's log, which begins with those before."""
        self.log = run.log(self.rank)
        early, self._early = self._early or [], None
        for text in early:
            self.record(text)
        self.note(f"run {run.path}")

    def note(self, text: str) -> None:
        """Print a line."""
        self._say(text)

    def warn(self, text: str) -> None:
        """Print a warning."""
        self._say(f"warning: {text}", "yellow")

    def _say(self, text: str, style: str = "") -> None:
        self.err.print(printable(text), style=style, markup=False, soft_wrap=not self.err.is_terminal)
        self.record(text)

    def record(self, text: str) -> None:
        """Write a line to the log alone."""
        if self._early is not None:
            self._early.append(text)
        if self.log is None:
            return
        try:
            Folder(self.log.parent).append(self.log.name, f"{printable(text)}\n".encode())
        except OSError:
            self.log = None
            self.err.print("warning: the run's log cannot be written", style="yellow")

    def bar(self, what: str, done: int, total: int) -> None:
        """Show the progress of something other than training: a bar on a terminal, elsewhere a line now and then."""
        if not self.live:
            self._slow(f"{what} {done:,} of {total:,}")
            return
        what = escape(printable(what))
        if self._bar is None:
            columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
            self._bar = self.show(Progress(*columns, console=self.err, transient=True))
            self._task = self._bar.add_task(what, total=total)
        self._bar.update(self._task, description=what, completed=done, total=total)
        if done >= total:
            self.end()

    def show(self, bar: Progress) -> Progress:
        """Show a progress bar in place of any other. The terminal gets its cursor back however the command ends."""
        self.end()
        self._bar = bar
        atexit.register(self.end)
        bar.start()
        return bar

    def end(self) -> None:
        """Remove the progress bar."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _slow(self, text: str) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + PLAIN
            self.note(text)
