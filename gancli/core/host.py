"""The machine that this process runs on, as far as several rooms ask. Nothing of torch is imported."""

from __future__ import annotations

import os

OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "cannot allocate memory")


def cores() -> int:
    """The number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def says_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that there is no memory left: torch says so in a RuntimeError on the CPU."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(words in text for words in OUT_OF_MEMORY)
    )
