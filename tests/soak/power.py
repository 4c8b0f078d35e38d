"""Power losses and disks that fail: `python tests/soak/power.py [--every N] [--faults N] [--place DIR]`.

A power loss: a small run is started, trained, saved, pruned and resumed while every operation of the disk is recorded. After each prefix of
them the disk is replayed, strictly and torn. No checkpoint that was announced may be lost, and no line of a journal that the newest
checkpoint counts; every Nth time the run is resumed, and must come to what an undisturbed one comes to, bit for bit.

A fault: one call of the disk fails (EIO, ENOSPC, EINTR) or writes half of what it is given, while the run is trained, resumed, sampled or
evaluated. The command may refuse, but not crash; the run is resumed without faults and must come to the same, its journals too.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from disk import ERRORS, Crash, Faults, Operation, Recording
from faults import Bench, Heard, differing, fork, kept, wait

from gancli.core.config import Layer
from gancli.core.errors import CheckpointError
from gancli.runs import checkpoint, folder, journal
from gancli.training.start import start

STEPS = 40
# two validations, two lines of the monitor, four checkpoints of which one is kept
LAYER: Layer = {"intervals": {"keep": 1, "evaluate": 320, "evaluate_n": 64, "save": 160}}
PATIENCE = 600.0  # seconds for a command
COMMANDS = ("train", "resume", "sample", "evaluate")


class Announcing(Heard):
    """Notes in the recording when a checkpoint is announced."""

    def __init__(self, recording: Recording) -> None:
        super().__init__()
        self.recording = recording

    def event(self, kind: str, **facts: Any) -> None:
        super().event(kind, **facts)
        if kind == "saved":
            self.recording.announce(str(facts["step"]))


class Losses:
    """A run whose operations are recorded, and what is left of it after each."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.place = bench, bench.place / "power"
        self.before = self.place / "before"
        self.before.mkdir(parents=True)
        whole = bench.new()
        bench.go(whole)
        self.wanted = kept(whole)
        self.lines = {path.name: journal.read(path) for path in (whole.journal, whole.scores, whole.monitor)}
        assert all(self.lines.values()), "there is nothing to lose"
        self.operations = self._record()

    def _record(self) -> list[Operation]:
        within, log = self.place / "recorded", self.place / "operations.jsonl"
        within.mkdir()

        def work() -> None:
            recording = Recording(within)
            recording.install()
            run = start(self.bench.request, self.bench.plan, within / "runs", "run")
            for steps in (20, STEPS):
                self.bench.go(run, steps, heard=Announcing(recording))
            with log.open("w") as file:
                for o in recording.operations:
                    row = [o.kind, o.path, o.to, base64.b64encode(o.content).decode()]
                    file.write(json.dumps(row) + "\n")

        assert wait(fork(work)) == 0
        rows = map(json.loads, log.read_text().splitlines())
        return [Operation(kind, path, to, base64.b64decode(content)) for kind, path, to, content in rows]

    def trials(self, every: int, stride: int = 1) -> Iterator[tuple[int, str]]:
        """For each prefix of the operations, or one in `stride`, what was lost, or ""; every so often the run is resumed, too."""
        crash, announced = Crash(self.before), 0
        for number, operation in enumerate([Operation("announce", "0"), *self.operations]):
            crash.play(operation)
            if operation.kind == "announce":
                announced = int(operation.path)
            for torn in () if number % stride else (None, random.Random(number)):
                left = self.place / "left"
                shutil.rmtree(left, ignore_errors=True)
                crash.survive(left, torn)
                run = folder.Run(left / "runs" / "run")
                yield number, self._lost(run, announced) or (self._resumed(run) if number % every == 0 else "")

    def _lost(self, run: folder.Run, announced: int) -> str:
        try:
            step = checkpoint.newest(run.checkpoints, lambda _: None).step
        except CheckpointError as error:
            return f"checkpoint {announced} is lost: {error.cause}" if announced else ""
        if step < announced:
            return f"checkpoint {announced} is lost: there is {step}"
        for name, lines in self.lines.items():
            there = {line["step"] for line in journal.read(run.path / name)}
            missing = [line["step"] for line in lines if line["step"] <= step and line["step"] not in there]
            if missing:
                return f"{name} lacks the line of step {missing[0]}, which checkpoint {step} counts"
        return ""

    def _resumed(self, run: folder.Run) -> str:
        if not (run.path / "config.json").is_file():
            return ""
        code = wait(fork(lambda: self.bench.go(run, resumed=True)), PATIENCE)
        different = ["exit code", str(code)] if code else differing(kept(run), self.wanted)
        return f"after the resume differs: {', '.join(different)}" if different else ""


