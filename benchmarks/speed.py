"""Ours against the plain loops, alternately, in one run: ratios of images per second with their spread.

    python benchmarks/speed.py --data-dir DATA --folder PICTURES --pairs 3

Each pair is the plain loop in a process of its own, then `gan train` in one; both are timed after their start-up. Nothing else may run.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent


def plain(script: str, *words: str) -> float:
    done = subprocess.run([sys.executable, str(HERE / script), *words], check=True, capture_output=True, text=True)
    return float(json.loads(done.stdout.splitlines()[-1])["images_per_s"])


def ours(*words: str) -> float:
    """Images per second between the first and the last line of the journal."""
    with tempfile.TemporaryDirectory() as runs:
        command = [sys.executable, "-m", "gancli", "train", "--runs-dir", runs, "--name", "r", "--quiet", *words]
        subprocess.run(command, check=True, capture_output=True)
        lines = [json.loads(t) for t in (Path(runs) / "r/metrics.jsonl").read_text().splitlines()]
    first, last = lines[0], lines[-1]
    return float((last["images"] - first["images"]) / (last["seconds"] - first["seconds"]))


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--data-dir", required=True)
    p.add_argument("--folder", required=True)
    p.add_argument("--pairs", type=int, default=3)
    p.add_argument("--only", default="", help="textbook, dcgan 32, dcgan 64")
    a = p.parse_args()
    quiet = ["--set", "intervals.sample=100000000", "--set", "intervals.save=100000000"]
    mnist = ["--data", "mnist", "--data-dir", a.data_dir, "--preset", "textbook", "--max-steps", "1200"]
    rows: dict[str, tuple[list[str], list[str]]] = {
        f"textbook, {p}": (["textbook.py", "--data-dir", a.data_dir, "--steps", "300"], [*mnist, "--precision", p])
        for p in ("fp32", "bf16")
    }
    for size, count in ((32, "60"), (64, "40")):
        folder = ["--data", a.folder, "--image-size", str(size), "--preset", "dcgan", "--batch-size", "128"]
        for kind in ("fp32", "auto"):
            rows[f"dcgan {size}x{size}, {kind}"] = (
                ["plain_dcgan.py", "--folder", a.folder, "--size", str(size), "--steps", count],
                [*folder, "--max-steps", count, "--set", "intervals.log=10", "--precision", kind],
            )
    print("| what | plain, images/s | gan, images/s | ratio (median of pairs) | spread |\n|-|-|-|-|-|")
    os.environ["GAN_TRAIN_DOWNLOAD"] = "0"
    for name, (theirs, mine) in rows.items():
        if a.only and a.only not in name:
            continue
        pairs = [(plain(*theirs), ours(*mine, *quiet)) for _ in range(a.pairs)]
        ratios = sorted(b / a_ for a_, b in pairs)
        left, right = (f"{statistics.median(x):,.0f}" for x in zip(*pairs, strict=True))
        spread = f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
        print(f"| {name} | {left} | {right} | {statistics.median(ratios):.2f} | {spread} |", flush=True)


if __name__ == "__main__":
    main()
