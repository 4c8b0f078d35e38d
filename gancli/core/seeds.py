"""Seeds: every draw of a run comes from a seed derived from (seed, step, phase, ...), so that no generator's state needs saving."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def derive(*path: int | str) -> int:
    """A 63-bit seed out of a path such as (seed, step, "D", turn): equal paths give equal seeds, others unrelated ones."""
    text = "\x1f".join(map(str, path)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1


def generator(*path: int | str) -> torch.Generator:
    """A CPU generator seeded by `derive(*path)`: the same numbers whatever device trains."""
    import torch

    return torch.Generator().manual_seed(derive(*path))


def seed_default(seed: int, device: torch.device) -> None:
    """Seed the generator that nets draw from on a device.

    `torch.manual_seed` seeds those of devices that are not there as well, with a formatted stack trace for each: a millisecond a step.
    """
    import torch

    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
