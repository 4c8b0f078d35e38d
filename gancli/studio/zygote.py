"""A process that has imported torch and forks for each command, so that a page waits for the command and not for imports.

Requests are lines of JSON on standard input, answers lines on standard output:

    {"id": 1, "do": "gan", "words": [...], "out": PATH, "err": PATH}    ->  {"id": 1, "code": 0}
    {"id": 2, "do": "make", "request": {...}, "out": PATH, "err": PATH} ->  {"id": 2, "code": 0}
    {"kill": 1}

A command runs in a process of its own: what it does to memory, threads or the registry ends with it, and it can be killed. The
process ends when its input does, that is with the server.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import runpy
import select
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

WARM = ("gancli.cli", "gancli.core.schema", "gancli.inference.loading", "gancli.inference.apply", "gancli.inference.writing",
        "gancli.training.prepare", "gancli.training.rehearsal", "gancli.data.inspect", "gancli.evaluation.inputs",
        "gancli.studio.making")  # fmt: skip
LOOK = 0.02  # seconds between looks at children


def warm() -> None:
    """Import what commands need, all parts included. Nothing is computed: no threads are started that a fork would lose."""
    for name in WARM:
        importlib.import_module(name)
    from gancli.core.schema import configuration

    configuration()


def child(request: dict[str, Any]) -> int:
    """Carry out a request in this process, with its output in files. Returns the exit code."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    files = [nothing, *(os.open(request[k], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600) for k in ("out", "err"))]
    for to, handle in enumerate(files):
        os.dup2(handle, to)
    work: Callable[[], None] = {"gan": lambda: _gan(request["words"]), "make": lambda: _make(request["request"])}[
        request["do"]
    ]
    try:
        work()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
    except BaseException:  # noqa: BLE001 - a fork must not go on with what the parent was doing
        traceback.print_exc()
        return 1
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
    return 0


def _gan(words: list[str]) -> None:
    sys.argv = ["gan", *words]
    runpy.run_module("gancli", run_name="__main__")


def _make(request: dict[str, Any]) -> None:
    from gancli.studio.making import carry_out

    sys.stdout.write(json.dumps(carry_out(request)) + "\n")


class Zygote:
    """Forks, and says when a child has ended."""

    def __init__(self) -> None:
        self.children: dict[int, int] = {}  # pid -> id of the request
        self.rest = b""

    def serve(self) -> None:
        """Until the input ends."""
        while True:
            ready, _, _ = select.select([0], [], [], LOOK if self.children else None)
            if ready:
                content = os.read(0, 1 << 16)
                if not content:
                    for pid in self.children:
                        _kill(pid)
                    return
                *lines, self.rest = (self.rest + content).split(b"\n")
                for line in filter(None, lines):
                    self._take(json.loads(line))
            self._reap()

    def _take(self, request: dict[str, Any]) -> None:
        if "kill" in request:
            for pid in [p for p, number in self.children.items() if number == request["kill"]]:
                _kill(pid)
            return
        pid = os.fork()
        if pid == 0:
            os._exit(child(request))
        self.children[pid] = request["id"]

    def _reap(self) -> None:
        while self.children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            code = os.waitstatus_to_exitcode(status)
            os.write(1, json.dumps({"id": self.children.pop(pid, 0), "code": code}).encode() + b"\n")


def _kill(pid: int) -> None:
    """Kill a child and what it started; one that has not made its session yet alone."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError):
            kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warm()
    os.write(1, b'{"ready": true}\n')
    Zygote().serve()
