"""The run folder. Runs are never overwritten or deleted.

config.json        resolved configuration, written once   metrics.jsonl   the journal of training
environment.json   versions and machine                   scores.jsonl    validation scores
data.json          fingerprint and sizes of the data      monitor.jsonl   signals of collapse, overfitting, ...
history.jsonl      changes made by resumes                samples/        previews, one per epoch
status.json        what the run is doing                  checkpoints/    see checkpoint.py
log.txt            everything that was printed            model/          the averaged nets, for use elsewhere
notes.txt          what somebody noted, in the studio
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gancli.core import migration, plugins
from gancli.core.config import Config, merge, resolve
from gancli.core.descriptors import ForeignError
from gancli.core.errors import CheckpointError, ResourceError, UsageError
from gancli.core.files import OWN_KINDS, Folder
from gancli.core.registry import nearest
from gancli.runs import history
from gancli.runs.files import MAX_JSON, MOST_OPTIONS, MOST_VALUES, as_json, quoted, table

NAME = re.compile(r"\w(?:[\w .+@,()-]{0,98}[\w.+@)-])?")  # letters of any script; quoted, a word of a shell
FILES = (
    "config.json", "environment.json", "data.json", "history.jsonl", "status.json", "metrics.jsonl", "scores.jsonl",
    "monitor.jsonl", "log.txt", "curves.png", "learning.gif", "evaluation.json", "evaluation.png", ".lock",
    "model.safetensors", "README.md", "notes.txt",
)  # fmt: skip
CONFIG = "config.json"
NOTES = "notes.txt"
FOLDERS = ("checkpoints", "model", "samples")
OURS = ("config.json", "model.safetensors")  # one of them is in every run and model folder


@dataclass(frozen=True)
class Run:
    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def word(self) -> str:
        """Its path as a word of a shell command."""
        return quoted(self.path)

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def journal(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def scores(self) -> Path:
        return self.path / "scores.jsonl"

    @property
    def monitor(self) -> Path:
        return self.path / "monitor.jsonl"

    @property
    def samples(self) -> Path:
        return self.path / "samples"

    @property
    def model(self) -> Path:
        return self.path / "model"

    def log(self, rank: int = 0) -> Path:
        """The log file of a rank."""
        return self.path / (f"log.rank{rank}.txt" if rank else "log.txt")

    def json(self, name: str) -> dict[str, Any]:
        """A JSON file of the run. Raises CheckpointError if it is missing or damaged."""
        try:
            content = Folder(self.path).read(name, MAX_JSON)
        except CheckpointError as error:
            raise CheckpointError(error.cause, "is this a run folder of gan train?") from None
        return table(content, str(self.path / name), MOST_OPTIONS if name == CONFIG else MOST_VALUES)

    def write_json(self, name: str, value: Any) -> None:
        Folder(self.path).write(name, as_json(value))

    def check(self) -> None:
        """Check that what `gan` uses in the folder, which may be a stranger's, is files and folders.

        Raises:
            CheckpointError: a link, a pipe or a device is in their place; it is named.
        """
        top = Folder(self.path)
        try:
            for place in (top, *(top / name for name in FOLDERS)):
                for name, kind in place.entries().items():
                    wanted = _wanted(name) if place is top else kind if kind in OWN_KINDS else "file"
                    if wanted not in ("", kind):
                        raise CheckpointError(f"{place.path / name} is a {kind}, where a {wanted} belongs", "remove it")
        except OSError as error:
            remedy = "remove it" if isinstance(error, ForeignError) else "check the disk, its owner and its rights"
            raise CheckpointError(f"{error.filename or self.path}: {error.strerror}", remedy) from None

    def config(self) -> Config:
        """The present configuration: config.json with all changes of history.jsonl."""
        classes = self._classes()
        layers = [migration.run_config(self.json("config.json"), classes)]
        layers += [migration.config(line["changes"], classes) for line in history.read(self.path) if "changes" in line]
        try:
            return resolve(merge(layers))
        except UsageError as error:
            with suppress(CheckpointError):
                error.remedy = plugins.missing(self.json("environment.json").get("plugins")) or error.remedy
            raise CheckpointError(
                f"{self.path / 'config.json'} does not fit this gan: {error.cause}", error.remedy
            ) from None

    def _classes(self) -> int | None:
        """The number of classes of the run's data, from its model or a checkpoint; None where there is neither yet."""
        top, points = Folder(self.path), Folder(self.path) / "checkpoints"
        with suppress(OSError):
            names = reversed(points.names())
            for folder, name in [(top / "model", "config.json"), *((points / point, "model.json") for point in names)]:
                with suppress(CheckpointError):
                    found = table(folder.read(name, MAX_JSON), str(folder.path / name))
                    return migration.classes_of(migration.model(found))
        return None


