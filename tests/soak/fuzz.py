"""Fuzzing of all that is read: `python tests/soak/fuzz.py [--part images] [--minutes 60] [--place DIR] [--results FILE]`.

Inputs are real small files with a few things in them changed, by what is known of their form, and are read as the command line reads them.
Input n of a part is a function of (part, n); ten of a hundred are drawn by hypothesis, where it is installed, which likes extremes.
An input fails if its reader raises anything but one of the house's errors, takes 10 s, or 300 MB more than the process had before
(a WEBP, JPEG or TIFF: and what Pillow's decoder takes of one so large).
The first three of a kind are kept in `--place`/found, with the traceback. Counts and seconds add up in `--results` until every part has
had its share of the minutes; called again, it goes on. `--corpus DIR` reads every file of a folder instead, as a folder of one picture.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import json
import os
import random
import resource
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from faults import fork, wait
from fuzz_base import Files, Part, nothing
from fuzz_changes import Rng
from fuzz_parts import PARTS
from fuzz_pictures import Images

from gancli.core.errors import GanError
from gancli.data import decode

LIMIT = 10.0  # seconds for an input
GROWN = 300.0  # MB above what the process had
# Bytes for each pixel that Pillow's decoders may take beside, by how a file begins: WEBP, JPEG, TIFF
BYTES = {b"RIFF": 17, b"\xff\xd8": 7, b"II": 8, b"MM": 8}
SPACE = 4 << 30  # bytes of address space: the machine is not to suffer
MOST = 8 << 20  # bytes of a file: what is read whole takes some ten times as much
KEPT = 3  # inputs kept of a kind


@dataclass
class Result:
    """What was found so far in a part."""

    inputs: int = 0
    seconds: float = 0.0
    read: int = 0
    refused: int = 0
    crashes: int = 0
    hangs: int = 0
    memory: int = 0  # inputs that took too much
    grown: float = 0.0  # MB, the most that one took
    slowest: float = 0.0  # s of the processor
    found: dict[str, int] = field(default_factory=dict)  # kinds of failures

    def count(self, outcome: str, seconds: float, grown: float, why: str) -> None:
        self.inputs += 1
        self.grown, self.slowest = max(self.grown, grown), max(self.slowest, seconds)
        setattr(self, outcome, getattr(self, outcome) + 1)
        if why:
            self.found[why] = self.found.get(why, 0) + 1


Trial = Callable[[Files], None]
Drawn = Callable[[int, Trial], Any]  # gives the inputs from a number on


class Child:
    """Reads one input after the other, and tells of each by two lines of JSON: before and after."""

    def __init__(self, part: Part, place: Path, out: int, until: float, known: dict[str, int]) -> None:
        self.part, self.place, self.out, self.until, self.known = part, place, out, until, dict(known)
        self.faults = (place / "faults.txt").open("w")
        sys.stdout = sys.stderr = Path(os.devnull).open("w", errors="backslashreplace")  # noqa: SIM115
        os.dup2(sys.stderr.fileno(), 2)  # libtiff writes there by itself
        os.environ["GAN_CACHE_DIR"] = str(place / "cache")
        faulthandler.enable(self.faults)
        warnings.resetwarnings()
        part.prepare()
        self._lay(part.plain)
        part.read(self._here())
        self.before = memory("VmRSS")
        most = int(memory("VmSize") * 2**20) + SPACE
        resource.setrlimit(resource.RLIMIT_AS, (most, most))

    def _lay(self, files: Files) -> None:
        shutil.rmtree(self.place / "laid", ignore_errors=True)
        for name, content in {".x": b"", **files}.items():
            path = self.place / "laid" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content[:MOST])

    def _here(self) -> Path:
        """What is laid, over a copy of the template: readers may write to it."""
        here = self.place / "input"
        shutil.rmtree(here, ignore_errors=True)
        if self.part.template is not None:
            shutil.copytree(self.part.template, here)
        shutil.copytree(self.place / "laid", here, dirs_exist_ok=True)
        os.chdir(here)
        return here

    def trial(self, files: Files) -> None:
        if time.monotonic() > self.until:
            os._exit(0)
        self._lay(files)
        here, outcome, text, why = self._here(), "read", "", ""
        self._tell(None)
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        faulthandler.dump_traceback_later(LIMIT, exit=True, file=self.faults)
        since = time.process_time()
        try:
            self.part.read(here)
        except GanError:
            outcome = "refused"
        except BaseException as error:  # noqa: BLE001
            outcome, text, why = "crashes", traceback.format_exc(), kind_of(error)
        faulthandler.cancel_dump_traceback_later()
        seconds, grown = time.process_time() - since, memory("VmHWM") - self.before
        if not why and grown > GROWN and grown > GROWN + decoders(here):
            outcome, why = "memory", f"more than {GROWN:.0f} MB"
        if why:
            self.known[why] = self.known.get(why, 0) + 1
            if self.known[why] <= KEPT:
                keep(self.place, f"{why}\n{grown:.0f} MB, {seconds:.2f} s\n{text}")
        self._tell((outcome, seconds, grown, why))
        if outcome == "memory":
            os._exit(0)  # what it holds is not to be the next one's

    def _tell(self, said: Any) -> None:
        os.write(self.out, (json.dumps(said) + "\n").encode())


def decoders(here: Path) -> float:
    """MB that Pillow's own decoder may take beside, of the largest picture below a folder, as its header says it."""
    found = [0.0]
    for path in here.rglob("*"):
        with contextlib.suppress(OSError, decode.BrokenImageError):
            content = path.read_bytes()
            head = decode.header(content)
            beside = next((n for start, n in BYTES.items() if content.startswith(start)), 0)
            found.append(beside * head.height * head.width / 2**20)
    return max(found)


