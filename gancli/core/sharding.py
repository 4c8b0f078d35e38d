"""Random numbers and statistics of a batch that is divided over ranks or micro-batches.

A pass processes some rows of the batch. Random numbers are drawn for the whole batch and then sliced to these rows, so
results do not depend on the division. They are drawn in blocks of 4,096 rows with one generator each, so a rank draws only
the blocks that contain its rows. Statistics of the batch (batch norm, means of logits) are computed over all ranks. Without
division, all functions are plain torch.

The current rows are a context variable, set by `use_rows` for one pass. They are not an argument because dropout, noise and
batch statistics are layers inside `nn.Sequential`, whose layers have one input, and because nets also run outside training.
A context variable is local to its thread, so nets that run in other threads are not affected.
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
    """The process group of a distributed run."""

    rank: int
    world: int

    def gather(self, x: Tensor) -> Tensor:
        """Gather the tensors of all ranks.

        Args:
            x: this rank's tensor, of the same shape on all ranks.

        Returns:
            [world, ...], differentiable any number of times.
        """


@dataclass
class Rows:
    """The rows of one pass: `first` to `first + n - 1` of a batch of `total`."""

    first: int
    n: int
    total: int
    local: int  # number of this rank's rows
    seed: int  # of the turn
    random: torch.Generator  # of the turn
    batch: Batch  # all rows of this rank
    last: bool = True  # whether this is the rank's last micro-batch
    group: Group | None = None  # None: a single rank
    kept: dict[str, list[Tensor]] = field(default_factory=dict)  # collected over the micro-batches, by name
    generators: dict[tuple[int, bool], torch.Generator] = field(default_factory=dict)

    def generator(self, block: int, of_turn: bool, device: torch.device) -> torch.Generator | None:
        """The generator of a block of rows.

        Args:
            block: index of the block.
            of_turn: continue the generator of the turn; False: torch's default generator, which layers of nets use.
            device: of the generator.

        Returns:
            The generator; None: torch's default generator.
        """
        if block == 0:
            return self.random if of_turn else None
        key = (block, of_turn)
        if key not in self.generators:
            made = torch.Generator(device)
            self.generators[key] = made.manual_seed(derive(self.seed, "block", block, int(of_turn)))
        return self.generators[key]


_CURRENT: ContextVar[Rows | None] = ContextVar("rows", default=None)


@contextmanager
def use_rows(rows: Rows) -> Iterator[None]:
    """Set the current rows during a forward pass and its gradients."""
    token = _CURRENT.set(rows)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def in_blocks(make: Callable[[int, int], Tensor], first: int, n: int, total: int, dim: int = 0) -> Tensor:
    """Draw some rows of a tensor that is generated in blocks of `BLOCK` rows.

    Args:
        make: (index of the block, its number of rows) -> the block.
        first: first row.
        n: number of rows.
        total: rows of the whole tensor.
        dim: dimension of the rows.

    Returns:
        The n rows.
    """
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
    """Draw random numbers for the current rows.

    Args:
        make: (shape, generator) -> random tensor of this shape; it is called with the shapes of blocks.
        shape: of the result. Dimension `dim` has the current rows, several copies of them (concatenated batches), or one
            entry per pack of rows (PacGAN).
        random: the generator of the turn, as given to penalties and augmentations; None: torch's default generator, which
            the engine seeds.
        dim: dimension of the rows.
        device: of the generators; default: CPU.

    Returns:
        A tensor of this shape.
    """
    rows = _CURRENT.get()
    undivided = rows is None or rows.n == rows.total <= BLOCK or (random is not None and random is not rows.random)
    if rows is None or undivided:
        return make(shape, random)
    copies, pack = max(1, shape[dim] // rows.n), max(1, rows.n // max(1, shape[dim]))
    on = device or torch.device("cpu")

    def block(number: int, size: int) -> Tensor:
        made = make((*shape[:dim], copies * size, *shape[dim + 1 :]), rows.generator(number, random is not None, on))
        return made.reshape(*shape[:dim], copies, size, *shape[dim + 1 :])

    return in_blocks(block, rows.first // pack, rows.n // pack, rows.total // pack, dim + 1).flatten(dim, dim + 1)


def rand(*shape: int, random: torch.Generator | None = None, dim: int = 0, like: Tensor | None = None) -> Tensor:
    """Draw uniform numbers in [0, 1) for the current rows, as `draw`; device and dtype are those of `like`."""
    on, dtype = _of(like)
    return draw(lambda s, g: torch.rand(tuple(s), generator=g, device=on, dtype=dtype), shape, random, dim, on)


def randn(*shape: int, random: torch.Generator | None = None, dim: int = 0, like: Tensor | None = None) -> Tensor:
    """Draw standard normal numbers for the current rows, as `draw`; device and dtype are those of `like`."""
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
    """Draw uniform integers in [low, high - 1] for the current rows, as `draw`."""
    return draw(lambda s, g: torch.randint(low, high, tuple(s), generator=g, device=device), shape, random, dim, device)


def group() -> Group | None:
    """The process group over which the batch is divided, or None."""
    rows = _CURRENT.get()
    return None if rows is None else rows.group


def mean_over_ranks(x: Tensor) -> Tensor:
    """Average a statistic over the ranks.

    Args:
        x: the statistic of this rank's rows.

    Returns:
        The mean, of the same shape and the same on all ranks.
    """
    ranks = group()
    return x if ranks is None else ranks.gather(x).mean(0)


def position(n: int) -> tuple[int, int]:
    """The position of this pass in the batch.

    Args:
        n: rows of the pass.

    Returns:
        The index of its first row, and the size of the batch.
    """
    rows = _CURRENT.get()
    return (0, n) if rows is None else (rows.first, rows.total)


def fraction() -> float:
    """The fraction of the rank's rows in this pass, by which updates made once per pass (moving averages) are scaled."""
    rows = _CURRENT.get()
    return 1.0 if rows is None else rows.n / rows.local


def std(reals: Tensor) -> Tensor:
    """The standard deviation of all pixels of the reals of the whole batch.

    Args:
        reals: the reals of this pass, [N, ...].

    Returns:
        A float32 scalar.
    """
    rows = _CURRENT.get()
    if rows is None or rows.n == rows.total:
        return reals.float().std()
    x = rows.batch["real"].float()
    mean = mean_over_ranks(x.mean())
    n = x.numel() * rows.total // rows.local
    return (mean_over_ranks((x - mean).square().mean()) * n / (n - 1)).sqrt()


def gather_rows(name: str, values: Tensor) -> Tensor | None:
    """Gather values of all rows of the batch over micro-batches and ranks.

    Tensors in the memory of a task may depend on the batch only through these, so that they are the same on all ranks.

    Args:
        name: of the values, unique within a pass.
        values: of the rows of this pass, [N, ...].

    Returns:
        Detached values [total, ...], the same on all ranks; None if further micro-batches follow.
    """
    rows, values = _CURRENT.get(), values.detach()
    if rows is None or rows.n == rows.total:
        return values
    kept = rows.kept.setdefault(name, [])
    kept.append(values)
    if not rows.last:
        return None
    own = torch.cat(kept)
    return own if rows.group is None else rows.group.gather(own).flatten(0, 1)
