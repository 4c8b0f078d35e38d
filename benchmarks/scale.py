"""Several ranks, measured: do 1, 2 and 4 train the same, does the cost model predict their speed, do cut-off hosts lose anything.

    python benchmarks/scale.py                 all, on an idle machine; prints tables, writes scale.json
    python benchmarks/scale.py --only model    curves, model or hosts alone; --runs 20 for the hosts

The cost model (docs/scale.md): a step of w ranks takes c + m a + b / r, where c is the time of a rank's own work, with all w at work
and none talking to another; m messages and b bytes are exchanged; a is what an empty message costs ranks that work in between,
r the rate of a large one.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "distributed"))

import torch
import torch.distributed as dist
from forked import curves, fork_ranks, made
from hosts import Hosts, train_words, why_not

from gancli.core.config import Config, read_preset, resolve
from gancli.core.data import Reading
from gancli.data.loader import Loader
from gancli.distributed.ranks import ALONE, Ranks
from gancli.training.state import State, new_state
from gancli.training.step import step

CPU = torch.device("cpu")
CURVES = ("textbook", "wgan-gp", "r3gan", "cgan")
SPEEDS = {"textbook": 512, "r3gan": 128, "cgan": 256}  # preset: batch
WORLDS = (2, 4)
LARGE = 8 << 20  # bytes
GPUS = (2, 8, 64, 1024)


def place() -> Path:
    return Path(tempfile.mkdtemp(prefix="gan-scale-"))


def compare(steps: int) -> list[dict[str, Any]]:
    """The largest relative difference of the losses from those of one rank, and whether the same images were read."""
    rows = []
    for preset in CURVES:
        one = curves(preset, steps, ALONE)
        for world in WORLDS:
            found = fork_ranks(world, partial(curves, preset, steps), place(), 600)
            apart = max(
                abs(b[k] - a[k]) / (abs(a[k]) + 0.1)
                for a, b in zip(one, found[0], strict=True)
                for k in ("loss/D", "loss/G")
            )
            part = 32 // world
            same = all(
                a["read"][i : i + part] == ranks[i % 32 // part]["read"][i // 32 * part :][:part]
                for a, *ranks in zip(one, *found, strict=True)
                for i in range(0, len(a["read"]), part)
            )
            rows.append({"preset": preset, "ranks": world, "steps": steps, "difference": apart, "same images": same})
    return rows


def full(preset: str, batch: int) -> tuple[Config, State, Loader]:
    """A preset with its own nets, on the digits."""
    cfg = resolve(read_preset(preset), {"data": {"source": "digits"}, "batch_size": batch})
    split = cfg.data.source.read(Reading(Path(), Path()))
    loader = Loader(split.train, 0, CPU, torch.float32)
    return cfg, new_state(cfg.task, cfg, loader.spec, CPU, torch.float32), loader


def times(cfg: Config, state: State, loader: Loader, here: Ranks, steps: int) -> list[float]:
    """The seconds of each step."""
    took = []
    for i in range(steps + 3):
        start = time.perf_counter()
        step(cfg.task, state, loader, cfg, here)
        took += [time.perf_counter() - start] if i >= 3 else []
    return took


class Sent:
    """A message that was never sent."""

    def wait(self) -> None: ...


def train_beside(preset: str, batch: int, steps: int, talking: bool) -> Callable[[Ranks], Any]:
    """A rank's steps: with the others, or beside them without a word, all of its own work done."""

    def work(here: Ranks) -> dict[str, Any]:
        torch.set_num_threads(1)
        cfg, state, loader = full(preset, batch)
        here.synchronize(state)
        step(cfg.task, state, loader, cfg, here)
        sent, messages = here.sent, here.messages  # type: ignore[attr-defined]
        step(cfg.task, state, loader, cfg, here)
        sent, messages = here.sent - sent, here.messages - messages  # type: ignore[attr-defined]
        if not talking:
            dist.all_reduce = lambda *_, **__: Sent()  # type: ignore[assignment]
        return {"times": times(cfg, state, loader, here, steps), "bytes": sent, "messages": messages}

    return work


def slowest(found: list[dict[str, Any]]) -> float:
    """The median over the steps of the slowest rank's time."""
    median: float = statistics.median(map(max, zip(*(f["times"] for f in found), strict=True)))
    return median


