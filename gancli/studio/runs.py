"""What run folders say: the list of runs, one run, its previews, notes and size; stopping and deleting."""

from __future__ import annotations

import contextlib
import math
import os
import re
import shlex
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gancli.core.errors import CheckpointError, UsageError
from gancli.core.files import Folder
from gancli.report import catalog
from gancli.runs import checkpoint, journal, lock
from gancli.runs.folder import FILES, NOTES, Run
from gancli.studio.place import Place
from gancli.studio.queue import holds

WATCHED = ("config.json", "status.json", "evaluation.json", "scores.jsonl", "history.jsonl", "checkpoints", ".lock")
UNKNOWN: dict[str, Any] = dict.fromkeys(  # of a run that cannot be read
    ("data", "preset", "state", "reason", "step", "images", "total", "minutes_left", "score", "value")
)
MOST_NOTES = 20_000  # characters
MOST_FILES = 100_000  # that are counted for the size of a run
PREVIEW = re.compile(r"(\d{1,15})(?:-([\w-]{1,40}))?\.(png|gif|txt)", re.ASCII)
MEDIA = {"png": "image/png", "gif": "image/gif", "txt": "text/plain; charset=utf-8"}
POINTS = 48  # of a sparkline
HEADLINE = ("loss/G", "g_loss", "loss/D")


@dataclass(frozen=True)
class Preview:
    """A file of samples that training wrote."""

    step: int
    name: str  # "" or the name of what it shows
    file: str
    media: str  # image or text


class Runs:
    """The runs of a folder. What was read is kept for as long as the files do not change."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._known: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {}
        self._sparks: dict[str, tuple[Any, list[float]]] = {}
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """The folders that may be runs."""
        found = Folder(self.place.runs).entries() if self.place.runs.is_dir() else {}
        return [name for name, kind in found.items() if kind == "folder" and not name.startswith(".")]

    def listed(self) -> list[dict[str, Any]]:
        """All runs, newest first."""
        names = self.names()
        found = [self.brief(name) for name in names]
        with self._lock:
            for gone in self._known.keys() - {*names}:
                del self._known[gone]
        return sorted(found, key=lambda r: (r["begun"], r["name"]), reverse=True)

    def begun(self, name: str) -> tuple[float, str]:
        """When a run was begun, and its name."""
        found = (Folder(self.place.runs) / name).stat("config.json")
        return (0.0 if found is None else found.st_mtime), name

    def brief(self, name: str) -> dict[str, Any]:
        """A run's data, preset, state, progress, score and notes."""
        path = self.place.runs / name
        stamp, begun = _stamp(path)
        with self._lock:
            known = self._known.get(name)
        if known is not None and known[0] == stamp and known[1].get("state") not in ("running", "saving"):
            return known[1]
        found = {**UNKNOWN, **catalog.run(Run(path)), "name": name, "begun": begun, "notes": self.notes(name)}
        del found["path"]
        found["progress"] = _share(found)
        with self._lock:
            self._known[name] = (stamp, found)
        return found

    def spark(self, name: str) -> list[float]:
        """A few values of the loss, for a sparkline; of a long journal those at evenly spaced places."""
        folder = Folder(self.place.runs) / name
        found = folder.stat("metrics.jsonl")
        if found is None:
            return []
        stamp = (found.st_size, found.st_mtime_ns)
        if (known := self._sparks.get(name)) is not None and known[0] == stamp:
            return known[1]
        values = _sampled(folder, found.st_size)
        if len(self._sparks) > 2000:
            self._sparks.clear()
        self._sparks[name] = (stamp, values)
        return values

    def notes(self, name: str) -> str:
        """The notes in the run folder."""
        try:
            return self.file(name, "", NOTES, 4 * MOST_NOTES).decode("utf-8", "replace")
        except (CheckpointError, UsageError):
            return ""

    def write_notes(self, name: str, text: str) -> None:
        """Replace the notes. Raises UsageError if they are too long."""
        if len(text) > MOST_NOTES:
            raise UsageError(f"notes of {len(text):,} characters", f"at most {MOST_NOTES:,} are kept")
        folder = Folder(self.place.run(name))
        if text.strip():
            folder.write(NOTES, text.encode("utf-8", "replace"))
        else:
            folder.remove([NOTES])
        with self._lock:
            self._known.pop(name, None)

    def previews(self, name: str) -> list[Preview]:
        """The previews, oldest first."""
        entries = (Folder(self.place.run(name)) / "samples").entries()
        found = [(PREVIEW.fullmatch(file), file) for file, kind in entries.items() if kind == "file"]
        known = [
            Preview(int(m[1]), m[2] or "", file, "text" if m[3] == "txt" else "image") for m, file in found if m is not None
        ]  # fmt: skip
        return sorted(known, key=lambda p: (p.name, p.step))

    def file(self, name: str, folder: str, file: str, most: int = 64 << 20) -> bytes:
        """A file of a run, whose name is looked up in the listing, and which has no other. Raises UsageError, CheckpointError."""
        top = Folder(self.place.run(name))
        within = top / folder if folder else top
        if within.entries().get(file) != "file":
            raise UsageError(f"no file {file[:100]!r} in {name}")
        if (found := within.stat(file)) is not None and found.st_nlink > 1:
            why = f"{file} of {name} has several names (hard links): it may be another file, and is not shown"
            raise UsageError(why, f"copy the run: cp -r {shlex.quote(name)} COPY")
        return within.read(file, most)

    def steps(self, name: str) -> list[int]:
        """The steps of the checkpoints, newest first."""
        found = (checkpoint.step_of(p) for p in checkpoint.listed(self.place.run(name) / "checkpoints"))
        return [step for step in found if step is not None]

    def size(self, name: str) -> int:
        """The bytes of a run on the disk; links are not followed."""
        total, todo, count = 0, [self.place.runs / name], 0
        while todo and count < MOST_FILES:
            with contextlib.suppress(OSError), os.scandir(todo.pop()) as entries:
                for entry in entries:
                    count += 1
                    with contextlib.suppress(OSError):
                        if entry.is_dir(follow_symlinks=False):
                            todo.append(Path(entry.path))
                        else:
                            total += entry.stat(follow_symlinks=False).st_blocks * 512
        return total

    def stop(self, name: str) -> int:
        """Ask the process that trains a run to save and end. Returns its number. Raises UsageError if there is none."""
        path = self.place.run(name)
        said = lock.holder(path)
        if not said.isdigit() or not holds(int(said), path / lock.NAME):
            raise UsageError(f"no process on this machine trains {name}", "it has ended, or runs on another machine")
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(said), signal.SIGTERM)
        return int(said)

    def discard(self, name: str) -> str:
        """Move a run into the trash. Returns its name there. Raises InUseError while it is trained."""
        path = self.place.run(name)
        kept = f"{name}.{int(time.time() * 1000)}"
        trash = self.place.folder("trash")
        with lock.locked(path):
            os.rename(path, trash.path / kept)  # noqa: PTH104 - as it is: a link is not followed
        return kept

    def trash(self) -> list[str]:
        """What is in the trash, newest first."""
        found = self.place.folder("trash").entries()
        return sorted((n for n, kind in found.items() if kind == "folder"), key=lambda n: n.rpartition(".")[2])[::-1]

    def restore(self, kept: str) -> str:
        """Take a run out of the trash. Returns its name. Raises UsageError if it is not there, or its name is taken."""
        name = self._kept(kept)
        if (self.place.runs / name).exists():
            raise UsageError(f"there is another run {name}", "rename that one first")
        os.rename(self.place.folder("trash").path / kept, self.place.runs / name)  # noqa: PTH104
        return name

    def _kept(self, kept: str) -> str:
        if kept not in self.trash():
            raise UsageError(f"no {kept[:100]!r} in the trash")
        return kept.rpartition(".")[0]

    def destroy(self, kept: str) -> list[str]:
        """Delete a run in the trash: all that `gan` wrote. Returns what is left because something else wrote it."""
        self._kept(kept)
        top = self.place.folder("trash") / kept
        with lock.locked(top.path):
            for inner in ("checkpoints", "samples", "model", "tensorboard"):
                _emptied(top / inner, deep=inner == "checkpoints")
            top.remove(n for n in top.names() if n in FILES or n.startswith("log."))
        return [] if top.remove_empty() else top.names()


