"""`gan` called in a child process, and what that took: exit code, text, processor time, memory."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import importlib
import json
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faults import fork, wait

WALL = 300.0  # seconds, on a machine that does other things, too
WARM = "GAN_SOAK_WARM"  # variable: whether this process imports what its children imported, so that the next need not


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int  # exit code, or minus a signal
    text: str  # everything printed
    seconds: float  # of processor time
    peak: float  # MB of memory more than before the command

    @property
    def crashed(self) -> bool:
        return self.code in (1, -signal.SIGKILL) or "Traceback" in self.text


def call(place: Path, *words: str) -> Outcome:
    """Call `gan` with these words; `place` is a folder for what it prints."""

    def command() -> None:
        sys.argv = ["gan", *words]
        from gancli.cli import main

        main()

    return measured(place, command)


def measured(place: Path, command: Callable[[], object]) -> Outcome:
    """Call a function in a child, and measure that."""
    said, result = place / "said.txt", place / "facts.json"

    def work() -> None:
        handle = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, 1), os.dup2(handle, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
        before, code = _memory("VmRSS"), 1
        try:
            command()
            code = 0
        except SystemExit as error:
            code = error.code or 0
        except Exception:  # noqa: BLE001
            traceback.print_exc()
        finally:
            sys.stdout.flush(), sys.stderr.flush()
            used, grown = resource.getrusage(resource.RUSAGE_SELF), _memory("VmHWM") - before
            facts: dict[str, Any] = {"seconds": used.ru_utime + used.ru_stime, "peak": grown}
            if os.environ.get(WARM):
                facts["modules"] = sorted(sys.modules)
            result.write_text(json.dumps(facts))
            os._exit(code)

    result.unlink(missing_ok=True)
    try:
        code = wait(fork(work), WALL)
    except TimeoutError:
        return Outcome(-signal.SIGKILL, "it hung", WALL, 0.0)
    text = said.read_bytes().decode(errors="replace")
    facts = json.loads(result.read_text()) if result.exists() else {"seconds": 0.0, "peak": 0.0}
    for name in facts.get("modules", ()):
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    return Outcome(code, text, facts["seconds"], facts["peak"])


def _memory(kind: str) -> float:
    """MB that this process holds (VmRSS), or held at most (VmHWM) since the last call for what it holds.

    What the parent held and has freed is given back first: whether a command uses it again is chance.
    """
    if kind == "VmRSS":
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
    line = next(s for s in Path("/proc/self/status").read_text().splitlines() if s.startswith(kind))
    return int(line.split()[1]) / 1024


def tree(place: Path) -> dict[str, Any]:
    """Every file below a folder with its content and permissions."""
    out: dict[str, Any] = {}
    for path in sorted(place.rglob("*")):
        found = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        out[str(path.relative_to(place))] = (found.st_mode, hashlib.sha256(content).hexdigest())
    return out


def acts(c: str) -> bool:
    """Whether a terminal does something at this character other than showing it."""
    return c != "\n" and not c.isprintable() and c != "\0"
