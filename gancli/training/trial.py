"""A short trial of which compute dtype is faster for given nets on this processor; its weights are discarded.

The capabilities of a processor do not predict it: with AVX-512 BF16 the step of an MLP can be 1.5 times as fast in bfloat16
while that of modulated convolutions takes twice as long.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import torch

from gancli.core.errors import GanError
from gancli.training.rehearsal import affordable
from gancli.training.state import new_state
from gancli.training.step import step

if TYPE_CHECKING:
    from gancli.core.config import Config
    from gancli.data.loader import Loader

WORTH = 1.2  # times as fast as float32, at least
ROUNDS = 3  # the two dtypes alternate, so that a busy moment of the machine does not decide
SECONDS = 0.1  # for each dtype and round; or two steps, if they take longer
STEPS = 10  # at most
BUDGET = 8.0  # seconds that the trial of slow nets may take: smaller batches, then fewer rounds, then first steps alone


def gain(cfg: Config, loader: Loader) -> float:
    """How many times faster a step is in bfloat16 than in float32; 0 if the trial fails."""
    dtypes = (torch.float32, torch.bfloat16)
    try:
        cfg, until, rounds = affordable(cfg, loader, BUDGET / 10), time.monotonic() + BUDGET / 2, list[list[float]]()
        while len(rounds) < ROUNDS and (not rounds or time.monotonic() < until):
            rounds.append([_fastest(cfg, loader, dtype) for dtype in dtypes])
    except (GanError, RuntimeError, MemoryError):  # the training itself will meet it, and say so
        return 0.0
    float32, bfloat16 = (min(seconds) for seconds in zip(*rounds, strict=True))
    return float(float32 / bfloat16)


def _fastest(cfg: Config, loader: Loader, dtype: torch.dtype) -> float:
    """Seconds of the fastest step; the first one, which warms up caches, is excluded unless it is slow."""
    trial = loader.of(dtype)
    state = new_state(cfg.task, cfg, loader.spec, loader.device, dtype)
    seconds: list[float] = []
    while (
        not seconds
        or (len(seconds) < 2 and seconds[0] < BUDGET / 4)
        or (sum(seconds) < SECONDS and len(seconds) < STEPS)
    ):
        start = time.perf_counter()
        step(cfg.task, state, trial, cfg)
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:] or seconds)
