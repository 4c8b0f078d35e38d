"""Run folders of strangers: `python tests/soak/attacks.py [--minutes 60] [--place DIR]`, and the attacks that the tests make.

An attack changes a copy of a small run: a link, pipe, device, hard link or file of holes in the place of each of its files and
folders, JSON of other types, depths and numbers, escape sequences in everything that is printed. Then `gan` resumes, samples,
evaluates, compares, lists, exports and checks the run. It must end each command within 5 s of processor time and 300 MB of memory
more than for the unchanged run, with an exit code of its own, without a traceback and without a control character in what it prints
or logs, and nothing outside of the run may have changed: no file, no byte, no permission. Without a time all attacks are made once;
with one, random combinations follow.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from commands import WARM, Outcome, acts, call, measured, tree
from faults import Bench
from malice import Attack, attacks
from pages import visit

SECONDS = 5.0  # of processor time for a command
GROWN = 300.0  # MB above what the command needs for the unchanged run
# What else is done with a run, by name: a function of its folder, called in a child
VISITS: dict[str, Callable[[Path], object]] = {"studio": visit} if find_spec("starlette") else {}


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """Raises TimeoutError after so many seconds: an attack that changes what another has made a pipe would wait for ever."""

    def late(_number: int, _frame: object) -> None:
        raise TimeoutError(f"the attack takes more than {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    left = signal.setitimer(signal.ITIMER_REAL, seconds)  # perhaps a test's timer
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, *left)
        signal.signal(signal.SIGALRM, before)


class Arena:
    """A small run, a folder of somebody else, and the commands that are tried."""

    def __init__(self, place: Path) -> None:
        self.place = place
        place.mkdir(parents=True, exist_ok=True)
        for name in ("CACHE", "DATA", "RUNS"):
            os.environ[f"GAN_{name}_DIR"] = str(place / name.lower())
        os.environ |= {"COLUMNS": "200", "GAN_TRAIN_DOWNLOAD": "0"}
        self.bench = Bench(place / "bench", 20)
        run = self.bench.new()
        self.bench.go(run)
        self.template, self.run, self.victim = run.path, place / "runs" / "evil", place / "victim"
        self.other = place / "runs" / "good"
        shutil.copytree(run.path, self.other)
        self.most: dict[str, float] = {}
        assert self.command("evaluate", self.template).code == 0
        (self.template / "history.jsonl").write_text('{"step": 10, "changes": {"intervals": {"log": 3}}}\n')
        scores = [{"step": s, "images": 16 * s, "fid@x": 9.5, "best": True} for s in (10, 20)]
        (self.template / "scores.jsonl").write_text("".join(json.dumps(line) + "\n" for line in scores))
        seen = {"step": 10, "images": 160, "known": 40, "real/D": 0.9, "spread": 0.7, "classes": 0.3, "warned": ["x"]}
        (self.template / "monitor.jsonl").write_text(json.dumps(seen) + "\n")
        shutil.copy(self.template / "evaluation.json", self.other)
        for warm in ("1", ""):
            os.environ[WARM] = warm
            self.most.clear()
            for verb in self.verbs():
                self.lay()
                assert (done := self.command(verb, self.run)).code in (0, 2), (verb, done.text)

    def verbs(self) -> tuple[str, ...]:
        return "list", "doctor", "compare", "sample", "film", "evaluate", "export", "events", *VISITS, "resume"

    def _words(self, verb: str, run: Path) -> list[str]:
        return {
            "list": ["list", "runs", "--runs-dir", str(run.parent)],
            "doctor": ["doctor", str(run)],
            "compare": ["compare", str(run), str(self.other)],
            "sample": ["sample", str(run), "--n", "2", "--out", str(self.place / "out.npz")],
            "film": ["film", str(run), "--out", str(self.place / "out.gif")],
            "export": ["export", str(run), "--to", "hub", "--out", str(self.place / "hub")],
            "events": ["export", str(run), "--to", "tensorboard", "--out", str(self.place / "events")],
            "evaluate": ["evaluate", str(run), "--n", "16", "--metrics", "fid", "--features", "random-conv"],
            "resume": ["resume", str(run), "--max-steps", "30", "--threads", "1", "--quiet"],
        }[verb]

    def lay(self, *made: Attack) -> None:
        """A fresh copy of the run, changed, and of the folder that is not to be touched."""
        for place in (self.run, self.victim):
            shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(self.template, self.run)
        (self.victim / "photos" / "000001").mkdir(parents=True)
        (self.victim / "photos" / "000001" / "manifest.json").write_text("{}")
        (self.victim / "photos" / "000001" / "nets.safetensors").write_text("holiday")
        (self.victim / "bashrc").write_text("# shell\n")
        (self.victim / "secret.txt").write_text("private\n")
        (self.victim / "secret.txt").chmod(0o600)
        with within(10):
            for attack in made:
                attack.apply(self.run, self.victim)

    def command(self, verb: str, run: Path) -> Outcome:
        for name in ("hub", "events"):
            shutil.rmtree(self.place / name, ignore_errors=True)
        visit = VISITS.get(verb)
        done = call(self.place, *self._words(verb, run)) if visit is None else measured(self.place, lambda: visit(run))
        self.most.setdefault(verb, done.peak)
        return done

    def trial(self, *made: Attack, verbs: Sequence[str] = ()) -> Iterator[str]:
        """What goes wrong when the commands, all or those of `verbs`, meet a run that was changed so."""
        for verb in verbs or self.verbs():
            self.lay(*made)
            before = {place: tree(place) for place in (self.victim, self.other)}
            done = self.command(verb, self.run)
            if done.crashed:
                yield f"{verb}: exit code {done.code}: {done.text[-300:]}"
            if done.seconds > SECONDS:
                yield f"{verb}: {done.seconds:.1f} s"
            if done.peak > self.most[verb] + GROWN:
                yield f"{verb}: {done.peak:.0f} MB, where {self.most[verb]:.0f} MB are usual"
            if any(map(acts, done.text + self._logged())):
                yield f"{verb}: control characters are printed"
            yield from (f"{verb}: {place.name} changed" for place, was in before.items() if tree(place) != was)

    def _logged(self) -> str:
        log = self.run / "log.txt"
        lines = (
            log.read_text(errors="replace")
            if log.is_file() and not log.is_symlink() and log.stat().st_size < 1 << 20
            else ""
        )
        return "" if "private" in lines else lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=0.0)
    parser.add_argument("--place", type=Path, default=Path(tempfile.gettempdir()) / "attacks")
    parser.add_argument("--stride", type=int, default=1, help="one attack in so many")
    parser.add_argument("--only", default="", help="attacks whose name contains this")
    asked = parser.parse_args()
    shutil.rmtree(asked.place, ignore_errors=True)
    until, arena, found = time.monotonic() + 60 * asked.minutes, Arena(asked.place), 0
    every = [attack for attack in attacks() if asked.only in attack.name][:: asked.stride]
    rng, number = random.Random(time.time()), 0
    while number < len(every) or time.monotonic() < until:
        made = [every[number]] if number < len(every) else rng.sample(every, min(len(every), rng.choice((2, 3))))
        number += 1
        try:
            wrong = list(arena.trial(*made))
        except (OSError, ValueError, KeyError) as error:  # two attacks that do not go together
            wrong = [] if len(made) > 1 else [f"the attack itself fails: {error!r}"]
        found += bool(wrong)
        for text in wrong:
            print(f"{' and '.join(a.name for a in made)}: {text}", flush=True)
        if number % 50 == 0:
            print(f"{number} run folders, {found} finds", flush=True)
    print(f"{number} run folders, {found} finds, {len(arena.verbs())} commands each")


if __name__ == "__main__":
    main()
