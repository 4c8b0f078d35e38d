"""The fault table's long version: `python tests/soak/torture.py [--part kills] [--budget 600] [--scale 1]`.

Each part counts its trials in a JSON file and goes on from there when it is called again, until it has as many as the table asks for
(times `--scale`). `--table` prints what was found so far as a table. Nothing outside `--place` is written.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from faults import Bench, Heard, Points, count_points, differing, flip, fork, kept, small_disk, wait

from gancli.core.contracts import Logs
from gancli.core.errors import CheckpointError, InUseError
from gancli.core.sinks import Progress
from gancli.runs import checkpoint
from gancli.runs.lock import locked

STEPS = 30
Trial = tuple[bool, str]  # as the table says, and a word where not


class Torture:
    """The parts; each yields one trial after the other, numbered from `first`."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.bench = Bench(place / "bench", STEPS)
        run = self.bench.new()
        since = time.monotonic()
        self.bench.go(run)
        self.takes = time.monotonic() - since
        self.wanted = kept(run)

    def _resumed(self, run: object, where: str) -> Trial:
        """Whether the run, gone on with, comes to the bits of the undisturbed one."""
        try:
            self.bench.go(run, resumed=True)  # type: ignore[arg-type]
            wrong = differing(kept(run), self.wanted)  # type: ignore[arg-type]
        except Exception as error:  # noqa: BLE001
            return False, f"{where}: {error!r}"
        self.bench.forget(run)  # type: ignore[arg-type]
        return not wrong, f"{where}: {wrong}" if wrong else ""

    def kills(self, first: int) -> Iterator[Trial]:
        """Row 1: kill -9 at random times of a run, from its first step to its end."""
        while True:
            rng, first = random.Random(first), first + 1
            run = self.bench.new()
            delay = rng.uniform(0, 1.2 * self.takes)
            number = self.bench.child(run, resumed=False)
            time.sleep(delay)
            os.kill(number, signal.SIGKILL)
            wait(number)
            yield self._resumed(run, f"killed after {delay:.3f} s")

    def points(self, first: int) -> Iterator[Trial]:
        """Rows 1 and 2: kill -9 at each open, write (half done), fsync, rename, mkdir, unlink and rmdir of ten steps with a save."""
        base = self.bench.new()
        self.bench.go(base, 10)
        everything = count_points(self.bench, self.bench.copy(base), 20)
        while True:
            at, first = first % everything + 1, first + 1
            run = self.bench.copy(base)
            code = wait(self.bench.child(run, 20, Points(at, run.path).install))
            if code != -signal.SIGKILL:
                yield False, f"point {at}: exit {code}"
            else:
                yield self._resumed(run, f"point {at} of {everything}")

    def sigterm(self, first: int) -> Iterator[Trial]:
        """Row 3: SIGTERM at random times: out within 5 s, 143 (or 0 if the run was done), and exact when resumed."""
        while True:
            rng, first = random.Random(first), first + 1
            run = self.bench.new()
            number = self.bench.child(run, resumed=False)
            while not (run.path / ".lock").exists():
                time.sleep(0.001)
            time.sleep(0.01 + rng.uniform(0, self.takes))
            os.kill(number, signal.SIGTERM)
            since = time.monotonic()
            code = wait(number)
            took = time.monotonic() - since
            if code not in (143, 0) or took > 5:
                yield False, f"exit {code} after {took:.1f} s"
            else:
                yield self._resumed(run, "sigterm")

    def flips(self, first: int) -> Iterator[Trial]:
        """Row 9: one flipped bit anywhere in a checkpoint: rejected."""
        run = self.bench.new()
        self.bench.go(run, 20)
        point = checkpoint.listed(run.checkpoints)[0]
        files = sorted(point.iterdir())
        while True:
            rng, first = random.Random(first), first + 1
            path = rng.choice(files)
            back = flip(path, rng)
            yield _rejected(point), path.name
            back()

    def cuts(self, first: int) -> Iterator[Trial]:
        """Row 9: a file cut at every length."""
        run = self.bench.new()
        self.bench.go(run, 20)
        point = checkpoint.listed(run.checkpoints)[0]
        whole = {p: p.read_bytes() for p in sorted(point.iterdir())}
        places = [(p, end) for p, content in whole.items() for end in range(len(content))]
        while True:
            path, end = places[first % len(places)]
            first += 1
            os.truncate(path, end)
            yield _rejected(point), f"{path.name} at {end}"
            path.write_bytes(whole[path])

    def races(self, _first: int) -> Iterator[Trial]:
        """Row 11: four processes want one lock: one gets it, and after kill -9 it is free."""
        run = self.bench.new()
        while True:
            yield _race(run.path)

    def full(self, first: int) -> Iterator[Trial]:
        """Row 6: a tmpfs with a random amount of room: exit 5 or done, and exact when there is room again."""
        base = self.bench.new()
        self.bench.go(base, 10)
        while True:
            rng, first = random.Random(first), first + 1
            with small_disk(self.place / "small", "2m") as mounted:
                if not mounted:
                    yield False, "may not mount a tmpfs here"
                    continue
                run = type(base)(self.place / "small" / "run")
                shutil.copytree(base.path, run.path)
                handle = os.open(run.path.parent / "stuffing", os.O_WRONLY | os.O_CREAT)
                leave = rng.randrange(0, 200_000)
                _stuff(handle, leave)
                code = wait(self.bench.child(run))
                (run.path.parent / "stuffing").unlink()
                if code not in (0, 5):
                    yield False, f"{leave} bytes left: exit {code}"
                    continue
                self.bench.go(run)
                wrong = [k for k in differing(kept(run), self.wanted) if not k.endswith((".jsonl", ".png"))]
                yield not wrong, f"{leave} bytes left: {wrong}"

    def long(self, _first: int) -> Iterator[Trial]:
        """Row 22: memory and open files after each 1,000 of 10,000 steps, within 1 % of those after the first 2,000."""
        found: list[tuple[int, int, int]] = []

        class Watching(Heard):
            def step(self, progress: Progress, logs: Logs) -> None:
                if progress.step % 1000 == 0 and progress.step >= 2000:
                    found.append((progress.step, _memory(), _open_files()))

        self.bench.go(self.bench.new(), 10_000, heard=Watching())
        _, memory, files = found[0]
        for step, now, opened in found[1:]:
            yield now / memory < 1.01 and opened == files, f"step {step}: memory x{now / memory:.4f}, {opened} files"


