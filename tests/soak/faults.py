"""Faults made on purpose: a tiny run, trained in child processes that are killed, stopped, starved. For `torture.py` and the tests.

A child is forked from a parent that has read the data and imported torch, so that a trial takes a part of a second.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gancli.core.config import Layer, merge
from gancli.core.data import Reading
from gancli.core.errors import GanError, StoppedError
from gancli.core.sinks import Sink
from gancli.runs import checkpoint, folder
from gancli.training.prepare import Plan, Request, again, make
from gancli.training.session import train
from gancli.training.start import start

TIMINGS = ("images_per_s", "seconds")
TINY: Layer = {
    "data": {"source": "digits", "repeat": 1},
    "task": {"model": {"z": 4, "g_widths": [8], "d_widths": [8]}},
    "batch_size": 16,
    "intervals": {"log": 3, "sample": 320, "save": 160},
    "runtime": {"threads": 1, "precision": "fp32"},
}


class Heard(Sink):
    """A sink that keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def event(self, kind: str, **facts: Any) -> None:
        if kind in ("note", "warning"):
            self.said.append(("warning: " if kind == "warning" else "") + facts["text"])


class Bench:
    """A folder of runs, all of the same plan and called the same, and what an undisturbed one comes to."""

    def __init__(self, place: Path, steps: int = 30, layer: Layer | None = None) -> None:
        self.place, self.steps = place, steps
        place.mkdir(parents=True, exist_ok=True)
        how = Reading(place / "data", place / "cache", download=False)
        layer = merge([TINY, layer or {}, {"stop": {"max_steps": steps, "epochs": 1000}}])
        self.request = Request([layer], layer.get("preset", "textbook"), how.data_dir, how.cache_dir, False)
        self.plan, self.how = make(self.request, how), how
        self._count = 0

    def new(self) -> folder.Run:
        """A run that has not begun."""
        self._count += 1
        return start(self.request, self.plan, self.place / f"trial-{self._count:05d}", "run")

    def copy(self, run: folder.Run) -> folder.Run:
        self._count += 1
        there = self.place / f"trial-{self._count:05d}" / "run"
        shutil.copytree(run.path, there)
        return folder.Run(there)

    def forget(self, run: folder.Run) -> None:
        shutil.rmtree(run.path.parent)

    def until(self, steps: int) -> Plan:
        """The same plan, to so many steps."""
        return again(self.plan.cfg.replace(stop=self.plan.cfg.stop.replace(max_steps=steps)), self.how)

    def go(
        self,
        run: folder.Run,
        steps: int | None = None,
        resumed: bool | None = None,
        heard: Heard | None = None,
        **options: Any,
    ) -> Heard:
        """Train here, in this process."""
        heard = heard or Heard()
        resumed = (run.path / "metrics.jsonl").exists() if resumed is None else resumed
        train(run, self.plan if steps is None else self.until(steps), [heard], resumed, **options)
        return heard

    def child(
        self, run: folder.Run, steps: int | None = None, before: Callable[[], Any] | None = None, resumed: bool = True
    ) -> int:
        """Train in a child process; its number. It leaves with the exit code of the command line."""

        def work() -> None:
            if before is not None:
                before()
            self.go(run, steps, resumed)

        return fork(work)


def fork(work: Callable[[], Any]) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    number = os.fork()
    if number:
        return number
    code = 1
    try:
        work()
        code = 0
    except StoppedError as error:
        code = error.exit_code
    except GanError as error:
        os.write(2, f"{error}\n".encode())
        code = error.code
    except OSError as error:  # as the command line says it
        os.write(2, f"{error}\n".encode())
        code = 5
    except KeyboardInterrupt:
        code = 130
    except BaseException as error:  # noqa: BLE001
        os.write(2, f"child: {error!r}\n".encode())
    finally:
        os._exit(code)
    raise AssertionError


