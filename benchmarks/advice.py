"""Does the advice help: every remedy that a warning of the monitor names, on a run that fails in the way that it warns of.

    python benchmarks/advice.py --place RUNS [--seeds 0,1,2] [--images 200000] [--only collapse] [--jobs 1] [--device cpu]

All runs are on scikit-learn's digits. The signals are the means over the last quarter of a run: spread (0: all samples alike, 1: as the
data), classes (0: in the data's proportions, 1: none in common), overfit (0.5: fair, 1: memorized), update (of the critic's weights in a
step). Scores are those of 2,000 samples against the test set. Missing classes are the signal of a
collapse, too, and have the same remedies.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gancli.runs import journal
from gancli.runs.folder import Run

PLAIN = [  # as in most tutorials
    "--preset", "textbook", "--set", "task.model.initialization=torch", "--set", "task.penalties=[]", "--set", "data.epoch=10000",
    "--set", "optimizer.lr=2e-4", "--set", "optimizer.betas=[0.5,0.999]",
]  # fmt: skip
REMEDIES = {
    "another seed": [],
    "another preset": ["--preset", "best"],
    "r1": ["--set", 'task.penalties=["r1"]'],
    "he": ["--set", "task.model.initialization=he"],
    "betas": ["--set", "optimizer.betas=[0.0,0.99]"],
    "r1, betas": ["--set", 'task.penalties=["r1"]', "--set", "optimizer.betas=[0.0,0.99]"],
    "pack": ["--set", "task.pack=2"],
    "diffaugment": ["--set", 'task.augment=["diffaugment"]'],
    "ada": ["--set", 'task.augment=["ada"]'],
    "lecam": ["--set", 'task.penalties=["lecam"]'],
    "stronger r1, r2": ["--set", 'task.penalties=[{name="r1",weight=5.0},{name="r2",weight=5.0}]'],
    "lower rate": ["--set", "optimizer.lr=1e-4"],
}
FAILURES: dict[str, tuple[str, list[str], tuple[str, ...]]] = {  # failure -> signal, its run, remedies
    "collapse": ("spread", PLAIN, ("another seed", "another preset", "r1", "he", "betas", "r1, betas", "pack")),
    "overfitting": (
        "overfit/D", ["--preset", "textbook"], ("diffaugment", "ada", "lecam", "stronger r1, r2"),
    ),
    "learning rate": ("update/D", ["--preset", "best", "--set", "optimizer.lr=1e-1"], ("lower rate",)),
}  # fmt: skip
SIGNALS = ("spread", "classes", "overfit/D", "update/D")
SCORES = ("fid", "precision", "recall")
OTHER = 100  # added to the seed where the remedy is another seed


@dataclass(frozen=True)
class Trial:
    """One run."""

    failure: str
    remedy: str
    words: list[str]
    seed: int

    @property
    def name(self) -> str:
        return f"{self.failure}-{self.remedy}-{self.seed}".replace(" ", "-")


def trials(seeds: list[int], only: str) -> list[Trial]:
    """The failures without a remedy, and with each."""
    out = []
    for failure, (_, words, remedies) in FAILURES.items():
        if only and failure != only:
            continue
        for remedy in ("none", *remedies):
            more = REMEDIES.get(remedy, [])
            base = [] if "--preset" in more else words
            out += [Trial(failure, remedy, [*base, *more], s + OTHER * (remedy == "another seed")) for s in seeds]
    return out


def result(trial: Trial, a: argparse.Namespace) -> dict[str, Any]:
    """The signals at the end of a run, and its FID; the run is made if it is not there."""
    run, gan = Run(a.place / trial.name), [sys.executable, "-m", "gancli"]
    where = ["--runs-dir", str(a.place), "--threads", "1", "--device", a.device]
    said = ""
    if not (run.path / "model").is_dir():
        words = ["train", "--data", "digits", *trial.words, "--seed", str(trial.seed), "--name", trial.name]
        done = subprocess.run(
            [*gan, *words, "--images", str(a.images), *where], capture_output=True, text=True, check=False
        )
        said = done.stderr
        if done.returncode:
            return {"failed": done.stderr.strip().splitlines()[-1][:120]}
    words = ["evaluate", trial.name, "--metrics", "fid,prc", "--n", "2000", "--json"]
    scored = subprocess.run([*gan, *words, *where], capture_output=True, text=True, check=True)
    lines = journal.read(run.monitor)
    last = lines[-max(1, len(lines) // 4) :]
    found = {s: float(np.mean([line[s] for line in last if s in line])) for s in SIGNALS if s in last[-1]}
    scores = json.loads(scored.stdout)["scores"]
    values = {name.partition("@")[0]: score["value"] for name, score in scores.items()}
    return {
        **found,
        **{name: values[name] for name in SCORES},
        "warnings": sum("warned" in line for line in lines),
        "said": said.count("warning"),
    }


def table(found: dict[str, list[dict[str, Any]]]) -> str:
    """A row for each failure and remedy: the mean over seeds of each number."""
    heads = ["failure", "remedy", "seeds", *SIGNALS, *SCORES, "warnings"]
    rows = ["| " + " | ".join(heads) + " |", "|" + "-|" * len(heads)]
    for key, results in found.items():
        whole = [r for r in results if "failed" not in r]
        failed = f", {len(results) - len(whole)} failed" if len(whole) < len(results) else ""
        cells = [
            f"{np.mean([r[s] for r in whole if s in r]):.3g}" if any(s in r for r in whole) else "–"
            for s in (*SIGNALS, *SCORES, "warnings")
        ]
        rows.append("| " + " | ".join([*key.split("|"), f"{len(results)}{failed}", *cells]) + " |")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--place", type=Path, required=True)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--images", type=int, default=200_000)
    parser.add_argument("--only", default="", choices=["", *FAILURES])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    a = parser.parse_args()
    a.place.mkdir(parents=True, exist_ok=True)
    todo = trials([int(s) for s in a.seeds.split(",")], a.only)
    with ThreadPoolExecutor(a.jobs) as pool:
        results = list(pool.map(lambda trial: result(trial, a), todo))
    found: dict[str, list[dict[str, Any]]] = {}
    for trial, got in zip(todo, results, strict=True):
        found.setdefault(f"{trial.failure}|{trial.remedy}", []).append(got)
        print(trial.name, got, flush=True)
    print(table(found))


if __name__ == "__main__":
    main()
