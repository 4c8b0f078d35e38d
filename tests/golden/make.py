"""Make the golden run of the present checkpoint format: `python tests/golden/make.py`. Once per format; never again.

A tiny run of 20 steps with its newest checkpoint, and the samples that it gave.

    python tests/golden/make.py --after

makes anew what the run of format 1 with penalties and ADA gives after it is resumed. Only where numbers changed on purpose: the change
log says which. It was last made when ADA, LeCam and what a relativistic loss logs became those of the published code.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "soak"))

sys.path.insert(0, str(HERE.parent / "runs"))

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


def after() -> None:
    from test_runs_golden import BUSY, copied, resumed

    from gancli.runs import journal

    with tempfile.TemporaryDirectory() as place:
        run = copied(BUSY.name, Path(place))
        resumed(run, {"stop": {"max_steps": 32}})
        np.save(BUSY / "after.npy", gancli.load(run.path).sample(8, seed=0).numpy())
        measured = ("images_per_s", "seconds")
        lines = [{k: v for k, v in line.items() if k not in measured} for line in journal.read(run.journal)[-2:]]
        here = {"torch": str(torch.__version__), "cpu": torch.backends.cpu.get_cpu_capability()}
        (BUSY / "after.json").write_text(json.dumps({"lines": lines, **here}, indent=1) + "\n")


if __name__ == "__main__":
    after() if "--after" in sys.argv else main()