def _emptied(folder: Folder, deep: bool) -> None:
    """Remove a folder's regular files, those of its folders if `deep`, and then the folder, if nothing is left."""
    for name, kind in folder.entries().items():
        if kind == "file":
            folder.remove([name])
        elif kind == "folder" and deep:
            _emptied(folder / name, False)
    folder.remove_empty()


def _stamp(path: Path) -> tuple[tuple[Any, ...], float]:
    """What changes with a run's files, and when the run was begun."""
    out: list[Any] = []
    begun = 0.0
    for name in (*WATCHED, NOTES):
        try:
            found = os.stat(path / name, follow_symlinks=False)  # noqa: PTH116
        except OSError:
            out.append(None)
            continue
        out.append((found.st_mtime_ns, found.st_size, found.st_ino))
        if name == "config.json":
            begun = found.st_mtime
    return tuple(out), begun


def _share(found: dict[str, Any]) -> float | None:
    """The share of its images that a run has drawn."""
    total, images = found.get("total"), found.get("images")
    if not isinstance(total, int) or not isinstance(images, int) or total <= 0:
        return None
    return min(1.0, images / total)


def _sampled(folder: Folder, size: int) -> list[float]:
    """Up to `POINTS` values of the first of the losses that there is."""
    lines: list[dict[str, Any]] = []
    try:
        with folder.open("metrics.jsonl") as file:
            offsets = [0] if size <= 1 << 16 else [size * i // POINTS for i in range(POINTS)]
            for offset in offsets:
                file.seek(offset)
                if offset:
                    file.readline(1 << 16)
                for raw in file.readlines(1 << 16) if not offsets[1:] else [file.readline(1 << 16)]:
                    value = journal.parsed(raw) if raw.endswith(b"\n") else None
                    if value is not None:
                        lines.append(value)
    except OSError:
        return []
    key = next((k for k in HEADLINE for line in lines[-1:] if k in line), "")
    values = [float(v) for line in lines if isinstance(v := line.get(key), int | float) and math.isfinite(v)]
    if len(values) <= POINTS:
        return values
    size_of = len(values) / (POINTS // 2)
    buckets = [values[round(i * size_of) : round((i + 1) * size_of)] for i in range(POINTS // 2)]
    return [v for b in buckets if b for v in sorted((min(b), max(b)), key=b.index)]
