"""Which precision is faster here, for these nets: a few steps in each, on weights that are thrown away.

What a processor can do does not tell. On one with AVX-512 BF16 a perceptron's step is 1.5 times as fast in bfloat16, one of
modulated convolutions half as fast; and another maker's processor of the same abilities multiplies float32 faster throughout.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import torch

from gancli.core.errors import GanError
from gancli.training.state import new_state
from gancli.training.step import step

if TYPE_CHECKING:
    from gancli.core.config import Config
    from gancli.data.loader import Loader

WORTH = 1.2  # times as fast as float32, at least
SECONDS = 0.3  # for each precision; or two steps, if they take longer
STEPS = 10  # at most


def gain(cfg: Config, loader: Loader) -> float:
    """How many times as fast as in float32 a step is in bfloat16; 0 if it cannot be told."""
    try:
        return _fastest(cfg, loader, torch.float32) / _fastest(cfg, loader, torch.bfloat16)
    except (GanError, RuntimeError, MemoryError):  # the training itself will meet it, and say so
        return 0.0


def _fastest(cfg: Config, loader: Loader, dtype: torch.dtype) -> float:
    """Seconds of the fastest step but the first, which also makes what later ones find made."""
    trial = loader.of(dtype)
    state = new_state(cfg.task, cfg, loader.spec, loader.device, dtype)
    seconds: list[float] = []
    while len(seconds) < 2 or (sum(seconds) < SECONDS and len(seconds) < STEPS):
        start = time.perf_counter()
        step(cfg.task, state, trial, cfg)
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])
