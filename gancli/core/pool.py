"""A pool of earlier images, which a critic is shown in place of some of today's (1612.07828, section 2.3; 50 images in 1703.10593).

While the pool fills, every image is stored and shown itself. Once it is full, each is, by the toss of a coin, shown itself; or it takes the
place of a stored image, which is shown instead. Within one batch no two images take the same place, unless there are more of them than
places: so what is shown depends on the pool before the batch alone, and a batch can be cut to be shared by ranks or to save
memory. For batches of one, as in the paper, this is the paper's pool.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gancli.core import sharding
from gancli.core.seeds import generator

if TYPE_CHECKING:
    from gancli.core.contracts import Memory


def empty(name: str, capacity: int, shape: Sequence[int]) -> Memory:
    """A pool's part of a task's memory, at the start.

    Args:
        name: tells the pools of a task apart.
        capacity: images that it holds; 0: no pool, each image is shown itself.
        shape: of an image.

    Returns:
        The images, float32 [capacity, *shape], and how many of them there are.
    """
    return {f"{name}_images": torch.zeros(capacity, *shape), f"{name}_held": torch.zeros((), dtype=torch.int64)}


def exchange(memory: Memory, name: str, images: Tensor, seed: int) -> Tensor:
    """What a critic is to be shown of these rows of the batch. The pool is changed in place when the batch's last rows are here.

    It is a function of the pool, the images and the seed: the same on any number of ranks, in one part or in several.

    Args:
        memory: the task's, with what `empty` made.
        name: of the pool; to be called once a turn.
        images: this pass's rows of the batch, [N, *shape], in any precision.
        seed: of this turn.

    Returns:
        Images [N, *shape] in the precision of those given, without a graph.
    """
    stored, held = memory[f"{name}_images"], memory[f"{name}_held"]
    images = images.detach()
    before, capacity = int(held), len(stored)
    if not capacity:
        return images
    first, total = sharding.position(len(images))
    if before < capacity:
        stay = range(min(total, capacity - before))
        taken, shown = {before + i: i for i in stay}, images
    else:
        coins, places = _drawn(seed, name, total, capacity)
        taken = {place: i for i, (coin, place) in enumerate(zip(coins.tolist(), places.tolist(), strict=True)) if coin}
        own = slice(first, first + len(images))
        coin = coins[own].to(images.device).reshape(-1, *[1] * (images.dim() - 1))
        shown = torch.where(coin, stored[places[own].to(stored.device)].to(images.dtype), images)
    rows = sharding.gather_rows(name, images)
    if rows is not None and taken:
        at, of = (torch.tensor(list(i), device=stored.device) for i in (taken.keys(), taken.values()))
        stored[at] = rows[of].to(stored.dtype)
        held.fill_(min(capacity, before + total))
    return shown


def _drawn(seed: int, name: str, total: int, capacity: int) -> tuple[Tensor, Tensor]:
    """For each image of the batch whether it is exchanged, and the place that it would take."""
    random = generator(seed, "pool", name)
    coins = torch.rand(total, generator=random) < 0.5
    rounds = [torch.randperm(capacity, generator=random) for _ in range(-(-total // capacity))]
    return coins, torch.cat(rounds)[:total]
