"""Seeds: all random numbers of a run come from seeds derived from (seed, step, phase, ...), so no generator state is saved."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def derive(*path: int | str) -> int:
    """Hash a path such as (seed, step, "D", turn) to a 63-bit seed (BLAKE2b).

    Args:
        path: integers and strings.

    Returns:
        The seed; different paths have independent seeds.
    """
    text = "\x1f".join(map(str, path)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1


def generator(*path: int | str) -> torch.Generator:
    """A CPU generator seeded with `derive(*path)`: random numbers do not depend on the training device.

    Args:
        path: integers and strings.
    """
    import torch

    return torch.Generator().manual_seed(derive(*path))


def seed_default(seed: int, device: torch.device) -> None:
    """Seed torch's default generators of the CPU and of `device`, which nets use.

    `torch.manual_seed` also seeds the generators of missing devices, which formats a stack trace for each and takes a
    millisecond per step.

    Args:
        seed: the seed.
        device: the training device.
    """
    import torch

    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
