"""Commands whose answer a page waits for: `gan` with arguments, or samples of a model. They run as children of the zygote."""

from __future__ import annotations

import contextlib
import itertools
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gancli.core.errors import CheckpointError, DataError, GanError, InUseError, ResourceError, UsageError
from gancli.studio.place import environment
from gancli.studio.runner import last_line

MOST_OUT = 16 << 20  # bytes of an answer
AT_ONCE = 3
IDLE = 900.0  # seconds after which the zygote is ended
SUPERSEDED = "this was asked anew before it was answered"
ERRORS: dict[int, type[GanError]] = {2: UsageError, 3: DataError, 4: CheckpointError, 5: ResourceError, 7: InUseError}


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str

    def json(self) -> dict[str, Any]:
        """The JSON object that it printed. Raises the error that it ended with."""
        if self.code != 0:
            cause, _, remedy = last_line(self.err, self.code).partition("  ->  ")
            raise ERRORS.get(self.code, ResourceError)(cause, remedy)
        try:
            found = json.loads(self.out)
        except ValueError:
            raise ResourceError("the command answered something else than JSON") from None
        return found if isinstance(found, dict) else {"": found}


@dataclass
class Waiting:
    """A request that has not been answered yet."""

    ended: threading.Event
    key: str = ""
    code: int | None = None
    superseded: bool = False


class Commands:
    """Runs commands; one with the same key ends the one before, whose answer nobody waits for any more."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._waiting: dict[int, Waiting] = {}
        self._lock = threading.Lock()
        self._slots = threading.Semaphore(AT_ONCE)
        self._process: subprocess.Popen[bytes] | None = None
        self._used = time.monotonic()
        self._scratch: tempfile.TemporaryDirectory[str] | None = None

    def gan(self, command: Sequence[str], key: str = "", seconds: float = 300.0) -> Answer:
        """Run `gan` with arguments, to its end.

        Args:
            command: arguments of `gan`.
            key: what it is about.
            seconds: after which it is ended.

        Raises:
            InUseError: a later command with the same key took its place.
            ResourceError: it took too long, or the process was killed.
        """
        return self.run({"do": "gan", "words": list(command)}, key, seconds)

    def make(self, request: dict[str, Any], key: str = "", seconds: float = 300.0) -> dict[str, Any]:
        """What `making.carry_out` answers to a request. Raises GanError."""
        found = self.run({"do": "make", "request": request}, key, seconds).json()
        if "cause" in found:
            raise ERRORS.get(found["code"], ResourceError)(found["cause"], found["remedy"])
        return found

    def run(self, request: dict[str, Any], key: str, seconds: float) -> Answer:
        """Carry out a request of the zygote."""
        if key:
            self.stop(key)
        mine, number = Waiting(threading.Event(), key), next(self._numbers)
        with self._slots:
            files = {name: self._folder() / f"{number}.{name}" for name in ("out", "err")}
            self._send({"id": number, **request, **{k: str(v) for k, v in files.items()}}, number, mine)
            over = mine.ended.wait(seconds)
            if not over:
                self._kill(number)
                mine.ended.wait(10)
            texts = [_taken(file) for file in files.values()]
        if mine.superseded:
            raise InUseError(SUPERSEDED)
        if not over:
            raise ResourceError(f"it took more than {seconds:.0f} s, and was ended")
        if mine.code is None:
            raise ResourceError("the process that works for the pages was killed", "try again: it is started anew")
        return Answer(mine.code, *texts)

    def _folder(self) -> Path:
        """A temporary folder, which is gone with the server."""
        with self._lock:
            if self._scratch is None:
                self._scratch = tempfile.TemporaryDirectory(prefix="gan-studio-", ignore_cleanup_errors=True)
            return Path(self._scratch.name)

    def stop(self, key: str = "") -> None:
        """End the command of a key; without one all of them, and the zygote."""
        with self._lock:
            numbers = [n for n, w in self._waiting.items() if not key or w.key == key]
            for number in numbers:
                self._waiting[number].superseded = True
        for number in numbers:
            self._kill(number)
        if not key:
            self._end()

    def rest(self) -> None:
        """End the zygote if nobody needed it for long."""
        with self._lock:
            idle = not self._waiting and time.monotonic() - self._used > IDLE
        if idle:
            self._end()

    def _end(self) -> None:
        with self._lock:
            process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(2)

    def _kill(self, number: int) -> None:
        with self._lock, contextlib.suppress(OSError, ValueError):
            if self._process is not None and self._process.stdin is not None:
                self._process.stdin.write(json.dumps({"kill": number}).encode() + b"\n")
                self._process.stdin.flush()

    def _send(self, request: dict[str, Any], number: int, mine: Waiting) -> None:
        with self._lock:
            self._used = time.monotonic()
            if self._process is None or self._process.poll() is not None:
                self._process = self._started()
            assert self._process.stdin is not None
            self._waiting[number] = mine
            with contextlib.suppress(OSError):  # it was killed just now: the reader says so
                self._process.stdin.write(json.dumps(request).encode() + b"\n")
                self._process.stdin.flush()

    def _started(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "gancli.studio.zygote"]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
            env=environment(),
        )  # fmt: skip
        threading.Thread(target=self._listen, args=(process,), daemon=True, name="zygote").start()
        return process

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        """Take the answers; where there are no more, the process is gone, and so are all that wait."""
        assert process.stdout is not None
        for line in process.stdout:
            with contextlib.suppress(ValueError):
                found = json.loads(line)
                with self._lock:
                    waiting = self._waiting.pop(found.get("id", 0), None)
                    self._used = time.monotonic()
                if waiting is not None:
                    waiting.code = found["code"]
                    waiting.ended.set()
        process.wait()
        with self._lock:
            if self._process not in (process, None):
                return
            self._process = None
            left, self._waiting = [*self._waiting.values()], {}
        for waiting in left:
            waiting.ended.set()


def _taken(file: Path) -> str:
    """The content of a file, which is removed."""
    try:
        with file.open("rb") as opened:
            return opened.read(MOST_OUT).decode("utf-8", "replace")
    except OSError:
        return ""
    finally:
        file.unlink(missing_ok=True)
