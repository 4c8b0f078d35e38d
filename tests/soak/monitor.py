"""Is the monitor right: runs broken on purpose must be flagged within a tenth of their budget, healthy ones not at all.

    python tests/soak/monitor.py --healthy 40 --broken 10 [--preset best-cpu] [--share 0.1] [--results monitor.json]

Each run is trained for `share` of its preset's budget on scikit-learn's digits, with its own seed; its `monitor.jsonl` is kept in the
results, so that other bounds can be tried without training again (`--table`). Resumable: what is in the results is not run again.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from faults import Heard
from torch import Tensor, nn

from gancli.core import migration
from gancli.core.config import Layer, merge
from gancli.core.data import Reading
from gancli.core.errors import GanError
from gancli.core.nets import Model
from gancli.core.registry import find
from gancli.core.specs import Images
from gancli.data.loader import Loader
from gancli.runs import journal
from gancli.training.prepare import Plan, Request, make
from gancli.training.rules import RULES
from gancli.training.session import train
from gancli.training.start import start


class Deaf(nn.Module):
    """A generator that does not hear z."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        out: Tensor = self.net(z * 0, c)
        return out


def deaf(plan: Plan) -> Plan:
    """The same plan, its model's generator wrapped."""
    model: Any = plan.cfg.task.model  # type: ignore[attr-defined]

    class DeafModel(type(model)):  # type: ignore[misc]
        name = "deaf"

        def generator(self, shape: Images, condition: int) -> nn.Module:
            return Deaf(super().generator(shape, condition))

    options = {k: getattr(model, k) for k in type(model).model_fields}
    wrapped = DeafModel(**options)
    assert isinstance(wrapped, Model)
    return replace(plan, cfg=plan.cfg.replace(task=plan.cfg.task.replace(model=wrapped)))


def of_some(plan: Plan, index: np.ndarray) -> Plan:
    """The same plan, trained on these images alone, over and over."""
    some = plan.split.train.take(index)
    repeat = max(1, plan.loader.epoch // len(index))
    loader = Loader(some, plan.cfg.seed, plan.loader.device, plan.loader.dtype, repeat)
    loader.epoch = plan.loader.epoch
    return replace(plan, loader=loader)


KINDS = ("healthy", "z ignored", "D's lr x100", "100 images", "digits dropped")


def planned(kind: str, preset: str, seed: int, share: float, place: Path) -> tuple[Request, Plan]:
    layer: Layer = {
        "preset": preset, "data": {"source": "digits"}, "seed": seed, "runtime": {"threads": 1}, "intervals": {"log": 20},
    }  # fmt: skip
    how = Reading(place / "data", place / "cache", download=False)
    request = Request([layer], preset, how.data_dir, how.cache_dir, False)
    plan = make(request, how)
    rule = plan.cfg.optimizer
    if kind == "D's lr x100":
        fast = {"optimizers": {"D": {**rule.model_dump(mode="json"), "lr": 100 * rule.lr}}}
        request = replace(request, layers=[merge([layer, fast])])
        plan = make(request, how)
    if kind == "z ignored":
        plan = deaf(plan)
    if kind == "100 images":
        plan = of_some(plan, np.arange(100))
    if kind == "digits dropped":
        labels = plan.split.train.labels
        assert labels is not None
        plan = of_some(plan, np.flatnonzero(labels < 4))
    steps = max(1, round(share * plan.cfg.stop.total(plan.loader.epoch) / plan.cfg.batch_size))
    return request, replace(plan, cfg=plan.cfg.replace(stop=plan.cfg.stop.replace(max_steps=steps)))


def signs(kind: str, preset: str, seed: int, share: float) -> list[dict[str, Any]]:
    """The monitor's lines of one run."""
    place = Path(tempfile.mkdtemp())
    try:
        request, plan = planned(kind, preset, seed, share, place)
        run = start(request, plan, place / "runs", "run")
        try:
            train(run, plan, [Heard()])
        except GanError as error:
            return [*journal.read(run.monitor), {"stopped": f"{type(error).__name__}: {error}"}]
        return journal.read(run.monitor)
    finally:
        shutil.rmtree(place)


def flagged(lines: list[dict[str, Any]]) -> list[str]:
    """The kinds that the present rules warn of. A run that was stopped because something is not finite counts."""
    out = ["stopped"] if any("stopped" in line for line in lines) else []
    looks = [migration.line(line) for line in lines if "stopped" not in line]
    for rule in RULES:
        for signal, kind in rule.signals(looks[-1] if looks else {}).items():
            if any(rule.broken(looks[: i + 1], signal) for i in range(len(looks))):
                out.append(kind)
    return out


def table(results: dict[str, list[dict[str, Any]]]) -> str:
    rows = ["| Runs | Seeds | Flagged | As what |", "|-|-|-|-|"]
    for kind in KINDS:
        found = [flagged(lines) for key, lines in results.items() if key.startswith(f"{kind}/")]
        if found:
            names = sorted({name for kinds in found for name in kinds})
            how = ", ".join(f"{n} {sum(n in kinds for kinds in found)}" for n in names)
            rows.append(f"| {kind} | {len(found)} | {sum(map(bool, found))} | {how or '-'} |")
    return "\n".join(rows)


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--preset", default="best-cpu")
    ask.add_argument("--healthy", type=int, default=40)
    ask.add_argument("--broken", type=int, default=10)
    ask.add_argument("--share", type=float, default=0.1)
    ask.add_argument("--results", type=Path, default=Path("monitor.json"))
    ask.add_argument("--budget", type=float, default=3600, help="seconds")
    ask.add_argument("--table", action="store_true", help="only print the table")
    asked = ask.parse_args()
    torch.set_num_threads(1)
    results = json.loads(asked.results.read_text()) if asked.results.exists() else {}
    wanted = [(kind, seed) for seed in range(max(asked.healthy, asked.broken)) for kind in KINDS
              if seed < (asked.healthy if kind == "healthy" else asked.broken)]  # fmt: skip
    end = time.monotonic() + asked.budget
    for kind, seed in [] if asked.table else wanted:
        key = f"{kind}/{asked.preset}/{seed}"
        if key in results or time.monotonic() > end:
            continue
        since = time.monotonic()
        results[key] = signs(kind, asked.preset, seed, asked.share)
        asked.results.write_text(json.dumps(results) + "\n")
        print(f"{key}  {time.monotonic() - since:.0f} s  {flagged(results[key])}", flush=True)
    print(table(results))


if __name__ == "__main__":
    find("model", "mlp")  # scan the parts before another model is defined
    main()
