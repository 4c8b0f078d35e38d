"""The host: number of CPU cores, size of the memory, and detection of out-of-memory errors. Does not import torch."""

from __future__ import annotations

import os

OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "cannot allocate memory")


def cores() -> int:
    """The number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory() -> int:
    """The size of the main memory in bytes."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def says_out_of_memory(error: BaseException) -> bool:
    """Whether an error is an out-of-memory error, which torch raises as RuntimeError on a CPU.

    Args:
        error: any exception.
    """
    text = str(error).lower()
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(words in text for words in OUT_OF_MEMORY)
    )
