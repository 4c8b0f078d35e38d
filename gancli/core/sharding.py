"""Which rows of the batch a pass looks at, where a batch is split: over ranks, or into parts for little memory.

Whatever is drawn for each image is drawn for the whole batch, then cut to these rows, so that a split changes nothing. The whole is
drawn in blocks of 4,096 rows, each with its own stream: a rank draws the blocks that its rows lie in, however large the batch.
Statistics of the batch (batch norm, a mean of logits) are taken over all ranks. Outside a split step all this is plain torch.

The rows are a context variable, the one thing that reaches into a net without being an argument: dropout, noise and batch statistics sit
deep inside `nn.Sequential`s, whose layers have one input, and the same nets run outside training, where there are no rows. A context
variable belongs to its thread, so that other threads that run nets see none. Nothing but `use_rows` sets it, for the time of one pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from gancli.core.data import Batch
from gancli.core.seeds import derive

BLOCK = 4096  # rows


class Group(Protocol):
    """All ranks."""

    rank: int
    world: int

    def gather(self, x: Tensor) -> Tensor:
        """The tensors of all ranks, [world, ...]; differentiable, twice if need be."""


@dataclass
class Rows:
    """Rows first .. first + n of `total`. `local` of them are this rank's; `group` is None where there is one rank."""

    first: int
    n: int
    total: int
    local: int
    seed: int
    random: torch.Generator  # the turn's
    batch: Batch  # all of this rank's rows
    last: bool = True  # the last part of this rank's rows
    group: Group | None = None
    kept: dict[str, list[Tensor]] = field(default_factory=dict)  # from part to part
    streams: dict[tuple[int, bool], torch.Generator] = field(default_factory=dict)

    def stream(self, block: int, own: bool, device: torch.device) -> torch.Generator | None:
        """The random numbers of a block: those of the turn (`own`), or of torch's default generator for what nets draw."""
        if block == 0:
            return self.random if own else None
        key = (block, own)
        if key not in self.streams:
            made = torch.Generator(device)
            self.streams[key] = made.manual_seed(derive(self.seed, "block", block, int(own)))
        return self.streams[key]


_NOW: ContextVar[Rows | None] = ContextVar("rows", default=None)


@contextmanager
def use_rows(rows: Rows) -> Iterator[None]:
    """For the time of a pass and its gradients."""
    token = _NOW.set(rows)
    try:
        yield
    finally:
        _NOW.reset(token)


def in_blocks(make: Callable[[int, int], Tensor], first: int, n: int, total: int, dim: int = 0) -> Tensor:
    """Rows first .. first + n of what `make(block, size)` gives, block by block."""
    out = []
    for block in range(first // BLOCK, (max(n, 1) + first - 1) // BLOCK + 1):
        start = block * BLOCK
        a, b = max(first - start, 0), min(first + n - start, BLOCK)
        out.append(make(block, min(BLOCK, total - start)).narrow(dim, a, b - a))
    return out[0] if len(out) == 1 else torch.cat(out, dim)


def draw(
    make: Callable[[Sequence[int], torch.Generator | None], Tensor],
    shape: Sequence[int],
    random: torch.Generator | None = None,
    dim: int = 0,
    device: torch.device | None = None,
) -> Tensor:
    """`make(shape, generator)` for these rows of the batch; `dim` counts images, or several batches of them one after the other.

    `random` is what a penalty or an augmentation is given; without it torch's default generator, which the engine seeds.
    """
    rows = _NOW.get()
    plain = rows is None or rows.n == rows.total <= BLOCK or (random is not None and random is not rows.random)
    if rows is None or plain:
        return make(shape, random)
    times, pack = max(1, shape[dim] // rows.n), max(1, rows.n // max(1, shape[dim]))
    on = device or torch.device("cpu")

    def block(number: int, size: int) -> Tensor:
        whole = make((*shape[:dim], times * size, *shape[dim + 1 :]), rows.stream(number, random is not None, on))
        return whole.reshape(*shape[:dim], times, size, *shape[dim + 1 :])

    return in_blocks(block, rows.first // pack, rows.n // pack, rows.total // pack, dim + 1).flatten(dim, dim + 1)


def rand(*shape: int, random: torch.Generator | None = None, dim: int = 0, like: Tensor | None = None) -> Tensor:
    """Uniform in [0, 1). `like` gives device and dtype."""
    on, dtype = _of(like)
    return draw(lambda s, g: torch.rand(tuple(s), generator=g, device=on, dtype=dtype), shape, random, dim, on)


def randn(*shape: int, random: torch.Generator | None = None, dim: int = 0, like: Tensor | None = None) -> Tensor:
    """Standard normal. `like` gives device and dtype."""
    on, dtype = _of(like)
    return draw(lambda s, g: torch.randn(tuple(s), generator=g, device=on, dtype=dtype), shape, random, dim, on)


def _of(like: Tensor | None) -> tuple[torch.device | None, torch.dtype | None]:
    return (None, None) if like is None else (like.device, like.dtype)


def randint(
    low: int,
    high: int,
    shape: Sequence[int],
    random: torch.Generator | None = None,
    dim: int = 0,
    device: torch.device | None = None,
) -> Tensor:
    """Whole numbers low .. high - 1."""
    return draw(lambda s, g: torch.randint(low, high, tuple(s), generator=g, device=device), shape, random, dim, device)


def group() -> Group | None:
    """All ranks, where a step is split over several."""
    rows = _NOW.get()
    return None if rows is None else rows.group


def mean_over_ranks(x: Tensor) -> Tensor:
    """The mean over the ranks of a statistic of each rank's rows."""
    here = group()
    return x if here is None else here.gather(x).mean(0)


def position(n: int) -> tuple[int, int]:
    """Of n rows that a pass looks at, the first's number in the batch, and how many the batch has."""
    rows = _NOW.get()
    return (0, n) if rows is None else (rows.first, rows.total)


def fraction() -> float:
    """The part of a rank's rows that this pass looks at: what is done once a pass is done so much of the time."""
    rows = _NOW.get()
    return 1.0 if rows is None else rows.n / rows.local


def std(reals: Tensor) -> Tensor:
    """The standard deviation of all pixels of the whole batch's reals, of which `reals` may be a part."""
    rows = _NOW.get()
    if rows is None or rows.n == rows.total:
        return reals.float().std()
    x = rows.batch["real"].float()
    middle = mean_over_ranks(x.mean())
    n = x.numel() * rows.total // rows.local
    return (mean_over_ranks((x - middle).square().mean()) * n / (n - 1)).sqrt()


def gather_rows(name: str, values: Tensor) -> Tensor | None:
    """The values [N, ...] of all rows of the batch, the same on every rank, when the last part has been seen; None before that.

    What is written into a run's memory is to be a function of these alone. `name` tells what is gathered within one pass apart.
    """
    rows, values = _NOW.get(), values.detach()
    if rows is None or rows.n == rows.total:
        return values
    kept = rows.kept.setdefault(name, [])
    kept.append(values)
    if not rows.last:
        return None
    own = torch.cat(kept)
    return own if rows.group is None else rows.group.gather(own).flatten(0, 1)
