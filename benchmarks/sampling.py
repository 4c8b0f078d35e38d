"""What the sampling options bring: FID, precision and recall of every preset's samples, as they are, with --best-of and with --truncation.

    python benchmarks/sampling.py --place RUNS [--presets sngan,fastgan] [--data digits] [--minutes 1] [--n 2000] [--threads 1]

Each preset that generates images is trained for the same minutes, seed 0. The table is written to RUNS/table.md, one row for each preset.
A row that is there is not made again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from gancli.core.config import presets, read_preset

HOW = {"": [], "best of 8": ["--best-of", "8"], "truncation 0.7": ["--truncation", "0.7"]}
OTHERS = ("augment", "attributes", "best")  # of a kind of its own; needs attributes; is another one of these
SCORES = ("fid", "precision", "recall")


def gan(*words: object) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "gancli", *map(str, words)], stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout


def generating() -> list[str]:
    """The presets of the task `generate`."""
    found = [p for p in presets() if read_preset(p).get("task", {}).get("name", "generate") == "generate"]
    return [p for p in found if p not in OTHERS]


def scores(preset: str, a: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Scores by the way of sampling."""
    file = a.place / f"{preset}.json"
    if file.is_file():
        return dict(json.loads(file.read_text()))
    run, machine = a.place / preset, ["--threads", a.threads]
    if not (run / "model").is_dir():
        words = ["--data", a.data, "--preset", preset, "--max-minutes", a.minutes, "--seed", 0, "--quiet"]
        gan("train", *words, "--name", preset, "--runs-dir", a.place, *machine)
    out: dict[str, dict[str, float]] = {}
    for name, options in HOW.items():
        samples = a.place / f"{preset}-{len(out)}.npz"
        try:
            gan("sample", run, "--n", a.n, *options, "--out", samples, *machine)
        except subprocess.CalledProcessError:  # no truncation, where z is normalized
            continue
        words = ["--images", samples, "--against", a.data, "--metrics", "fid,prc", "--json", *machine]
        found = json.loads(gan("evaluate", *words, "--out", a.place / "evaluations" / samples.stem))["scores"]
        out[name] = {key.partition("@")[0]: score["value"] for key, score in found.items()}
    file.write_text(json.dumps(out, indent=1))
    return out


def table(rows: dict[str, dict[str, dict[str, float]]]) -> str:
    heads = [f"{score} {how}".strip() for how in HOW for score in SCORES]
    lines = [f"| preset | {' | '.join(heads)} |", "|-" * (1 + len(heads)) + "|"]
    for preset, found in sorted(rows.items(), key=lambda row: row[1][""]["fid"]):
        cells = [f"{found[how][score]:.2f}" if how in found else "–" for how in HOW for score in SCORES]
        lines.append(f"| `{preset}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--place", type=Path, required=True, help="folder of runs, samples and the table")
    parser.add_argument("--presets", default=",".join(generating()))
    parser.add_argument("--data", default="digits")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--n", type=int, default=2_000)
    parser.add_argument("--threads", type=int, default=1)
    a = parser.parse_args()
    a.place = a.place.resolve()
    a.place.mkdir(parents=True, exist_ok=True)
    rows = {}
    for preset in a.presets.split(","):
        rows[preset] = scores(preset, a)
        (a.place / "table.md").write_text(table(rows) + "\n")
        print(preset, rows[preset], flush=True)


if __name__ == "__main__":
    main()
