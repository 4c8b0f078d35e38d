"""What a run remembers is the same on all ranks, and a save makes sure of it; so is the loss scale."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from gancli.core import pool
from gancli.core.data import Batch
from gancli.core.errors import ResourceError
from gancli.core.sharding import Rows, use_rows
from gancli.distributed.ranks import ALONE, Ranks
from gancli.training import snapshot
from gancli.training.scaling import LossScale
from gancli.training.step import step

from .forked import Fork, Work, made

N, CAPACITY, SHAPE = 12, 8, (3, 4, 4)


def images(i: int) -> torch.Tensor:
    return torch.randn(N, *SHAPE, generator=torch.Generator().manual_seed(i))


def pooled(part: int) -> Work:
    """Some batches through a pool, each rank's rows in parts; what was shown of them, and the pool, after each."""

    def work(here: Ranks) -> list[Any]:
        memory, out = pool.empty("fakes", CAPACITY, SHAPE), []
        begin, n = here.rows(N)
        for i in range(10):
            batch = images(i)
            own, kept, shown = batch[begin : begin + n], dict[str, list[torch.Tensor]](), []
            for first in range(0, n, part):
                piece = own[first : first + part]
                last = first + part >= n
                rows = Rows(begin + first, len(piece), N, n, 0, torch.Generator(), Batch({}), last, here.group, kept)
                with use_rows(rows):
                    shown.append(pool.exchange(memory, "fakes", piece, seed=i))
            out.append([torch.cat(shown).tolist(), {k: v.tolist() for k, v in memory.items()}])
        return out

    return work


@pytest.mark.parametrize("part", [N, 4, 1])
def test_a_pool_is_the_same_on_two_ranks_and_in_parts(part: int, fork: Fork) -> None:
    one = pooled(N)(ALONE)
    assert pooled(part)(ALONE) == one
    first, second = fork(2, pooled(part))
    for alone, a, b in zip(one, first, second, strict=True):
        assert [*a[0], *b[0]] == alone[0], "the images shown"
        assert a[1] == b[1] == alone[1], "the pool"
    assert [shown == images(i).tolist() for i, (shown, _) in enumerate(one)] == [True, *[False] * 9], "the pool is used"


@pytest.mark.parametrize("what", ["D", "memory lecam_real", "memory pool_images"])
def test_what_drifted_apart_is_not_saved(what: str, fork: Fork) -> None:
    def work(here: Ranks) -> str:
        cfg, state, loader = made("textbook", task={"penalties": [{"name": "lecam"}]})
        state.memory |= pool.empty("pool", CAPACITY, SHAPE)
        step(cfg.task, state, loader, cfg, here)
        snapshot.check_same(state, here)
        if here.rank == 1:
            held = state.nets[what].flat if what in state.nets else state.memory[what.removeprefix("memory ")]
            held.data.view(-1)[0].add_(1e-3)
        try:
            snapshot.check_same(state, here)
        except ResourceError as error:
            return error.cause
        return "saved"

    assert fork(2, work) == [f"the ranks' {what} drifted apart before step 1"] * 2


def test_all_ranks_skip_the_same_updates(fork: Fork) -> None:
    """Gradients that overflow on one rank are not finite on any, once they are averaged."""

    def work(here: Ranks) -> list[Any]:
        cfg, state, loader = made("textbook", dtype=torch.float16)
        here.synchronize(state)
        state.loss_scale = LossScale(2.0**19)
        whole = state.loss_scale.gradients
        if here.rank == 1:
            state.loss_scale.gradients = lambda mean, of: [  # type: ignore[method-assign]
                g * float("inf") if state.step == 3 else g for g in whole(mean, of)
            ]
        out: list[Any] = []
        for _ in range(6):
            step(cfg.task, state, loader, cfg, here)
            out.append([state.loss_scale.value, [float(net.steps) for net in state.nets.values()]])
        snapshot.check_same(state, here)
        return out

    one, two = fork(2, work)
    assert one == two
    assert one[3][0] == one[2][0] / 4, "halved for D and for G"
    assert one[3][1] == one[2][1]
    assert one[-1][1][0] > one[3][1][0]
