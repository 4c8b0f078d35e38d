"""The queue: a folder with one JSON file for each command, which runs as a process of its own session.

    <id>.json   what is to run, and what became of it       <id>.out    standard output: the result, one JSON object
    <id>.held   locked by the process for as long as it lives   <id>.log    everything else that it said

Whether a command runs is known by the kernel's lock, which the process inherits, not by a number that was written down: it
holds whoever started the process and however that one ended. `runner.py` starts the next command of each lane.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from gancli.core.errors import CheckpointError, InUseError, UsageError
from gancli.core.files import Folder

MOST = 4 << 20  # bytes of a file that is read
KEPT = 200  # entries that are over
STATES = ("waiting", "running", "done", "failed", "stopped", "gone")
NUMBER = int | float
KINDS: dict[str, Any] = {  # of the values of an entry, which somebody may have written
    "id": str, "what": str, "run": str, "command": list, "lane": str, "order": NUMBER, "state": str, "created": NUMBER,
    "started": NUMBER | None, "ended": NUMBER | None, "pid": int | None, "said": str,
}  # fmt: skip
OVER = ("done", "failed", "stopped", "gone")


@dataclass(frozen=True)
class Entry:
    """A command in the queue.

    Attributes:
        id: unique, sorted by time.
        what: "train", "resume", "evaluate" or "export".
        run: the run that it makes or is about.
        command: the arguments of `gan`.
        lane: commands of one lane run one after the other; that of a training is its device.
        order: of those that wait, the least is next.
        state: waiting, running, done, failed, stopped, or gone: it ended unobserved, and its exit code is not known.
        said: why it failed.
    """

    id: str
    what: str
    run: str
    command: tuple[str, ...]
    lane: str
    order: float
    state: str = "waiting"
    created: float = 0.0
    started: float | None = None
    ended: float | None = None
    pid: int | None = None
    code: int | None = None
    said: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.state in OVER


class Queue:
    """The entries in a folder. All changes are made under the folder's lock, so that several servers may share it."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self._runner = 0  # the process that this one has started

    @contextlib.contextmanager
    def locked(self, name: str = ".lock") -> Iterator[None]:
        """Hold a lock of the folder; waits for it."""
        handle = self.folder.opened(name, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def entries(self) -> list[Entry]:
        """All entries: running and waiting ones in the order in which they run, then the others, newest first."""
        found = [e for name in self.folder.names() if name.endswith(".json") and (e := self._read(name)) is not None]
        live = sorted((e for e in found if not e.over), key=lambda e: (e.state == "waiting", e.order))
        return live + sorted((e for e in found if e.over), key=lambda e: e.id, reverse=True)

    def get(self, name: str) -> Entry:
        """The entry with an id. Raises UsageError."""
        found = next((e for e in self.entries() if e.id == name), None)
        if found is None:
            raise UsageError(f"no entry {name[:60]!r} in the queue", "it may have been removed")
        return found

    def of_run(self, run: str) -> list[Entry]:
        """The entries about a run."""
        return [e for e in self.entries() if e.run == run]

    def _read(self, name: str) -> Entry | None:
        try:
            table = json.loads(self.folder.read(name, MOST))
            known = {f.name for f in fields(Entry)}
            if not isinstance(table, dict) or not all(isinstance(table.get(k), kinds) for k, kinds in KINDS.items()):
                return None
            values: dict[str, Any] = {k: tuple(v) if k == "command" else v for k, v in table.items() if k in known}
            entry = Entry(**values)
        except (CheckpointError, ValueError, TypeError):
            return None
        fits = entry.id == name.removesuffix(".json") and entry.state in STATES
        return entry if fits and all(isinstance(word, str) for word in entry.command) else None

    def save(self, entry: Entry) -> None:
        """Write an entry; to be called with the lock held."""
        self.folder.write(f"{entry.id}.json", json.dumps(asdict(entry), indent=1).encode(), synced=False)

    def add(self, what: str, run: str, command: Sequence[str], lane: str, **facts: Any) -> Entry:
        """Append a command, and see that a runner is there.

        Raises:
            InUseError: the same is waiting or running for this run.
        """
        now = time.time()
        with self.locked():
            there = self.entries()
            if any(e.what == what and e.run == run and not e.over for e in there):
                raise InUseError(f"{what} of {run} is in the queue already", "look at the page Queue")
            last = max((e.order for e in there if not e.over), default=0.0)
            name = f"{int(now * 1000):014d}-{secrets.token_hex(3)}"
            entry = Entry(name, what, run, tuple(command), lane, last + 1, created=now, facts=facts)
            self.save(entry)
            for old in [e for e in there if e.over][KEPT:]:
                self._remove(old)
        self.wake()
        return entry

    def wake(self) -> None:
        """Start a runner if there is none and something waits. It is a process of its own session, and outlives this one."""
        if self._starts() or not self._free("runner.lock") or all(e.over for e in self.entries()):
            return
        command = [sys.executable, "-m", "gancli.studio.runner", str(self.folder.path)]
        nothing = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
        self._runner = os.posix_spawn(sys.executable, command, os.environ, file_actions=nothing, setsid=True)

    def _starts(self) -> bool:
        """Whether the runner that was started last is there; one that has ended is reaped."""
        if self._runner:
            with contextlib.suppress(ChildProcessError):
                if os.waitpid(self._runner, os.WNOHANG) == (0, 0):
                    return True
            self._runner = 0
        return False

    def _free(self, name: str) -> bool:
        """Whether nobody holds the lock of a file."""
        try:
            handle = self.folder.opened(name, os.O_RDWR)
        except OSError:
            return True
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        finally:
            os.close(handle)
        return True

    def alive(self, entry: Entry) -> bool:
        """Whether a process of the entry is there."""
        return not self._free(f"{entry.id}.held")

    def move(self, name: str, by: int) -> None:
        """Move a waiting entry up (-1) or down (1) by one place."""
        with self.locked():
            waiting = [e for e in self.entries() if e.state == "waiting"]
            at = next((i for i, e in enumerate(waiting) if e.id == name), None)
            if at is None:
                raise UsageError("only what waits can be moved", "it is running, or over")
            other = min(max(at + by, 0), len(waiting) - 1)
            here, there = waiting[at], waiting[other]
            self.save(replace(here, order=there.order))
            self.save(replace(there, order=here.order) if here != there else here)

    def cancel(self, name: str) -> None:
        """Remove an entry that waits or is over, or stop the one that runs: a training saves a checkpoint."""
        with self.locked():
            entry = self.get(name)
            if entry.state != "running":
                self._remove(entry)
                return
        if entry.pid is not None and holds(entry.pid, self.folder.path / f"{entry.id}.held"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(entry.pid, signal.SIGTERM)

    def _remove(self, entry: Entry) -> None:
        self.folder.remove([f"{entry.id}{suffix}" for suffix in (".json", ".out", ".log", ".held")])

    def log(self, entry: Entry, most: int = 20_000) -> str:
        """The end of what the process said."""
        return tail(self.folder, f"{entry.id}.log", most)

    def result(self, entry: Entry) -> dict[str, Any]:
        """The JSON object that the process printed; empty if there is none."""
        try:
            found = json.loads(self.folder.read(f"{entry.id}.out", MOST))
        except (CheckpointError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def tail(folder: Folder, name: str, most: int) -> str:
    """The last bytes of a text file, from the beginning of a line; empty if there is no such file."""
    try:
        with folder.open(name) as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - most))
            content = file.read(most)
    except (OSError, ValueError):
        return ""
    text = content.decode("utf-8", "replace")
    return text.partition("\n")[2] if size > most else text


def holds(pid: int, path: Path) -> bool:
    """Whether a process has a file open: only such a one is sent a signal, since a number on the disk may be anybody's."""
    try:
        wanted = path.stat()
        for handle in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                found = handle.stat()
                if (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino):
                    return True
    except OSError:
        pass
    return False
