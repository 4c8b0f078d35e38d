"""The run folder as a sink: journals and previews. If the disk refuses them, a warning is given once, and training continues."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from gancli.core.files import Folder
from gancli.core.samples import Samples
from gancli.core.sinks import Sink
from gancli.runs import journal
from gancli.runs.folder import Run

COLUMNS = {"loss/D": "d_loss", "loss/G": "g_loss"}  # what scripts know the losses of the two nets by


class Recorder(Sink):
    """Writes `metrics.jsonl`, `scores.jsonl`, `monitor.jsonl` and `samples/`."""

    def __init__(self, run: Run, warn: Callable[[str], None]) -> None:
        self.run, self.warn = run, warn
        self.metrics = journal.Journal(run.journal, warn)
        self.journals = {"validation": journal.Journal(run.scores, warn), "monitor": journal.Journal(run.monitor, warn)}
        self.warned = False

    def scalars(self, step: int, values: Mapping[str, Any]) -> None:
        named = {column: values[key] for key, column in COLUMNS.items() if key in values}
        self.metrics.write({"step": step, **named, **values})

    def samples(self, step: int, name: str, samples: Samples, recipe: Mapping[str, Any]) -> None:
        file = samples.render(recipe=dict(recipe))
        stem = f"{step:06d}" if name == "samples" else f"{step:06d}-{name}"
        try:
            folder = Folder(self.run.path) / self.run.samples.name
            folder.make()
            folder.write(f"{stem}{file.suffix}", file.content)
        except OSError as error:
            if not self.warned:
                self.warn(f"cannot write {self.run.samples}: {error.strerror}; training goes on")
            self.warned = True

    def event(self, kind: str, **facts: Any) -> None:
        if kind in self.journals:
            self.journals[kind].write(facts["line"])

    def rewind(self, step: int, still_open: bool = False) -> None:
        for lines in self.journals.values():
            lines.rewind(step)
        self.metrics.rewind(step, still_open)

    def sync(self) -> None:
        for lines in (self.metrics, *self.journals.values()):
            lines.sync()
        with contextlib.suppress(OSError):
            Folder(self.run.path).sync()  # a journal that is new is in the folder, too
