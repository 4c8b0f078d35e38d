"""Make the golden run of the present checkpoint format: `python tests/golden/make.py`. Once per format; never again.

A tiny run of 20 steps with its newest checkpoint, and the samples that it gave.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "soak"))

from faults import Bench  # noqa: E402

import gancli  # noqa: E402
from gancli.core.migration import FORMAT  # noqa: E402


def main() -> None:
    there = HERE / f"format-{FORMAT}"
    if there.exists():
        raise SystemExit(f"{there} exists: a golden run is never made again")
    with tempfile.TemporaryDirectory() as place:
        bench = Bench(Path(place), 20, {"intervals": {"keep": 1}})
        run = bench.new()
        bench.go(run)
        shutil.copytree(
            run.path, there, ignore=shutil.ignore_patterns("samples", ".lock", "log.txt", "curves.png", "status.json")
        )
    (there / "data.json").write_text((there / "data.json").read_text().replace(place, "."))
    (there / "config.json").write_text((there / "config.json").read_text().replace(place, "."))
    np.save(there / "samples.npy", gancli.load(there).sample(8, seed=0).numpy())


if __name__ == "__main__":
    main()
