"""Image translation on real pairs: trains a preset, scores it on the test set beside the baselines, and prints one JSON line.

    python benchmarks/translate.py DATA --preset pix2pix --direction a-to-b --seed 0 --device cuda --runs runs
    python benchmarks/translate.py DATA --preset pix2pix --l1-only          the same net without a critic
    python benchmarks/translate.py DATA --preset cut --size 32              without pairs; pairs serve for scores only
    python benchmarks/translate.py --table results.jsonl                    the lines as a table, means over seeds

DATA is a folder with trainA, trainB, testA, testB (and valA, valB) of pictures with the same names. The minutes that a trial of a few
steps says beforehand stand beside those that training took. `l1-drawing` is L1 over the pixels where input or target is not white.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np

PAIRED = ("l1", "psnr", "ssim", "gmsd", "kid", "fid", "feature-distance", "retrieval", "inversion", "variety")
WHITE = 250  # lightest value of a drawing
BOTH = ("cyclegan",)  # presets that learn both directions
SHOWN = (
    "l1",
    "ssim",
    "psnr",
    "gmsd",
    "kid",
    "retrieval",
    "luma-correlation",
    "cycle-l1",
    "identity-l1",
    "steganography",
)


def gan(*words: Any, quiet: bool = True) -> Any:
    """Run a command; its JSON result."""
    command = [sys.executable, "-m", "gancli", *map(str, words), "--json"]
    done = subprocess.run(
        command, check=False, text=True, stdout=subprocess.PIPE, stderr=None if not quiet else subprocess.PIPE
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr or ''}")
    return json.loads(done.stdout.strip().splitlines()[-1]) if done.stdout.strip() else {}


def words(args: argparse.Namespace) -> list[Any]:
    """What the run is trained with."""
    out: list[Any] = ["--data", args.data, "--preset", args.preset, "--seed", args.seed, "--device", args.device]
    out += ["--set", f"task.direction={args.direction}"]
    for option, value in (
        ("--image-size", args.size), ("--epochs", args.epochs), ("--threads", args.threads), ("--precision", args.precision),
        ("--batch-size", args.batch_size), ("--max-minutes", args.minutes),
    ):  # fmt: skip
        out += [] if value is None else [option, value]
    out += ["--set", "task.adversarial=0"] if args.l1_only else []
    for item in args.set or ():
        out += ["--set", item]
    return out


def name_of(args: argparse.Namespace) -> str:
    """The run's folder."""
    kind = "l1" if args.l1_only else args.preset
    size = f"-{args.size}" if args.size else ""
    return f"{Path(args.data).name}-{kind}{size}-{args.direction}-{args.seed}{args.suffix}"


def in_drawing(run: Path, data: Path, direction: str) -> float:
    """L1 over the pixels where input or target is not white, of the test set."""
    import torch

    from gancli.core.data import Reading
    from gancli.evaluation import inputs
    from gancli.runs.folder import Run
    from gancli.training.prepare import cache_dir

    how = Reading(data, cache_dir())
    model, _, split = inputs.of_run(Run(run), None, how, True, torch.device("cpu"))
    if direction != next(iter(model.task.maps(model.spec))):
        split = inputs.facing(split, model, direction)
    known: Any = split.test.samples()
    ask = model.task.evaluation(model.spec, split.test, len(known), 0).replace(direction=direction)
    made: Any = model.generate(ask)
    drawn = (known.inputs.min(1) < WHITE) | (known.images.min(1) < WHITE)
    apart = np.abs(made.images.astype(float) - known.images).mean(1)
    return float(np.mean([a[d].mean() for a, d in zip(apart, drawn, strict=True) if d.any()]))


def scores(args: argparse.Namespace, run: Path, direction: str) -> dict[str, Any]:
    """The scores on the test set, and those of the baselines."""
    metrics = [*PAIRED, *(("cycle", "steganography") if args.preset in BOTH else ())]
    found = gan(
        "evaluate", run, "--metrics", ",".join(metrics), "--device", args.device, "--out", run / f"scores-{direction}",
        "--direction", direction,
    )  # fmt: skip
    values = {key.partition("@")[0]: score for key, score in found["scores"].items()}
    out = {key: round(score["value"], 4) for key, score in values.items()}
    others: dict[str, dict[str, float]] = defaultdict(dict)
    for key, score in values.items():
        for baseline, value in score.get("baselines", {}).items():
            others[baseline][key] = round(value, 4)
    return {"scores": {**out, "l1-drawing": round(in_drawing(run, args.data, direction), 2)}, "baselines": others}


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Train and score."""
    run, given = Path(args.runs) / name_of(args), words(args)
    said = None
    if not (run / "model" / "config.json").is_file():
        said = gan("train", *given, "--dry-run")["minutes"]
        gan("train", *given, "--runs-dir", args.runs, "--name", run.name, quiet=False)
    last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    out = {
        "run": run.name, "preset": "l1" if args.l1_only else args.preset, "direction": args.direction, "seed": args.seed,
        "device": args.device, "minutes_said": said, "minutes": round(last["seconds"] / 60, 1), "images": last["images"],
    }  # fmt: skip
    directions = ["a-to-b", "b-to-a"] if args.preset in BOTH else [args.direction]
    return {**out, "results": {direction: scores(args, run, direction) for direction in directions}}


def table(file: Path) -> None:
    """The lines of a file, means and standard deviations over seeds, with the baselines."""
    rows: dict[tuple[str, str], list[dict[str, float]]] = defaultdict(list)
    others: dict[tuple[str, str], dict[str, float]] = {}
    for line in map(json.loads, file.read_text().splitlines()):
        for direction, found in line["results"].items():
            name, _, suffix = line["run"].partition(f"{line['direction']}-{line['seed']}")
            data = f"{name.split('-')[0]} {direction}" + (" 32x32" if "-32-" in name else "")
            rows[data, line["preset"] + suffix].append(found["scores"])
            others |= {(data, name): values for name, values in found["baselines"].items()}
    keys = [key for key in SHOWN if any(key in score for row in rows.values() for score in row)]
    print("| data | method |", " | ".join(keys), "|\n|-|-|" + "-|" * len(keys))
    for (data, name), found in sorted(rows.items()):
        cells = [_cell([score[key] for score in found if key in score]) for key in keys]
        print(f"| {data} | {name} ({len(found)}) |", " | ".join(cells), "|")
    for (data, name), values in sorted(others.items()):
        print(f"| {data} | {name} |", " | ".join(_cell([values[key]] if key in values else []) for key in keys), "|")


def _cell(values: list[float]) -> str:
    if not values:
        return ""
    return f"{mean(values):.4g}" + (f" ± {stdev(values):.2g}" if len(values) > 1 else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=lambda text: Path(text).resolve())
    parser.add_argument("--table", type=Path)
    parser.add_argument("--preset", default="pix2pix")
    parser.add_argument("--direction", default="a-to-b", choices=("a-to-b", "b-to-a"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size")
    parser.add_argument("--epochs", type=float)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--minutes", type=float, help="fit the training to these minutes")
    parser.add_argument("--l1-only", action="store_true")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--runs", default="runs")
    parser.add_argument("--suffix", default="")
    parser.add_argument("--set", action="append")
    args = parser.parse_args()
    if args.table is not None:
        table(args.table)
    else:
        print(json.dumps(measure(args)), flush=True)


if __name__ == "__main__":
    main()
