"""How fast a preset trains on this machine: images per second, the time of each part of a step, and the share of the machine's peak."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry, register_flop_formula

from gancli.core.kernels import ONEDNN, accelerate
from gancli.training.prepare import Plan
from gancli.training.state import State
from gancli.training.step import step

PARTS = {  # part of a step -> how the names of torch's operations begin
    "matmuls and convolutions": (
        "aten::mm",
        "aten::addmm",
        "aten::bmm",
        "aten::mkldnn",
        "mkldnn::",
        "aten::convolution",
        "aten::_slow_conv",
        "aten::thnn",
    ),
    "optimizer": ("aten::_fused", "Optimizer", "aten::_foreach"),
    "ema": ("aten::lerp",),
    "random numbers": ("aten::random", "aten::randn", "aten::normal", "aten::bernoulli", "aten::uniform"),
    "data": ("aten::index", "aten::randperm"),
}


def _linear(x: Sequence[int], w: Sequence[int], *_: Any, **__: Any) -> int:
    """FLOP of the oneDNN linear layer, which torch does not count: [N, I] and [O, I]."""
    return 2 * prod(x) * w[0]


if ONEDNN is not None:
    register_flop_formula(ONEDNN)(_linear)


def measure(plan: Plan, steps: int = 50, rounds: int = 5) -> dict[str, Any]:
    """Time `rounds` times `steps` steps of a state that is discarded."""
    state = plan.state()
    for _ in range(3):
        one(plan, state)
    seconds = [_timed(plan, state, steps) for _ in range(rounds)]
    median = statistics.median(seconds)
    before = state.images
    with Flops() as counted:
        one(plan, state)
    flops, images = counted.flops, state.images - before
    peak = matmul_peak(plan)
    return {
        "images_per_s": round(images / median, 1),
        "spread": [round(images / max(seconds), 1), round(images / min(seconds), 1)],
        "step_ms": round(1e3 * median, 3),
        "matmul_gflop": round(flops / 1e9, 3),
        "gflop_per_s": round(flops / median / 1e9, 1),
        "peak_gflop_per_s": round(peak / 1e9, 1),
        "share_of_peak": round(flops / median / peak, 3),
        "parts_ms": _parts(plan, state),
        "threads": torch.get_num_threads(),
        "precision": plan.cfg.runtime.precision,
        "device": plan.loader.device.type,
    }


class Flops(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the operations of matmuls and convolutions. (torch's FlopCounterMode fails on gradients of gradients.)"""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flops = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        count = flop_registry.get(func.overloadpacket)
        if count is not None:
            self.flops += count(*args, **(kwargs or {}), out_val=out)
        return out


def one(plan: Plan, state: State) -> None:
    step(plan.cfg.task, state, plan.loader, plan.cfg)


def _timed(plan: Plan, state: State, steps: int) -> float:
    """Seconds of a step."""
    _finish(plan)
    start = time.perf_counter()
    for _ in range(steps):
        one(plan, state)
    _finish(plan)
    return (time.perf_counter() - start) / steps


def _finish(plan: Plan) -> None:
    if plan.loader.device.type == "cuda":
        torch.cuda.synchronize(plan.loader.device)


def matmul_peak(plan: Plan, size: int = 1024, rounds: int = 20) -> float:
    """The best rate of a square matmul here, in the compute dtype, in operations per second."""
    layer = accelerate(nn.Linear(size, size, bias=False, device=plan.loader.device, dtype=plan.loader.dtype))
    x = torch.randn(size, size, device=plan.loader.device).to(plan.loader.dtype)
    best = float("inf")
    with torch.no_grad():
        for _ in range(rounds):
            _finish(plan)
            start = time.perf_counter()
            layer(x)
            _finish(plan)
            best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best


def _parts(plan: Plan, state: State, steps: int = 10) -> dict[str, float]:
    """Milliseconds of a step by kind of operation; the rest is Python and small operations."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # it reports a missing GPU as an error
    start = time.perf_counter()
    with profile(activities=[ProfilerActivity.CPU]) as trace:
        for _ in range(steps):
            one(plan, state)
    wall = 1e3 * (time.perf_counter() - start) / steps
    out = dict.fromkeys(PARTS, 0.0)
    for event in trace.key_averages():
        for part, names in PARTS.items():
            if event.key.startswith(names):
                out[part] += event.self_cpu_time_total / 1e3 / steps
    out["other"] = max(0.0, wall - sum(out.values()))
    return {k: round(v, 3) for k, v in out.items()}