class Trials:
    """Commands of which one call of the disk fails."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.base = bench.new()
        bench.go(self.base, 20)
        whole = bench.new()
        bench.go(whole)
        self.wanted = self._kept(whole)
        self.counts = {command: self._count(command) for command in COMMANDS}

    def _kept(self, run: folder.Run) -> dict[str, bytes]:
        return {name: content for name, content in kept(run).items() if not name.endswith(".png")}

    def _work(self, command: str, run: folder.Run, faults: Faults, then: Callable[[], Any] = lambda: None) -> None:
        if command == "train":
            faults.install()
            self.bench.go(start(self.bench.request, self.bench.plan, run.path.parent, run.name), 20)
            then()
        elif command == "resume":
            faults.install()
            self.bench.go(run)
            then()
        else:
            from gancli.cli import main

            more = (
                ["--n", "16", "--metrics", "fid", "--features", "random-conv"]
                if command == "evaluate"
                else ["--n", "4"]
            )
            out = ["--out", str(run.path.parent / "out.npz")] if command == "sample" else []
            sys.argv = ["gan", command, str(run.path), *more, *out, "--quiet"]
            faults.install()
            try:
                main()
            except SystemExit as ended:
                then()
                os._exit(int(ended.code or 0))

    def _count(self, command: str) -> int:
        run, said = self._laid(command), self.bench.place / "count.txt"
        faults = Faults(run.path.parent)

        def work() -> None:
            self._work(command, run, faults, lambda: said.write_text(str(faults.seen)))

        assert wait(fork(work)) == 0, command
        self.bench.forget(run)
        return int(said.read_text())

    def _laid(self, command: str) -> folder.Run:
        run = self.bench.copy(self.base)
        if command == "train":
            shutil.rmtree(run.path)
        return run

    def trial(self, command: str, at: int, fault: str) -> str:
        """What goes wrong, or ""."""
        run = self._laid(command)
        try:
            code = wait(fork(lambda: self._work(command, run, Faults(run.path.parent, at, fault))), PATIENCE)
            if code not in (0, 3, 4, 5):
                return f"exit code {code}"
            if not (run.path / "config.json").is_file():
                return ""
            self.bench.go(run, resumed=True)
            different = differing(self._kept(run), self.wanted)
            return f"after the resume differs: {', '.join(different)}" if different else ""
        except (CheckpointError, OSError, TimeoutError) as error:
            return repr(error)
        finally:
            self.bench.forget(run)

    def trials(self, count: int, rng: random.Random) -> Iterator[tuple[str, int, str, str]]:
        """Faults at random calls; each fault and command as often."""
        kinds = [*ERRORS, "short"]
        for number in range(count):
            command, fault = COMMANDS[number % 4], kinds[number // 4 % 4]
            at = 1 + rng.randrange(self.counts[command])
            yield command, at, fault, self.trial(command, at, fault)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=10, help="resume after every so many operations")
    parser.add_argument("--faults", type=int, default=300)
    parser.add_argument("--losses", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--place", type=Path, default=Path(tempfile.gettempdir()) / "power")
    asked = parser.parse_args()
    shutil.rmtree(asked.place, ignore_errors=True)
    bench = Bench(asked.place, STEPS, LAYER)
    if asked.losses:
        losses, lost, count = Losses(bench), 0, 0
        for number, wrong in losses.trials(asked.every):
            count, lost = count + 1, lost + bool(wrong)
            if wrong:
                print(f"after operation {number} ({losses.operations[number - 1].kind}): {wrong}", flush=True)
        print(f"{len(losses.operations)} operations, {count} power losses, {lost} finds", flush=True)
    trials, found = Trials(bench), 0
    for command, at, fault, wrong in trials.trials(asked.faults, random.Random(0)):
        found += bool(wrong)
        if wrong:
            print(f"{command}, {fault} at call {at} of {trials.counts[command]}: {wrong}", flush=True)
    print(f"{asked.faults} faults in {trials.counts}, {found} finds")


if __name__ == "__main__":
    main()