def memory(which: str) -> float:
    """MB of this process: VmRSS, VmHWM (the peak) or VmSize."""
    line = next(s for s in Path("/proc/self/status").read_text().splitlines() if s.startswith(which))
    return int(line.split()[1]) / 1024


def kind_of(error: BaseException) -> str:
    """What was raised, and where in the house."""
    frames = traceback.extract_tb(error.__traceback__)
    last = [f for f in frames if "gancli" in Path(f.filename).parts][-1:] or frames[-1:]
    return f"{type(error).__name__} in {Path(last[0].filename).name}:{last[0].name}"


def keep(place: Path, why: str) -> None:
    """The input that is laid, and what was wrong with it."""
    there = Path(tempfile.mkdtemp(prefix=f"{place.name}-", dir=place.parent / "found"))
    shutil.copytree(place / "laid", there / "input")
    (there / "why.txt").write_text(why)


def endless(name: str, part: Part) -> Drawn:
    """Ninety inputs by a generator seeded with the number, ten by hypothesis, and so on."""

    def give(number: int, trial: Trial) -> None:
        while True:
            for n in range(number, number + 90):
                trial(part.make(random.Random(f"{name} {n}")))
            number += 90 + by_hypothesis(part, number, trial)

    return give


def by_hypothesis(part: Part, seed: int, trial: Trial) -> int:
    """Some ten inputs; how many they were."""
    try:
        import hypothesis
        from hypothesis import strategies
    except ImportError:
        return 0
    drawn: list[None] = []

    @hypothesis.seed(seed)
    @hypothesis.settings(max_examples=10, database=None, deadline=None, phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck))  # fmt: skip
    @hypothesis.given(strategies.randoms(use_true_random=False))
    def one(rng: Rng) -> None:
        drawn.append(None)
        trial(part.make(rng))

    one()
    return len(drawn)


