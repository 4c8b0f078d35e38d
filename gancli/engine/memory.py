"""Out of memory: is it that, and what would fit."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from gancli.engine.step import step

if TYPE_CHECKING:
    from gancli.config import Config
    from gancli.data.store import Store
    from gancli.engine.state import State

SAID = ("out of memory", "can't allocate memory", "not enough memory", "cannot allocate memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Torch says it by a RuntimeError on the CPU."""
    named = isinstance(error, MemoryError | torch.OutOfMemoryError)
    return named or (isinstance(error, RuntimeError) and any(s in str(error).lower() for s in SAID))


def fitting(cfg: Config, store: Store, new: Callable[[Config], State]) -> int:
    """The largest half, quarter, ... of the batch with which a step succeeds, tried on a state that is thrown away; 0 if none does."""
    size = (cfg.machine.micro_batch or cfg.batch_size) // 2
    while size:
        gc.collect()
        if store.device.type == "cuda":
            torch.cuda.empty_cache()
        smaller = cfg.but(machine=cfg.machine.but(micro_batch=size))
        try:
            step(cfg.task, new(smaller), store, smaller)
            return size
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                return 0
        size //= 2
    return 0
