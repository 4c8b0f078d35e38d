"""How long a step takes: against the batch, against the data set, and before there is anything to compute.

    python benchmarks/sizes.py --precision bf16 --results sizes.json

The textbook preset on made-up images of 28x28, in one process, with the engine's own step. Sizes are measured in turn, several times over,
so that a machine that slows down slows all of them. The data set should not matter: a batch is an index into one array. The fixed cost is
where the step times of tiny nets (hidden layers of 1 to 8, batches of 8) lead to as a line of the width. Nothing else may run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from gancli.core.config import Layer, read_preset, resolve
from gancli.core.data import Reading, Split
from gancli.data.images import ImageDataset
from gancli.data.loader import Loader
from gancli.report.curves import COLORS
from gancli.training import precision
from gancli.training.benchmark import matmul_peak, one
from gancli.training.checkpointing import versions
from gancli.training.prepare import Plan

BATCHES = (8, 16, 32, 64, 128, 256, 512, 1024, 2048)
IMAGES = (1_000, 10_000, 60_000, 200_000)
WIDTHS = (1, 2, 4, 8)
PRESET, USUAL, SMALL = "textbook", 100, 8  # batches
WARM = 5  # steps that are not timed
OUT = Path(__file__).parents[1] / "docs/images/step-time.png"


def facts() -> dict[str, Any]:
    """The machine and the versions, to stand beside every figure."""
    info = Path("/proc/cpuinfo")
    names = [t.split(":", 1)[1].strip() for t in info.read_text().splitlines() if t.startswith("model name")]
    able = torch.cpu.get_capabilities()
    return {
        "processor": names[0] if names else platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "bf16": [k for k in ("amx_bf16", "avx512_bf16") if able.get(k)],
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "threads": torch.get_num_threads(),
        "load_before": round(os.getloadavg()[0], 2),
        "versions": versions(),
    }


def table(title: str, rows: list[dict[str, Any]]) -> None:
    """Print rows with the same keys as a markdown table."""
    print(f"\n### {title}\n\n| " + " | ".join(rows[0]) + " |\n|" + "-|" * len(rows[0]))
    for row in rows:
        cells = (
            f"{v:,.4g}" if isinstance(v, float) else f"{v:,}" if isinstance(v, int) else str(v) for v in row.values()
        )
        print("| " + " | ".join(cells) + " |", flush=True)


def planned(images: np.ndarray, batch: int, layer: Layer) -> Plan:
    cfg = resolve(read_preset(PRESET), {"data": {"source": "mnist"}, "batch_size": batch}, layer)
    device = precision.device(cfg.runtime.device)
    dtype, train = precision.DTYPES[cfg.runtime.precision], ImageDataset(images)
    return Plan(cfg, Split(train, train), "", Loader(train, 0, device, dtype), Reading(Path(), Path()), cfg)


def step_times(plan: Plan, seconds: float) -> list[float]:
    """Milliseconds of each step of so many seconds of training; of three at least."""
    state = plan.state()
    out: list[float] = []
    for _ in range(WARM):
        one(plan, state)
    device, end = plan.loader.device, time.perf_counter() + seconds
    while len(out) < 3 or time.perf_counter() < end:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        start = time.perf_counter()
        one(plan, state)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        out.append(1e3 * (time.perf_counter() - start))
    return out


def measured(plans: dict[int, Plan], seconds: float, rounds: int) -> dict[int, dict[str, float]]:
    """Median step time of each plan, and between what times four steps of five lie."""
    times: dict[int, list[float]] = {key: [] for key in plans}
    for _ in range(rounds):
        for key, plan in plans.items():
            times[key] += step_times(plan, seconds / rounds)
    out = {}
    for key, found in times.items():
        tenths = statistics.quantiles(found, n=10, method="inclusive")
        out[key] = {"step ms": statistics.median(found), "10 %": tenths[0], "90 %": tenths[-1], "steps": len(found)}
    return out


def line(points: dict[int, dict[str, float]], keys: Iterable[int]) -> tuple[float, float]:
    """Intercept and slope of the step time over some keys, the relative misfit least."""
    x = np.array(list(keys), np.float64)
    y = np.array([points[int(k)]["step ms"] for k in x])
    slope, intercept = np.polyfit(x, y, 1, w=1 / y)
    return float(intercept), float(slope)


def draw(found: dict[str, Any], path: Path, title: str) -> None:
    figure = Figure(figsize=(10, 4), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    left, right = figure.subplots(1, 2)
    for axes, key, name in ((left, "batch", "images in a batch"), (right, "data", "images in the data set")):
        x = list(found[key])
        y, low, high = (np.array([found[key][k][v] for k in x]) for v in ("step ms", "10 %", "90 %"))
        axes.errorbar(x, y, [y - low, high - y], color=COLORS[0], lw=1, marker="o", ms=3, capsize=2, label="textbook")
        axes.set_xscale("log", base=2 if key == "batch" else 10)
        axes.set_xticks(x, [f"{k:,}" for k in x], fontsize=8)
        axes.minorticks_off()
        axes.set_xlabel(name)
        axes.set_ylabel("milliseconds a step")
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    left.set_yscale("log")
    left.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    left.yaxis.set_major_formatter("{x:g}")
    left.yaxis.set_minor_locator(NullLocator())
    left.axhline(found["fixed"]["ms"], color=COLORS[1], lw=1, ls="--", label="fixed cost")
    left.set_title("against the batch", fontsize=10)
    left.legend(frameon=False, fontsize=9)
    right.set_ylim(bottom=0)
    right.set_title(f"against the data set, batches of {found['usual batch']}", fontsize=10)
    figure.savefig(path, dpi=110)


def measure(a: argparse.Namespace, rng: np.random.Generator) -> dict[str, Any]:
    machine: Layer = {"runtime": {"precision": a.precision}}

    def made(n: int) -> np.ndarray:
        return rng.integers(0, 256, (n, 1, 28, 28), np.uint8)

    some = made(10_000)
    tiny = [{**machine, "task": {"model": {"g_widths": [w] * 3, "d_widths": [w] * 3}}} for w in WIDTHS]
    usual = planned(some, USUAL, machine)
    out: dict[str, Any] = {"usual batch": USUAL, "precision": usual.cfg.runtime.precision}
    out["peak gflop/s"] = [matmul_peak(usual) / 1e9]
    out["batch"] = measured({b: planned(some, b, machine) for b in a.batches}, a.seconds, a.rounds)
    out["data"] = measured({n: planned(made(n), USUAL, machine) for n in a.images}, a.seconds, a.rounds)
    widths = {w: planned(some, SMALL, layer) for w, layer in zip(WIDTHS, tiny, strict=True)}
    out["width"] = measured(widths, a.seconds, a.rounds)
    out["peak gflop/s"].append(matmul_peak(usual) / 1e9)
    intercept, slope = line(out["width"], WIDTHS)
    out["fixed"] = {"ms": intercept, "per width": slope}
    before, each = line(out["batch"], a.batches)
    out["batch line"] = {"ms": before, "per image": each}
    return out


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seconds", type=float, default=3, help="of steps for each size")
    p.add_argument("--rounds", type=int, default=3, help="in how many parts those are measured")
    p.add_argument("--batches", type=int, nargs="+", default=BATCHES)
    p.add_argument("--images", type=int, nargs="+", default=IMAGES)
    p.add_argument("--precision", default="fp32", choices=list(precision.DTYPES))
    p.add_argument("--threads", type=int, default=0, help="0: all cores")
    p.add_argument("--out", type=Path, default=OUT)
    p.add_argument("--results", type=Path)
    a = p.parse_args()
    precision.set_threads(a.threads)
    known = facts()
    found = measure(a, np.random.default_rng(0))
    table(
        "Step time and batch",
        [{"batch": k, **v, "us an image": 1e3 * v["step ms"] / k} for k, v in found["batch"].items()],
    )
    table(f"Step time and data set, batches of {USUAL}", [{"images": k, **v} for k, v in found["data"].items()])
    table(f"Step time of tiny nets, batches of {SMALL}", [{"width": k, **v} for k, v in found["width"].items()])
    print(f"\nFixed cost of a step: {found['fixed']['ms']:.2f} ms, where the line of the tiny nets meets width 0.")
    apart = [v["step ms"] for v in found["data"].values()]
    print(f"Slowest over fastest data set: {max(apart) / min(apart):.3f}.")
    print(f"Textbook: {found['batch line']['ms']:.2f} ms + {1e3 * found['batch line']['per image']:.1f} us an image.")
    print(f"Product peak before and after: {', '.join(f'{g:.0f}' for g in found['peak gflop/s'])} GFLOP/s.")
    a.out.parent.mkdir(parents=True, exist_ok=True)
    draw(found, a.out, f"Time of a step, {PRESET} preset ({found['precision']}, threads: {known['threads']})")
    if a.results:
        a.results.write_text(json.dumps({"machine": known, **found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
