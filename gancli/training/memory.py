"""Memory: keep freed memory for the next step, and find out what fits when there is none left."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from gancli.core.host import says_out_of_memory
from gancli.training.step import step

if TYPE_CHECKING:
    from gancli.core.config import Config
    from gancli.data.loader import Loader
    from gancli.training.state import State

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of mallopt(3)
LARGE = 2**28  # bytes


def keep_freed() -> None:
    """Make glibc keep large freed blocks for the next step instead of returning them to the kernel.

    By default feature maps of megabytes are returned and requested again, page by page: a tenth of a step of `dcgan`. Other C
    libraries are left unchanged.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE)
        mallopt(M_TRIM_THRESHOLD, LARGE)


def give_back_freed() -> None:
    """Make glibc return freed memory to the kernel, after the last step."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the processor or the GPU has no memory left."""
    return isinstance(error, torch.OutOfMemoryError) or says_out_of_memory(error)


def fitting(cfg: Config, loader: Loader, new: Callable[[Config], State]) -> int:
    """The largest half, quarter, ... of the batch with which a step succeeds, tried on a state that is discarded; 0 if none does."""
    size = (cfg.runtime.micro_batch or cfg.batch_size) // 2
    while size:
        gc.collect()
        if loader.device.type == "cuda":
            torch.cuda.empty_cache()
        smaller = cfg.replace(runtime=cfg.runtime.replace(micro_batch=size))
        try:
            step(cfg.task, new(smaller), loader, smaller)
            return size
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                return 0
        size //= 2
    return 0
