"""The process that starts what waits in the queue, one command per lane, and ends when nothing is left.

Started by `Queue.wake`; there is one for a folder. It may be killed at any time: commands that run go on, and the next runner
finds them by their locks.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from gancli.core.files import Folder
from gancli.studio.place import environment, program
from gancli.studio.queue import Entry, Queue, tail

LOOK = 0.25  # seconds between looks
TRIES = 6  # to become the runner
LONGEST = 600  # characters of an error


class Runner:
    """Starts commands and records how they end."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.children: dict[str, subprocess.Popen[bytes]] = {}

    def turn(self) -> bool:
        """Record what has ended, and start what is next. False if nothing is left to do."""
        with self.queue.locked():
            entries = self.queue.entries()
            busy = set()
            for entry in entries:
                if entry.state == "running":
                    if self._alive(entry):
                        busy.add(entry.lane)
                    else:
                        self._ended(entry)
            for entry in entries:
                if entry.state == "waiting" and entry.lane not in busy:
                    busy.add(entry.lane)
                    self._start(entry)
            return bool(busy) or any(e.state in ("waiting", "running") for e in self.queue.entries())

    def _alive(self, entry: Entry) -> bool:
        child = self.children.get(entry.id)
        return self.queue.alive(entry) if child is None else child.poll() is None

    def _ended(self, entry: Entry) -> None:
        child = self.children.pop(entry.id, None)
        code = None if child is None else child.returncode
        stopped = code in (128 + signal.SIGTERM, 128 + signal.SIGINT, -signal.SIGTERM)
        state = "gone" if code is None else "done" if code == 0 else "stopped" if stopped else "failed"
        said = "" if code in (0, None) else last_line(tail(self.queue.folder, f"{entry.id}.log", 8000), code or 0)
        self.queue.save(replace(entry, state=state, ended=time.time(), code=code, said=said[:LONGEST]))

    def _start(self, entry: Entry) -> None:
        folder = self.queue.folder
        flags = os.O_RDWR | os.O_CREAT
        with contextlib.ExitStack() as held:
            handles = {}
            for suffix in (".held", ".out", ".log"):
                handles[suffix] = folder.opened(f"{entry.id}{suffix}", flags | os.O_APPEND, 0o600)
                held.callback(os.close, handles[suffix])
            fcntl.flock(handles[".held"], fcntl.LOCK_EX)
            try:
                child = subprocess.Popen(
                    program(entry.command), stdin=subprocess.DEVNULL, stdout=handles[".out"], stderr=handles[".log"],
                    pass_fds=(handles[".held"],), start_new_session=True, env=environment(),
                )  # fmt: skip
            except OSError as error:
                self.queue.save(replace(entry, state="failed", ended=time.time(), said=str(error)))
                return
        self.children[entry.id] = child
        self.queue.save(replace(entry, state="running", started=time.time(), pid=child.pid))


def last_line(log: str, code: int) -> str:
    """What a process said last: its error, by which a GanError says cause and remedy."""
    if code < 0:
        name = signal.Signals(-code).name if -code in {*signal.Signals} else str(-code)
        return f"killed by {name}"
    lines = [line for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("error: ", "stopped: "))]
    return (errors or lines or [f"exit code {code}"])[-1].removeprefix("error: ").removeprefix("stopped: ")


def main(folder: Path) -> None:
    """Run until nothing is left; end at once if there is a runner already."""
    queue = Queue(Folder(folder))
    handle = queue.folder.opened("runner.lock", os.O_RDWR | os.O_CREAT, 0o600)
    if not any(_taken(handle) for _ in range(TRIES)):
        return
    runner = Runner(queue)
    while True:
        if not runner.turn():
            with queue.locked():  # nothing is added between this look and the end
                if all(entry.over for entry in queue.entries()):
                    os.close(handle)
                    return
        time.sleep(LOOK)


def _taken(handle: int) -> bool:
    """Take the lock; whoever looks whether it is free has it for a moment."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        time.sleep(0.05)
        return False
    return True


if __name__ == "__main__":
    main(Path(sys.argv[1]))
