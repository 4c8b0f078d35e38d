"""`gan train --dry-run`: a few steps on a state that is discarded, and what the run will bring by them; bounded in time."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from gancli.training.fitting import FEW
from gancli.training.state import new_state
from gancli.training.step import step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gancli.core.config import Config
    from gancli.data.loader import Loader
    from gancli.training.prepare import Plan

SMALLEST = 4  # images of a batch that stands for a larger one
STEPS = 5  # that are timed
PROMISES = (  # steps from which on -> what to expect, a rule of thumb (docs/first-hours.md)
    (0, "noise, then blobs"),
    (500, "colors and blurred shapes"),
    (5_000, "shapes, with few details"),
    (30_000, "about what the preset can do"),
)
NIGHT = 8 * 60  # minutes


def smaller(cfg: Config) -> Config:
    """The configuration with the smallest batch that its groups allow; the same if it has no larger one."""
    group = cfg.task.group_size
    batch = -(-SMALLEST // group) * group
    if batch >= cfg.batch_size:
        return cfg
    return cfg.replace(batch_size=batch, runtime=cfg.runtime.replace(micro_batch=None))


def affordable(cfg: Config, loader: Loader, seconds: float) -> Config:
    """The configuration, or with a smaller batch if a step is likely to take longer than `seconds`.

    Small steps are timed, after one that warms up; a small batch costs more for each image, so the batch is doubled as far as the time
    allows.
    """
    tried = smaller(cfg)
    if tried is cfg:
        return cfg
    state = new_state(cfg.task, tried, loader.spec, loader.device, loader.dtype)

    def timed() -> float:
        start = time.perf_counter()
        step(cfg.task, state, loader, tried)
        return time.perf_counter() - start

    if timed() > seconds:
        return tried
    while (spent := timed()) * cfg.batch_size / tried.batch_size > seconds:
        if 2 * spent > seconds or 2 * tried.batch_size >= cfg.batch_size:
            return tried
        tried = tried.replace(batch_size=2 * tried.batch_size)
    return cfg


def promise(steps: int, images: int, known: Sequence[tuple[int, str]] = ()) -> str:
    """What to expect of a generator after so many steps, in a few words.

    Args:
        steps: of training.
        images: of which it learns.
        known: the task's own promises; empty: those of images.
    """
    if not known and images < FEW and steps >= PROMISES[2][0]:
        return "copies of the training images"
    return next(text for least, text in reversed(known or PROMISES) if steps >= least)


def rehearse(plan: Plan, seconds: float = 10.0) -> dict[str, Any]:
    """Train a few steps on a state that is discarded, and extrapolate.

    Args:
        plan: of the run.
        seconds: after which no further step begins. Where a step is likely to take longer than a third of them, a smaller batch
            stands for the whole one.

    Returns:
        Parameters by net; images, steps and images per second; minutes; what to expect of them, and of a night; the peak resident
        memory in MB.
    """
    before = _peak()
    progress, begun = plan.reading.progress, time.monotonic()
    progress("timing a few steps", 0, STEPS)
    cfg = affordable(plan.cfg, plan.loader, seconds / 3)
    state = new_state(cfg.task, cfg, plan.spec, plan.loader.device, plan.loader.dtype)
    times: list[float] = []
    for i in range(1 + STEPS):
        if i > 1 and time.monotonic() - begun > seconds:
            break
        start = time.perf_counter()
        step(cfg.task, state, plan.loader, cfg)
        times.append(time.perf_counter() - start)
        progress("timing a few steps", max(1, i), STEPS)
    progress("timing a few steps", STEPS, STEPS)
    a_step = state.images / state.step
    rate = a_step * len(times[1:]) / sum(times[1:])
    per_step = a_step * plan.cfg.batch_size / cfg.batch_size
    stop = plan.cfg.stop
    total = stop.expected(plan.loader.epoch, round(per_step), 1, per_step / rate)
    minutes = min(total / rate / 60, stop.max_minutes or math.inf)
    known, n = cfg.task.promises, len(plan.split.train)
    steps, night = round(total / per_step), round(NIGHT * 60 * rate / per_step)
    return {
        "parameters": {n: sum(p.numel() for p in net.module.parameters()) for n, net in state.nets.items()},
        "images": total,
        "steps": steps,
        "images_per_s": round(rate, 1),
        "minutes": round(minutes, 1),
        "expect": f"{promise(steps, n, known)} (in a night of 8 hours {night:,} steps: {promise(night, n, known)})",
        "memory_mb": round(before + (_peak() - before) * plan.cfg.batch_size / cfg.batch_size),
    }


def _peak() -> float:
    """The peak resident memory of this process in MB."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
