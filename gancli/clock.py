"""Everything that changes with time is a pure function of (seed, step, images seen).

`derive` makes independent seeds out of names and numbers; `Schedule` is a learning rate's course. Nothing here has state,
so nothing here needs saving.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from gancli.registry import Frozen

if TYPE_CHECKING:
    import torch

    from gancli.contracts import Tick


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


def always(_tick: Tick) -> bool:
    return True


def every(steps: int) -> Callable[[Tick], bool]:
    """True on steps 0, k, 2k, ... (lazy regularisation, 1912.04958)."""
    return lambda tick: tick.step % steps == 0


def until(images: int) -> Callable[[Tick], bool]:
    """True while fewer than `images` reals have been seen (pre-training)."""
    return lambda tick: tick.images < images


class Schedule(Frozen):
    """A factor on the learning rate, a function of the images seen."""

    course: Literal["constant", "linear", "cosine"] = Field("constant", description="shape from `hold` to the end")
    warmup: int = Field(0, ge=0, description="images over which the factor rises from 0 to 1")
    hold: float = Field(0.0, ge=0, le=1, description="share of the run before the decay begins")
    final: float = Field(0.0, ge=0, description="factor at the end of the run")

    def factor(self, images: int, total: int) -> float:
        """The factor after `images` of `total` images; `total` is what the run was asked for."""
        rise = min(1.0, (images + 1) / self.warmup) if self.warmup else 1.0
        if self.course == "constant" or total <= 0:
            return rise
        start = self.hold * total
        done = min(1.0, max(0.0, (images - start) / max(1.0, total - start)))
        left = 1 - done if self.course == "linear" else (1 + math.cos(math.pi * done)) / 2
        return rise * (self.final + (1 - self.final) * left)
