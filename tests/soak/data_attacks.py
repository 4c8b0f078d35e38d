"""Data of strangers: `python tests/soak/data_attacks.py [--minutes 60] [--place DIR]`, and the attacks that the tests make.

An attack writes a data set: arrays whose headers lie, tables of any size and depth, archives that are bombs, folders with pipes, devices
and loops, pictures that promise more than there is. Then `gan` inspects it, trains on it, and evaluates it as samples. Each command must
end within 5 s of processor time and 300 MB of memory more than for a good data set of that kind, with an exit code of its own, without a
traceback and without a control character in what it prints; nothing may be written outside, and no file of others may change. Without a
time all attacks are made once; with one, attacks with random sizes, depths and values follow.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from commands import WARM, Outcome, acts, call, tree
from data_malice import Bait, baits, random_bait

SECONDS = 5.0  # of processor time for a command
GROWN = 300.0  # MB above what the command needs for a good data set
TINY = (
    *("--batch-size", "4", "--max-steps", "1", "--threads", "1", "--set", "task.model.g_widths=[8]"),
    *("--set", "task.model.d_widths=[8]", "--set", "task.model.z=4", "--preset", "textbook", "--no-download"),
)


class DataArena:
    """A place for bad data, a folder of somebody else, and the commands that are tried."""

    def __init__(self, place: Path) -> None:
        self.place, self.victim, self.bad = place, place / "victim", place / "bad"
        self.outside = place / "outside"  # where relative names that escape would lead
        place.mkdir(parents=True, exist_ok=True)
        for name in ("CACHE", "DATA", "RUNS"):
            os.environ[f"GAN_{name}_DIR"] = str(place / name.lower())
        os.environ |= {"COLUMNS": "200", "GAN_TRAIN_DOWNLOAD": "0"}
        good = place / "good.npz"
        images = np.random.default_rng(0).integers(0, 256, (40, 8, 8), np.uint8)
        np.savez(good, images=images, labels=np.arange(40) % 2)
        np.savez(place / "good-features.npz", features=images.reshape(40, 64)[:, :8].astype(np.float32))
        self.good, self.most = good, dict[str, float]()
        for warm in ("1", ""):
            os.environ[WARM] = warm
            for verb in self.verbs(None):
                done = self.command(verb, place / "good-features.npz" if verb == "features" else good)
                assert done.code == 0, (verb, done.text)
                self.most[verb] = done.peak

    def verbs(self, bait: Bait | None) -> tuple[str, ...]:
        """The commands for a bait; None: all that there are."""
        every = ("data", "train", "evaluate", "features")
        return every if bait is None else ("features",) if bait.features else every[:3]

    def command(self, verb: str, data: Path) -> Outcome:
        for name in ("runs", "cache"):
            shutil.rmtree(self.place / name, ignore_errors=True)
        words = {
            "data": ["data", str(data), "--preview", str(self.place / "preview.png"), "--no-download"],
            "train": ["train", "--data", str(data), "--image-size", "8", "--name", "r", *TINY],
            "evaluate": [
                *("evaluate", "--images", str(data), "--against", str(self.good), "--metrics", "fid", "--n", "16"),
                *("--features", "random-conv", "--threads", "1", "--out", str(self.place / "e.json")),
            ],
            "features": [
                "evaluate",
                "--features",
                str(self.place / "good-features.npz"),
                str(data),
                "--metrics",
                "fid",
            ],
        }[verb]
        return call(self.place, *words)

    def lay(self, bait: Bait) -> Path:
        """Write the data set; where it is."""
        for place in (self.bad, self.victim):
            subprocess.run(["rm", "-rf", place], check=True)
            place.mkdir()
        (self.victim / "secret.txt").write_text("private\n")
        (self.victim / "secret.txt").chmod(0o600)
        return bait.make(self.bad, self.victim)

    def trial(self, bait: Bait, verbs: Sequence[str] = ()) -> Iterator[str]:
        """What goes wrong when commands meet the data set."""
        data = self.lay(bait)
        for verb in verbs or self.verbs(bait):
            before, around = tree(self.victim), self._around()
            done = self.command(verb, data)
            if done.crashed:
                yield f"{verb}: exit code {done.code}: {done.text[-300:]}"
            if done.seconds > SECONDS + bait.seconds:
                yield f"{verb}: {done.seconds:.1f} s"
            if done.peak > self.most[verb] + GROWN + bait.budget:
                yield f"{verb}: {done.peak:.0f} MB, where {self.most[verb]:.0f} MB are usual"
            if any(map(acts, done.text)):
                yield f"{verb}: control characters are printed"
            if tree(self.victim) != before or self._around() != around:
                yield f"{verb}: something outside changed"

    def _around(self) -> list[str]:
        return sorted(
            p.name
            for p in self.place.iterdir()
            if p.name not in ("runs", "cache", "data", "preview.png", "e.json", "e.png", "facts.json")
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=0.0)
    parser.add_argument("--place", type=Path, default=Path(tempfile.gettempdir()) / "data-attacks")
    parser.add_argument("--stride", type=int, default=1, help="one attack in so many")
    parser.add_argument("--only", default="", help="attacks whose name contains this")
    parser.add_argument("--slowest", type=int, default=0, help="print so many of the slowest and largest")
    asked = parser.parse_args()
    shutil.rmtree(asked.place, ignore_errors=True)
    until, arena, found = time.monotonic() + 60 * asked.minutes, DataArena(asked.place), 0
    every = [bait for bait in baits() if asked.only in bait.name][:: asked.stride]
    number, start = 0, int(time.time())
    while number < len(every) or time.monotonic() < until:
        bait = every[number] if number < len(every) else random_bait(random.Random(start + number))
        number += 1
        wrong = list(arena.trial(bait))
        found += bool(wrong)
        for text in wrong:
            print(f"{bait.name}: {text}", flush=True)
        if number % 50 == 0:
            print(f"{number} data sets, {found} finds", flush=True)
    print(f"{number} data sets, {found} finds")


if __name__ == "__main__":
    main()
