"""One, two and four ranks, and a batch in parts: the same samples, the same noise, the same losses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from gancli.core import sharding
from gancli.core.data import Batch
from gancli.core.errors import UsageError
from gancli.core.sharding import Rows, use_rows
from gancli.data.images import ImageDataset
from gancli.data.loader import Loader
from gancli.distributed.ranks import ALONE
from gancli.training.step import step

from .forked import CPU, NARROW, Fork, curves, made

STEPS = 15


def close(one: list[dict[str, Any]], other: list[dict[str, Any]], tolerance: float = 2e-3) -> None:
    """Losses agree to `tolerance`; the critic's level, which a Wasserstein loss leaves free, is not looked at."""
    for a, b in zip(one, other, strict=True):
        assert a.keys() == b.keys()
        for key in a.keys() - {"read", "logit/D/real", "logit/D/fake"}:
            assert b[key] == pytest.approx(a[key], rel=tolerance, abs=tolerance / 10), key


@pytest.mark.parametrize("world", [2, 4])
@pytest.mark.parametrize("preset", NARROW)
def test_several_ranks_are_one(preset: str, world: int, fork: Fork) -> None:
    one = curves(preset, STEPS, ALONE)
    found = fork(world, lambda here: curves(preset, STEPS, here))
    close(one, found[0])
    for first, *others in zip(*found, strict=True):
        for other in others:
            assert {**first, "read": 0} == {**other, "read": 0}, "the ranks' weights are bitwise identical"
    own = 32 // world
    for whole, *parts in zip(one, *found, strict=True):
        for turn in range(len(whole["read"]) // 32):
            there = [i for part in parts for i in part["read"][own * turn : own * turn + own]]
            assert there == whole["read"][32 * turn : 32 * turn + 32]


def test_lazy_penalties_of_both_nets_on_two_ranks(fork: Fork) -> None:
    """Six steps: later, a rounding difference at the kink of a leaky ReLU grows."""
    penalties = [{"name": "r1", "every": 4, "lazy_correction": True}, {"name": "path-length", "every": 2}]
    one = curves("stylegan2", 6, ALONE, task={"penalties": penalties})
    found = fork(2, lambda here: curves("stylegan2", 6, here, task={"penalties": penalties}))
    assert {"penalty/D/r1", "penalty/G/path-length"} <= one[4].keys()
    close(one, found[0], 1e-4)


@pytest.mark.parametrize("penalty", ["gp", "dragan", "cr", "r1"])
@pytest.mark.parametrize("part", [8, 5])
def test_parts_are_the_whole(penalty: str, part: int, gradients: list[torch.Tensor]) -> None:
    """Random points, dropout and augmentation are drawn for the whole batch, whatever part of it is looked at."""
    task = {
        "penalties": [{"name": penalty}],
        "augment": [{"name": "diffaugment"}, {"name": "ada", "start": 0.5, "speed": 500, "target": 0.0}],
    }
    ends: list[list[torch.Tensor]] = []
    for size in (None, part):
        cfg, state, loader = made("textbook", task=task, runtime={"micro_batch": size})
        step(cfg.task, state, loader, cfg)
        ends.append([*gradients, *state.memory.values()])
        gradients.clear()
    for one, other in zip(*ends, strict=True):
        scale = one.abs().max()
        torch.testing.assert_close(one / scale, other / scale, rtol=0, atol=1e-6)


def test_a_batch_that_cannot_be_divided_is_refused() -> None:
    three = type(ALONE)()
    three.world = 3
    with pytest.raises(UsageError, match="--batch-size 99"):
        three.rows(100)
    assert three.rows(99) == (0, 33)


def test_a_large_batch_is_drawn_in_blocks() -> None:
    """A rank draws only the blocks that its rows lie in, and every split gives the same numbers."""
    total = 2 * sharding.BLOCK + 100
    drawn = []

    def make(shape: Any, random: torch.Generator | None) -> torch.Tensor:
        drawn.append(shape[0])
        return torch.rand(tuple(shape), generator=random)

    def look(first: int, n: int) -> torch.Tensor:
        random = torch.Generator().manual_seed(5)
        with use_rows(Rows(first, n, total, n, 5, random, Batch({"real": torch.empty(0)}))):
            return torch.cat(
                [sharding.draw(make, (2 * n, 3), random).view(2, n, 3), sharding.draw(make, (n, 3), random)[None]]
            )

    whole = look(0, total)
    for first, n in ((0, 50), (sharding.BLOCK - 10, 20), (total - 64, 64), (sharding.BLOCK, sharding.BLOCK)):
        drawn.clear()
        assert torch.equal(look(first, n), whole[:, first : first + n])
        assert sum(drawn) <= 3 * 2 * sharding.BLOCK


def test_a_rank_reads_no_image_but_its_own(tmp_path: Any) -> None:
    """From an array on the disk as from memory: what a rank does not train on, it does not touch."""
    np.save(tmp_path / "x.npy", np.arange(64, dtype=np.uint8).reshape(64, 1, 1, 1).repeat(4, 2).repeat(4, 3))
    data = ImageDataset(np.load(tmp_path / "x.npy", mmap_mode="c")).augmented(True)
    loader = Loader(data, 0, CPU, torch.float32)
    read: list[int] = []

    class Watched:
        device = CPU

        def __init__(self, images: torch.Tensor) -> None:
            self.images = images

        def __getitem__(self, index: torch.Tensor) -> torch.Tensor:
            read.extend(index.tolist())
            return self.images[index]

    whole = loader.batch(48, 32)
    vars(data)["_tensor"] = Watched(data._tensor)
    for rank in range(4):
        read.clear()
        part = loader.batch(48, 32, 8 * rank, 8)
        assert torch.equal(part["real"], whole["real"][8 * rank : 8 * rank + 8])
        assert read == loader.orders.indices("order", 64, 48, 32)[8 * rank : 8 * rank + 8].tolist()
