"""A replay pool: earlier fakes replace some of the current ones (1612.07828, section 2.3; 50 images in 1703.10593).

While the pool is not full, every image is stored and returned unchanged. Then each image is, with probability 1/2,
returned unchanged, or else exchanged with a random stored image. Within one batch, the exchanges use distinct places of
the pool (if the batch is not larger than the pool). What is returned therefore depends only on the content of the pool
before the batch, and the batch can be divided over ranks and micro-batches. For batches of one image, as in the paper,
this is the paper's pool.
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
    """Create the tensors of an empty pool, to be returned by `Task.memory`.

    Args:
        name: of the pool, unique within the task.
        capacity: number of images that it stores; 0: no pool, images are returned unchanged.
        shape: of an image.

    Returns:
        The images, float32 [capacity, *shape], and the number of images stored so far, an int64 scalar.
    """
    return {f"{name}_images": torch.zeros(capacity, *shape), f"{name}_held": torch.zeros((), dtype=torch.int64)}


def exchange(memory: Memory, name: str, images: Tensor, seed: int) -> Tensor:
    """Exchange some of the images with stored ones. The pool is updated in place with the last rows of the batch.

    The result is a function of pool, images and seed, and does not depend on the number of ranks or micro-batches.

    Args:
        memory: of the task, with the tensors from `empty`.
        name: of the pool; used once per turn.
        images: this pass's rows of the batch, [N, *shape], of any dtype.
        seed: of the turn.

    Returns:
        Images [N, *shape] of the same dtype, detached.
    """
    stored, held = memory[f"{name}_images"], memory[f"{name}_held"]
    images = images.detach()
    before, capacity = int(held), len(stored)
    if not capacity:
        return images
    first, total = sharding.position(len(images))
    if before < capacity:
        row_of, out = {before + row: row for row in range(min(total, capacity - before))}, images
    else:
        coins, places = _draw(seed, name, total, capacity)
        pairs = enumerate(zip(coins.tolist(), places.tolist(), strict=True))
        row_of = {place: row for row, (coin, place) in pairs if coin}
        own = slice(first, first + len(images))
        coin = coins[own].to(images.device).reshape(-1, *[1] * (images.dim() - 1))
        out = torch.where(coin, stored[places[own].to(stored.device)].to(images.dtype), images)
    rows = sharding.gather_rows(name, images)
    if rows is not None and row_of:
        target, source = (torch.tensor(list(i), device=stored.device) for i in (row_of.keys(), row_of.values()))
        stored[target] = rows[source].to(stored.dtype)
        held.fill_(min(capacity, before + total))
    return out


def _draw(seed: int, name: str, total: int, capacity: int) -> tuple[Tensor, Tensor]:
    """Per image of the batch: whether it is exchanged, bool [total], and with which place of the pool, int64 [total]."""
    random = generator(seed, "pool", name)
    coins = torch.rand(total, generator=random) < 0.5
    permutations = [torch.randperm(capacity, generator=random) for _ in range(-(-total // capacity))]
    return coins, torch.cat(permutations)[:total]