def fuzz(
    part: Part, drawn: Drawn, place: Path, result: Result, seconds: float, most: int = 10**12, save: Any = nothing
) -> None:
    """Read inputs until the time is up or there are `most`, in a child that is started again after one that ended it."""
    for folder in (place, place.parent / "found"):
        folder.mkdir(parents=True, exist_ok=True)
    begin, before, again = time.monotonic(), result.seconds, -1

    def noted() -> None:
        result.seconds = before + time.monotonic() - begin
        save()

    while time.monotonic() < begin + seconds and result.inputs < most:
        reading, writing = os.pipe()
        number = fork(partial(_serve, part, drawn, place, writing, begin + seconds, result))
        os.close(writing)
        since = _heard(reading, result, most, noted)
        if result.inputs >= most:
            os.kill(number, 9)
        code, faults = wait(number), (place / "faults.txt").read_text()
        if since is None and code > 0:
            raise RuntimeError(f"the child left with {code}: {faults}")
        if since is not None and result.inputs < most:
            took = time.monotonic() - since
            hung = took >= LIMIT
            if hung and again != result.inputs:  # once more: the machine may have been busy
                again = result.inputs
                continue
            why = "hang" if hung else f"exit {code}"
            result.count("hangs" if hung else "crashes", took, 0.0, why)
            keep(place, f"{why} after {took:.1f} s\n{faults}")
    noted()


def _heard(reading: int, result: Result, most: int, noted: Callable[[], Any]) -> float | None:
    """Count what a child tells until it leaves; since when it has been at the input that it did not tell of."""
    since = None
    with os.fdopen(reading) as told:
        for line in told:
            said = json.loads(line)
            since = time.monotonic() if said is None else None
            if said is not None:
                result.count(*said)
                if result.inputs % 100 == 0:
                    noted()
                if result.inputs >= most:
                    break
    return since


def _serve(part: Part, drawn: Drawn, place: Path, out: int, until: float, result: Result) -> None:
    try:
        drawn(result.inputs, Child(part, place, out, until, result.found).trial)
    except Exception:
        (place / "faults.txt").write_text(traceback.format_exc())
        raise


def corpus(root: Path, place: Path) -> Result:
    """Read every file of a folder, each as a folder of one picture."""
    files, result = [p for p in sorted(root.rglob("*")) if p.is_file()], Result()

    def give(number: int, trial: Trial) -> None:
        for path in files[number:]:
            trial({path.name: path.read_bytes()})

    fuzz(Images(place), give, place / "corpus", result, 1e9, most=len(files))
    return result


def table(results: dict[str, Result]) -> str:
    rows = [
        "| Part | Inputs | Seconds | Read | Refused | Crashes | Hangs | Too much memory | Largest growth | Slowest |",
        "|-|-|-|-|-|-|-|-|-|-|",
    ]
    for name, r in results.items():
        counts = " | ".join(
            f"{round(n):,}" for n in (r.inputs, r.seconds, r.read, r.refused, r.crashes, r.hangs, r.memory)
        )
        rows.append(f"| {name} | {counts} | {r.grown:.0f} MB | {r.slowest:.1f} s |")
    return "\n".join(rows)


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--part", choices=[*PARTS, "all"], default="all")
    ask.add_argument("--minutes", type=float, default=60, help="for what is asked for, over all calls")
    ask.add_argument("--place", type=Path, help="where inputs are laid and kept; not given: a temporary folder")
    ask.add_argument("--results", type=Path, default=Path("fuzz.json"))
    ask.add_argument("--corpus", type=Path, help="a folder, each file of which is read as a picture")
    ask.add_argument("--table", action="store_true", help="only print the table")
    asked = ask.parse_args()
    torch.set_num_threads(1)
    place = (asked.place or Path(tempfile.mkdtemp())).absolute()
    known = json.loads(asked.results.read_text()) if asked.results.exists() else {}
    results = {name: Result(**r) for name, r in known.items()}

    def save() -> None:
        asked.results.write_text(json.dumps({n: asdict(r) for n, r in results.items()}, indent=1) + "\n")

    names = [] if asked.table or asked.corpus else list(PARTS) if asked.part == "all" else [asked.part]
    if asked.corpus:
        results["corpus"] = corpus(asked.corpus, place)
        save()
    for name in names:
        result, part = results.setdefault(name, Result()), PARTS[name](place)
        left = 60 * asked.minutes / len(names) - result.seconds
        fuzz(part, endless(name, part), place / name, result, left, save=save)
    for name, result in results.items():
        print("".join(f"{name}: {n} x {why}\n" for why, n in sorted(result.found.items())), end="")
    print(table(results))


if __name__ == "__main__":
    main()