def wait(number: int, limit: float = 60.0) -> int:
    """The exit code of a child; minus the signal that ended it."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        done, status = os.waitpid(number, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(number, signal.SIGKILL)
    os.waitpid(number, 0)
    raise TimeoutError(f"a child hung for {limit} s")


def kept(run: folder.Run, same_name: bool = True) -> dict[str, bytes]:
    """All that a resumed run must have to the bit: the newest checkpoint's tensors and numbers, journals without timings, grids."""
    point = checkpoint.newest(run.checkpoints, lambda _: None)
    out = {f: point.read(f, 1 << 30) for f in point.manifest["files"] if f != "timings.json"}
    for path in (run.journal, run.scores, run.monitor):
        if path.exists():
            lines = [json.loads(line) for line in path.read_bytes().splitlines()]
            plain = [{k: v for k, v in line.items() if k not in TIMINGS} for line in lines]
            out[path.name] = "\n".join(map(json.dumps, plain)).encode()
    if same_name and run.samples.exists():
        out |= {p.name: p.read_bytes() for p in sorted(run.samples.glob("*.png"))}
    out["model"] = (run.model / "model.safetensors").read_bytes()
    return out


def differing(found: dict[str, bytes], wanted: dict[str, bytes]) -> list[str]:
    """What is not the same to the bit. A sitting's last grid is no fault where the undisturbed run drew none."""
    more = {k for k in found.keys() - wanted.keys() if k.endswith(".png")}
    return sorted(k for k in found.keys() | wanted.keys() if k not in more and found.get(k) != wanted.get(k))


class Points:
    """Counts what a process asks of the disk, and ends it at one of these points, like kill -9, half of a write done."""

    def __init__(self, at: int | None, within: Path) -> None:
        self.at, self.within, self.seen = at, str(within), 0

    def install(self) -> None:
        """For this process, for good: to be called in a child."""
        real_open, real_write = os.open, os.write

        def opened(path: Any, flags: int, *rest: Any, **more: Any) -> int:
            if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                self.pass_()
            return real_open(path, flags, *rest, **more)

        def write(handle: int, content: Any) -> int:
            if os.path.realpath(f"/proc/self/fd/{handle}").startswith(self.within):
                self.pass_(lambda: real_write(handle, content[: len(content) // 2]))
            return real_write(handle, content)

        os.open, os.write = opened, write
        for name in ("fsync", "rename", "replace", "mkdir", "unlink", "remove", "rmdir"):
            self._patch(name)

    def _patch(self, name: str) -> None:
        real = getattr(os, name)

        def call(*args: Any, **more: Any) -> Any:
            self.pass_()
            out = real(*args, **more)
            self.pass_()
            return out

        setattr(os, name, call)

    def pass_(self, dying: Callable[[], Any] | None = None) -> None:
        self.seen += 1
        if self.seen == self.at:
            if dying is not None:
                dying()
            os.kill(os.getpid(), signal.SIGKILL)


def count_points(bench: Bench, run: folder.Run, steps: int) -> int:
    """How many points a child passes as it trains to `steps`."""
    points, (reading, writing) = Points(None, run.path), os.pipe()

    def work() -> None:
        points.install()
        bench.go(run, steps, True)
        os.write(writing, str(points.seen).encode())

    code = wait(fork(work))
    os.close(writing)
    said = os.read(reading, 64)
    os.close(reading)
    assert code == 0, code
    return int(said)


def flip(path: Path, rng: random.Random) -> Callable[[], None]:
    """Flip one bit of a file; call the result to flip it back."""
    content = path.read_bytes()
    bit = rng.randrange(8 * len(content))
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    path.write_bytes(bytes(changed))

    def back() -> None:
        path.write_bytes(content)

    return back


@contextlib.contextmanager
def small_disk(place: Path, size: str) -> Iterator[bool]:
    """A tmpfs of that size where this user may mount one; else False."""
    place.mkdir(parents=True, exist_ok=True)
    mounted = os.geteuid() == 0 and os.system(f"mount -t tmpfs -o size={size} tmpfs '{place}' 2>/dev/null") == 0
    try:
        yield mounted
    finally:
        if mounted:
            os.system(f"umount -l '{place}'")