def talk(_here: Ranks) -> dict[str, float]:
    """Seconds that an empty message costs ranks that work between two of them, and bytes a second of a large one."""
    torch.set_num_threads(1)
    a = torch.randn(384, 384)

    def timed(work: Callable[[], Any], rounds: int) -> float:
        work()
        start = time.perf_counter()
        for _ in range(rounds):
            work()
        return (time.perf_counter() - start) / rounds

    def busy() -> None:
        for _ in range(10):
            a @ a

    def busy_then_told() -> None:
        busy()
        dist.all_reduce(torch.zeros(1))

    dist.barrier()
    silent = timed(busy, 200)
    dist.barrier()
    empty = timed(busy_then_told, 200) - silent
    idle = timed(lambda: dist.all_reduce(torch.zeros(1)), 200)
    large = torch.zeros(LARGE // 4)
    return {"empty": empty, "rate": LARGE / (timed(lambda: dist.all_reduce(large), 30) - idle)}


def model(steps: int) -> list[dict[str, Any]]:
    """Predicted and measured time of a step."""
    torch.set_num_threads(1)
    rows = []
    for world in WORLDS:
        line = fork_ranks(world, talk, place(), 300)[0]
        for preset, batch in SPEEDS.items():
            alone = statistics.median(times(*full(preset, batch), ALONE, steps))
            own = slowest(fork_ranks(world, train_beside(preset, batch, steps, talking=False), place(), 900))
            found = fork_ranks(world, train_beside(preset, batch, steps, talking=True), place(), 900)
            measured, sent, messages = slowest(found), found[0]["bytes"], found[0]["messages"]
            predicted = own + messages * line["empty"] + sent / line["rate"]
            rows.append(
                {"preset": preset, "batch": batch, "ranks": world, "one ms": 1e3 * alone, "own ms": 1e3 * own}
                | {"messages": messages, "MB": sent / 1e6, "empty ms": 1e3 * line["empty"], "MB/s": line["rate"] / 1e6}
                | {"predicted ms": 1e3 * predicted, "measured ms": 1e3 * measured, "ratio": predicted / measured}
            )
    return rows


def gpus(sent: float, compute: float, rate: float, inner: float, hop: float, per_host: int = 8) -> list[dict[str, Any]]:
    """Share of the ideal speed of w GPUs, the batch growing with them.

    A ring within each host at `inner` bytes/s, then rings between hosts at `rate`; `hop` seconds for each of the messages' hops.
    """
    out = []
    for w in GPUS:
        local, hosts = min(w, per_host), -(-w // per_host)
        wire = 2 * (local - 1) / local * sent / inner + 2 * (hosts - 1) / hosts * sent / local / rate
        hops = hop * 2 * ((local - 1) + (hosts - 1).bit_length())
        total = compute + wire + hops
        out.append({"GPUs": w, "step ms": 1e3 * total, "of ideal": compute / total})
    return out


def cut_off(runs: int) -> list[dict[str, Any]]:
    """Train on two hosts, cut one off at another moment each time, restart, resume."""
    reason = why_not()
    if reason:
        return [{"skipped": reason}]
    rows, base = [], place()
    os.environ |= {"GAN_RUNS_DIR": str(base / "runs"), "GAN_CACHE_DIR": str(base / "cache"), "GAN_TRAIN_QUIET": "1"}
    for number in range(runs):
        name = f"hosts-{number:02d}"
        run = base / "runs" / name
        with Hosts() as hosts:
            jobs = hosts.start(train_words(name, 100_000), 0)
            while not saved(run):
                time.sleep(0.05)
            time.sleep(0.2 * number)
            hosts.cut()
            start = time.monotonic()
            codes = [job.wait(timeout=120) for job in jobs]
            hung = time.monotonic() - start
            hosts.mend()
            goal = max(saved(run)) + 25
            again = hosts.start(["resume", str(run), "--max-steps", str(goal), "--quiet"], 1)
            ended = [job.wait(timeout=120) for job in again]
            lines = [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()]
            whole = lines == list(range(1, goal + 1))
        rows.append(
            {"run": number, "seconds until both left": hung, "codes": codes, "resumed": ended, "nothing lost": whole}
        )
    shutil.rmtree(base)
    return rows


def saved(run: Path) -> list[int]:
    return [int(p.name) for p in run.glob("checkpoints/*") if p.name.isdigit()]


def table(title: str, rows: list[dict[str, Any]]) -> None:
    print(f"\n### {title}\n")
    keys = list(rows[0]) if rows else []
    print("| " + " | ".join(keys) + " |\n|" + "-|" * len(keys))
    for row in rows:
        print(
            "| " + " | ".join(f"{v:.4g}" if isinstance(v, float) else str(v) for v in row.values()) + " |", flush=True
        )


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--only", choices=["curves", "model", "hosts"])
    ask.add_argument("--steps", type=int, default=50)
    ask.add_argument("--runs", type=int, default=20)
    ask.add_argument("--out", type=Path, default=Path("scale.json"))
    asked = ask.parse_args()
    torch.set_num_threads(1)
    made("textbook")
    found: dict[str, Any] = {}
    todo: dict[str, Callable[[], Any]] = {
        "curves": lambda: compare(asked.steps),
        "model": lambda: model(asked.steps),
        "hosts": lambda: cut_off(asked.runs),
    }
    for name, work in todo.items():
        if asked.only in (None, name):
            found[name] = work()
            table(name, found[name])
    if "model" in found:
        most = max(found["model"], key=lambda row: row["MB"])
        found["gpus"] = gpus(most["MB"] * 1e6, 0.02, 25e9, 150e9, 10e-6)
        table(f"GPUs: {most['preset']}, 20 ms a step, 25 GB/s between hosts, 150 GB/s within", found["gpus"])
    asked.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
