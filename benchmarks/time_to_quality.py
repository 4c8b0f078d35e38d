"""How long until samples are as good as those of the plain loop: seconds from the command to its end, everything included.

    python benchmarks/time_to_quality.py --data-dir DATA --plain                              the plain loop: its seconds and its FID
    python benchmarks/time_to_quality.py --data-dir DATA --score 0.9 --seconds-plain 1500     best-cpu, until it is as good

The plain loop is benchmarks/textbook.py, 50 epochs of MNIST. Ours is `gan train --preset best-cpu --until "fid<S"` in a process of its own
with an empty cache: start-up, reading the data, the evaluations on the way and the last checkpoint all count. Both are then evaluated by
`gan evaluate` with 10,000 samples, which is not timed. Evaluations on the way take 2,000 samples, whose FID is a little higher than that of
10,000: it is not easier to get below S there. Nothing else may run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from sizes import facts, table

HERE = Path(__file__).parent
GAN = [sys.executable, "-m", "gancli"]


def timed(words: list[str]) -> tuple[float, str]:
    """Seconds of a process from before its start until it has ended, and what it said."""
    start = time.perf_counter()
    done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
    return time.perf_counter() - start, done.stdout


def evaluated(words: list[str], a: argparse.Namespace) -> dict[str, Any]:
    command = [
        *GAN,
        "evaluate",
        *words,
        "--data-dir",
        a.data_dir,
        "--n",
        str(a.n),
        "--metrics",
        "fid,kid,prc",
        "--json",
    ]
    return dict(json.loads(timed([*command, "--quiet"])[1]))


def plain(a: argparse.Namespace, place: Path) -> dict[str, Any]:
    """The plain loop: seconds, and the scores of its samples."""
    out = place / "samples.npz"
    words = ["--data-dir", a.data_dir, "--epochs", str(a.epochs), "--seed", str(a.seed), "--out", str(out)]
    seconds, said = timed([sys.executable, str(HERE / "textbook.py"), *words])
    loop = json.loads(said.splitlines()[-1])
    report = evaluated(["--images", str(out), "--against", "mnist", "--out", str(place)], a)
    what = {"what": f"plain loop, {a.epochs} epochs", "seconds": seconds, "of training": loop["seconds"]}
    return {**what, "steps": loop["steps"], "report": report}


def ours(a: argparse.Namespace, place: Path) -> dict[str, Any]:
    """best-cpu until the score: seconds, and the scores of its last checkpoint."""
    words = ["--preset", "best-cpu", "--data", "mnist", "--data-dir", a.data_dir, "--until", f"fid<{a.score}"]
    words += ["--evaluate-every", str(a.evaluate_every), "--set", f"stop.patience={a.patience}", "--seed", str(a.seed)]
    words += ["--epochs", str(a.budget)] if a.budget else []
    where = ["--runs-dir", str(place / "runs")]
    seconds, said = timed([*GAN, "train", *words, *where, "--name", "run", "--json"])
    last = json.loads(said)
    run = place / "runs/run"
    lines = [json.loads(t) for t in (run / "scores.jsonl").read_text().splitlines()]
    return {
        "what": f"gan, best-cpu until fid<{a.score}", "seconds": seconds, "stopped": last["stopped"], "steps": last["step"],
        "images": last["images"], "on the way": lines, "report": evaluated([str(run)], a),
    }  # fmt: skip


def shown(found: dict[str, Any]) -> dict[str, Any]:
    scores = {k.split("@")[0]: v for k, v in found["report"]["scores"].items()}
    fid = scores["fid"]
    return {
        "what": found["what"], "seconds": round(found["seconds"], 1), "steps": found["steps"],
        "fid": fid["value"], "+-": fid["error"], "reference": fid["reference"], "kid": scores["kid"]["value"],
        "precision": scores["precision"]["value"], "recall": scores["recall"]["value"],
    }  # fmt: skip


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data-dir", required=True, help="the folder that holds MNIST/")
    p.add_argument("--plain", action="store_true", help="train and evaluate the plain loop instead")
    p.add_argument("--epochs", type=int, default=50, help="of the plain loop")
    p.add_argument("--score", type=float, help="the FID to reach: the plain loop's")
    p.add_argument("--seconds-plain", type=float, help="what the plain loop took")
    p.add_argument("--budget", type=float, help="epochs at most; not given: the preset's 25")
    p.add_argument("--evaluate-every", type=int, default=20_000, help="images between looks at the score")
    p.add_argument("--patience", type=int, default=1, help="how often in a row the score must hold")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--n", type=int, default=10_000, help="samples of the final evaluation")
    p.add_argument("--results", type=Path)
    a = p.parse_args()
    if not a.plain and (a.score is None or a.seconds_plain is None):
        p.error("--score and --seconds-plain are needed: what --plain told")
    known = facts()
    with tempfile.TemporaryDirectory(prefix="gan-quality-") as name:
        place = Path(name)
        os.environ |= {"GAN_CACHE_DIR": str(place / "cache"), "GAN_TRAIN_DOWNLOAD": "0", "GAN_EVALUATE_DOWNLOAD": "0"}
        found = plain(a, place) if a.plain else ours(a, place)
    row = shown(found)
    table("MNIST, 10,000 samples against the test images, digits-v1" if a.n == 10_000 else f"{a.n:,} samples", [row])
    if a.plain:
        print(f"\nNow: --score {row['fid']:.4g} --seconds-plain {row['seconds']:.0f}")
    else:
        verdict = "reached" if row["fid"] <= a.score else "not reached"
        found["ratio"] = a.seconds_plain / found["seconds"]
        print(f"\nStopped for: {found['stopped']}. FID {row['fid']:.4g}, wanted {a.score:.4g}: {verdict}.")
        print(f"Plain loop / gan: {a.seconds_plain:.0f} s / {found['seconds']:.0f} s = {found['ratio']:.2f}")
    if a.results:
        asked = {k: v for k, v in vars(a).items() if k not in ("data_dir", "results")}
        a.results.write_text(json.dumps({"machine": known, "asked": asked, **found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
