"""The metrics, scores and previews of a run as a folder of event files, for TensorBoard. It was not necessary to train with `--log`."""

from __future__ import annotations

import re
from pathlib import Path

from gancli.core.errors import CheckpointError, UsageError
from gancli.core.files import Folder
from gancli.core.samples import File
from gancli.export.contracts import Export, Source
from gancli.loggers.tensorboard import EventFiles
from gancli.runs import journal
from gancli.runs.folder import Run

MOST = 64 << 20  # bytes of a preview
STEP = re.compile(r"\d{1,15}", re.ASCII)


class TensorBoard(Export):
    name = "tensorboard"

    def write(self, source: Source, path: Path) -> None:
        run = Run(source.path)
        lines = journal.read(run.journal)
        if not lines:
            raise UsageError(f"{source.path} has no metrics", "name the folder of a run")
        files = EventFiles(path, run.json("config.json"))
        files.journal(lines)
        for line in journal.read(run.scores):
            files.event("validation", line=line)
        previews = Folder(run.path) / run.samples.name
        for name in sorted(previews.entries()):
            stem, _, kind = Path(name).stem.partition("-")
            if STEP.fullmatch(stem):
                file = File(Path(name).suffix, previews.read(name, MOST))
                try:
                    files.rendered(int(stem), kind or "samples", file)
                except ValueError as error:
                    raise CheckpointError(f"{previews.path / name} is no preview: {error}", "delete it") from None
