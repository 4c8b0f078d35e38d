"""How much memory `gan train` takes: on MNIST, and on a folder of 50,000 color pictures that is decoded into a memory-mapped cache.

    python benchmarks/memory.py --data-dir DATA --results memory.json

Each run is a process of its own, looked at through /proc/PID/status (proc(5)) every 20 ms: `peak` is VmHWM, to the byte; the peaks of its
parts are the largest that were seen. `own` is RssAnon + RssShmem, what nothing else can use; `mapped` is RssFile, pages of libraries and of
the memory-mapped array, which the system takes back when it needs them. `end` is after the last line was said. The pictures are smooth and
random, made for the occasion in a temporary folder, half of them PNG, half JPEG; their second run finds them decoded.
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

import numpy as np
from PIL import Image
from sizes import facts, table

CHILD = """
import sys
from pathlib import Path
out = Path(sys.argv.pop(1))
try:
    if len(sys.argv) > 1:
        from gancli.cli import main
        main()
    else:
        import torch
finally:
    out.write_text(Path("/proc/self/status").read_text())
"""
SIZE, BATCH = 64, 500  # of the pictures; how many are made at a time


def read(status: str) -> dict[str, float]:
    """MB by name, from the text of /proc/PID/status: total, peak, own, mapped. Empty once the process has given its memory back."""
    lines = (t.split() for t in status.splitlines() if t.endswith(" kB"))
    mb = {words[0].rstrip(":"): int(words[1]) * 1024 / 1e6 for words in lines}
    if "VmRSS" not in mb:
        return {}
    own = mb["RssAnon"] + mb["RssShmem"]
    return {"total": mb["VmRSS"], "peak": mb["VmHWM"], "own": own, "mapped": mb["RssFile"]}


def watched(what: str, words: list[str], place: Path) -> dict[str, Any]:
    """Run `gan` with these words, or just import torch if there are none, and tell its memory in MB."""
    out, most = place / "status", {"own": 0.0, "mapped": 0.0}
    start = time.perf_counter()
    with subprocess.Popen([sys.executable, "-c", CHILD, str(out), *words], stdout=subprocess.DEVNULL) as child:
        while child.poll() is None:
            try:
                now = read(Path(f"/proc/{child.pid}/status").read_text())
            except OSError:
                now = {}
            most = {k: max(v, now.get(k, 0.0)) for k, v in most.items()}
            time.sleep(0.02)
    if child.returncode:
        raise SystemExit(f"gan {' '.join(words)}: exit {child.returncode}")
    took, end = time.perf_counter() - start, read(out.read_text())
    most = {k: max(v, end[k]) for k, v in most.items()}
    return {
        "what": what, "peak": end["peak"], "peak own": most["own"], "peak mapped": most["mapped"],
        "end": end["total"], "end own": end["own"], "end mapped": end["mapped"], "seconds": took,
    }  # fmt: skip


def make_pictures(folder: Path, n: int) -> None:
    """n smooth pictures of 64x64 in ten subfolders: 5x5 random colors each, bilinear in between."""
    rng = np.random.default_rng(0)
    at = np.linspace(0, 4, SIZE)
    spread = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(5))).astype(np.float32)  # [64, 5]
    for kind in range(10):
        (folder / str(kind)).mkdir(parents=True)
    for first in range(0, n, BATCH):
        knots = rng.integers(0, 256, (BATCH, 5, 5, 3)).astype(np.float32)
        smooth = np.einsum("hi,nijc,wj->nhwc", spread, knots, spread, optimize=True).round().astype(np.uint8)
        for i, picture in enumerate(smooth[: n - first], start=first):
            path = folder / str(i % 10) / f"{i:06d}.{'jpg' if i // 10 % 2 else 'png'}"
            Image.fromarray(picture).save(path, quality=90, compress_level=1)  # of JPEG and PNG


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data-dir", required=True, help="the folder that holds MNIST/")
    p.add_argument("--steps", type=int, default=600, help="on MNIST, preset textbook")
    p.add_argument("--pictures", type=int, default=50_000)
    p.add_argument("--picture-steps", type=int, default=30, help="on the pictures, preset dcgan")
    p.add_argument("--threads", default="0")
    p.add_argument("--results", type=Path)
    a = p.parse_args()
    known, rows = facts(), []
    with tempfile.TemporaryDirectory(prefix="gan-memory-") as name:
        place = Path(name)
        os.environ |= {"GAN_CACHE_DIR": str(place / "cache"), "GAN_TRAIN_DOWNLOAD": "0"}
        brief = ["--threads", a.threads, "--runs-dir", str(place / "runs"), "--quiet"]
        rows.append(watched("import torch", [], place))
        words = ["train", "--data", "mnist", "--data-dir", a.data_dir, "--preset", "textbook", *brief]
        rows.append(watched(f"mnist, textbook, {a.steps} steps", [*words, "--max-steps", str(a.steps)], place))
        start = time.perf_counter()
        make_pictures(place / "pictures", a.pictures)
        print(f"{a.pictures:,} pictures made in {time.perf_counter() - start:.0f} s", file=sys.stderr)
        words = ["train", "--data", str(place / "pictures"), "--preset", "dcgan", *brief]
        words += ["--max-steps", str(a.picture_steps)]
        for when in ("decoded first", "decoded before"):
            rows.append(watched(f"{a.pictures:,} pictures, dcgan, {a.picture_steps} steps, {when}", words, place))
        kept = [f.stat().st_size for f in place.glob("cache/arrays/*.npy")]
    table("Resident memory of gan train, MB", rows)
    print(f"\nThe decoded pictures are {sum(kept) / 1e6:,.0f} MB on the disk.")
    if a.results:
        a.results.write_text(json.dumps({"machine": known, "rows": rows, "array_mb": sum(kept) / 1e6}, indent=1) + "\n")


if __name__ == "__main__":
    main()
