"""Event files for TensorBoard in the run's folder `tensorboard/`: tensorboard --logdir runs --samples_per_plugin images=0.

Neither TensorBoard nor tensorboardX is needed. On a resume, events after the checkpoint are removed, so that each step is there
once.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from gancli.core.files import Folder
from gancli.core.loggers import Logger
from gancli.core.samples import File, Samples
from gancli.core.sinks import Sink
from gancli.loggers import events

FOLDER, PREFIX = "tensorboard", "events.out.tfevents."
MOST = 4 << 30  # bytes of a file that is read


class TensorBoard(Logger):
    name = "tensorboard"

    def open(self, run: Path, config: Mapping[str, Any]) -> Sink:
        return EventFiles(run / FOLDER, config)


class EventFiles(Sink):
    """The event files of a run. Each session adds one.

    Args:
        path: their folder.
        config: shown as text.
        now: the time in seconds.
    """

    def __init__(self, path: Path, config: Mapping[str, Any], now: Callable[[], float] = time.time) -> None:
        self.folder, self.config, self.now = Folder(path), config, now
        self.folder.make()
        self.name = ""

    def _write(self, *pieces: bytes) -> None:
        """Append to the session's file, which the first event creates."""
        if not self.name:
            taken = [int(name.removeprefix(PREFIX).partition(".")[0]) for name in self._names()]
            self.name = f"{PREFIX}{max([int(self.now()), *(n + 1 for n in taken)]):010d}.gan"
            pieces = (events.head(self.now()), *pieces)
            if not taken:
                words = f"```json\n{json.dumps(dict(self.config), indent=1)}\n```"
                pieces = (*pieces, events.event(self.now(), 0, events.text("config", words)))
        with os.fdopen(self.folder.opened(self.name, os.O_WRONLY | os.O_CREAT | os.O_APPEND), "ab") as file:
            file.writelines(pieces)

    def _names(self) -> list[str]:
        names = [name for name in self.folder.names() if name.startswith(PREFIX)]
        return [name for name in names if name.removeprefix(PREFIX).partition(".")[0].isdigit()]

    def scalars(self, step: int, values: Mapping[str, Any]) -> None:
        self.journal([{**values, "step": step}])

    def journal(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Write the numbers of lines of a journal, each with its step, at once."""
        self._write(*(events.event(self.now(), line["step"], *_numbers(line)) for line in lines))

    def samples(self, step: int, name: str, samples: Samples, recipe: Mapping[str, Any]) -> None:
        self.rendered(step, name, samples.render(recipe=dict(recipe)))

    def rendered(self, step: int, name: str, file: File) -> None:
        """Write a preview: an image or a text."""
        is_image, content = file.suffix == ".png", file.content
        value = events.image(name, content) if is_image else events.text(name, content.decode())
        self._write(events.event(self.now(), step, value))

    def event(self, kind: str, **facts: Any) -> None:
        if kind == "validation":
            self.scalars(facts["line"]["step"], {k: v for k, v in facts["line"].items() if "@" in k})

    def rewind(self, step: int, still_open: bool = False) -> None:
        """Remove events after a step (`still_open`: those of its own metrics, too), and tell programs that have read them."""
        first = step if still_open else step + 1
        for name in self._names():
            content = self.folder.read(name, MOST)
            kept = b"".join(record for at, record in events.records(content) if at < first or at == 0)
            if kept != content:
                self.folder.write(name, kept)
        self._write(events.restart(self.now(), first))


def _numbers(line: Mapping[str, Any]) -> list[bytes]:
    return [events.scalar(k, v) for k, v in line.items() if isinstance(v, int | float) and k != "step"]