def _wanted(name: str) -> str:
    """What must have this name in a run folder; empty if `gan` does not use it."""
    return "folder" if name in FOLDERS else "file" if name in FILES or name.startswith("log.") else ""


def check_place(runs: Path, name: str | None = None) -> None:
    """Check, before anything is computed, that a run can be created. Raises UsageError for the name, ResourceError for the place."""
    if name is not None and not NAME.fullmatch(name):
        raise UsageError(f"--name {name!r} cannot be a folder's name", "use letters, digits, blanks, dots and dashes")
    place = next((p for p in (runs, *runs.absolute().parents) if os.access(p, os.F_OK)), Path("/"))
    if not place.is_dir():
        raise ResourceError(f"cannot make a run folder in {runs}: {place} is a file", "choose another --runs-dir")
    if not os.access(place, os.W_OK | os.X_OK):
        raise ResourceError(
            f"cannot make a run folder in {runs}: {place} cannot be written", "choose another --runs-dir"
        )


def create(runs: Path, stem: str, name: str | None) -> Run:
    """Create a run folder: `name`, or `<stem>-0001` and so on. Raises UsageError if the name exists or is impossible."""
    check_place(runs, name)
    try:
        Folder(runs).make(parents=True)
        if name is not None:
            (runs / name).mkdir()
            return _durable(runs / name)
        number = max((int(m[1]) for p in runs.iterdir() if (m := re.fullmatch(r".*-(\d{4,18})", p.name))), default=0)
        while True:
            number += 1
            try:
                (runs / f"{stem}-{number:04d}").mkdir()
                return _durable(runs / f"{stem}-{number:04d}")
            except FileExistsError:
                continue
    except FileExistsError:
        where = runs / name if name else runs
        if not where.is_dir() or where == runs:
            raise ResourceError(f"{where} is in the way: it is a file") from None
        raise UsageError(f"run {where} exists", f"gan resume {quoted(where)}, or choose another --name") from None
    except OSError as error:
        raise ResourceError(
            f"cannot make a run folder in {runs}: {error.strerror}", "choose another --runs-dir"
        ) from None


def _durable(path: Path) -> Run:
    """A new run, whose entry in the folder of all runs is on the disk."""
    Folder(path.parent).sync()
    return Run(path)


def find(runs: Path, name: str | None) -> Run:
    """The run with a name or path, or a model folder; without a name, the newest that has a checkpoint, if any has.

    Raises:
        UsageError: there is none.
        CheckpointError: it contains a link or something else that is no file.
    """
    run = _find(runs, name)
    run.check()
    return run


def _find(runs: Path, name: str | None) -> Run:
    if name is not None:
        there = [path for path in (Path(name), runs / name) if path.is_dir()]
        ours = [path for path in there if any((path / file).is_file() for file in OURS)]
        if there:
            return Run((ours or there)[0])
        known = [p.name for p in runs.iterdir()] if runs.is_dir() else []
        raise UsageError(f"no run {name!r}", nearest(name, known) or f"gan looked in {runs}; see --runs-dir")
    found = [p.parent for p in runs.glob("*/config.json")] if runs.is_dir() else []
    if not found:
        raise UsageError(f"no run in {runs} yet", "gan train makes one; see --runs-dir")
    return Run(max(found, key=lambda p: (_saved(p), (p / "config.json").stat().st_mtime_ns, p.name)))


def _saved(run: Path) -> bool:
    """Whether a run has a checkpoint: the newest that has one goes before one that was refused or has just begun."""
    return any((run / "checkpoints").glob("[0-9]*"))