def _rejected(point: Path) -> bool:
    try:
        checkpoint.verify(point)
    except CheckpointError:
        return True
    return False


def _race(path: Path) -> Trial:
    reading, writing = os.pipe()
    gate_in, gate_out = os.pipe()

    def racer() -> None:
        os.read(gate_in, 1)
        try:
            with locked(path):
                os.write(writing, b"%d\n" % os.getpid())
                time.sleep(30)
        except InUseError:
            os.write(writing, b"no\n")

    racers = [fork(racer) for _ in range(4)]
    os.write(gate_out, b"gogo")
    said = b""
    while said.count(b"\n") < 4:
        said += os.read(reading, 100)
    winners = [int(w) for w in said.split() if w != b"no"]
    for number in racers:
        if number in winners:
            os.kill(number, signal.SIGKILL)
        wait(number)
    for handle in (reading, writing, gate_in, gate_out):
        os.close(handle)
    try:
        with locked(path):
            return len(winners) == 1, f"{len(winners)} winners"
    except InUseError:
        return False, "the lock was not free"


def _stuff(handle: int, leave: int) -> None:
    try:
        while True:
            os.write(handle, bytes(4096))
    except OSError:
        os.ftruncate(handle, max(0, os.fstat(handle).st_size - leave))
        os.close(handle)


def _memory() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1])


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


PARTS: dict[str, tuple[str, int]] = {  # row of the table, trials in all
    "kills": ("1", 200),
    "points": ("1, 2", 300),
    "sigterm": ("3", 50),
    "full": ("6", 50),
    "flips": ("9", 1000),
    "cuts": ("9", 20_000),
    "races": ("11", 50),
    "long": ("22", 8),
}


def work(
    part: str, place: Path, results: dict[str, dict[str, object]], goal: int, budget: float, save: Callable[[], None]
) -> None:
    """Trials of one part, until there are enough or the time is up."""
    result = results.setdefault(part, {"trials": 0, "passed": 0, "wrong": []})
    if int(str(result["trials"])) >= goal:
        return
    end = time.monotonic() + budget
    for good, what in getattr(Torture(place), part)(result["trials"]):
        result["trials"] = int(str(result["trials"])) + 1
        result["passed"] = int(str(result["passed"])) + good
        wrong = result["wrong"]
        assert isinstance(wrong, list)
        if not good and len(wrong) < 20:
            wrong.append(what)
        if part == "long":
            result["last"] = what
        if int(str(result["trials"])) >= goal or time.monotonic() > end:
            break
    save()
    print(f"{part}: {result['passed']} of {result['trials']}", *result["wrong"][:3], sep="  ", flush=True)  # type: ignore[index]


def table(results: dict[str, dict[str, object]]) -> str:
    rows = ["| Rows | Fault | Trials | As the table says |", "|-|-|-|-|"]
    for part, (row, _) in PARTS.items():
        if part in results:
            text = (getattr(Torture, part).__doc__ or "").split(": ", 1)[1].strip()
            rows.append(f"| {row} | {text} | {results[part]['trials']} | {results[part]['passed']} |")
    return "\n".join(rows)


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--part", choices=PARTS, action="append")
    ask.add_argument("--budget", type=float, default=600, help="seconds for each part")
    ask.add_argument("--scale", type=float, default=1, help="of the number of trials")
    ask.add_argument("--results", type=Path, default=Path("torture.json"))
    ask.add_argument("--place", type=Path, help="where runs are made; not given: a temporary folder")
    ask.add_argument("--table", action="store_true", help="only print the table")
    asked = ask.parse_args()
    torch.set_num_threads(1)
    results = json.loads(asked.results.read_text()) if asked.results.exists() else {}

    def save() -> None:
        asked.results.write_text(json.dumps(results, indent=1) + "\n")

    for part in [] if asked.table else asked.part or PARTS:
        place = Path(tempfile.mkdtemp(dir=asked.place))
        try:
            work(part, place, results, math.ceil(PARTS[part][1] * asked.scale), asked.budget, save)
        finally:
            shutil.rmtree(place, ignore_errors=True)
    print(table(results))


if __name__ == "__main__":
    main()
