"""The pool of earlier images: the paper's for batches of one, and the same however a batch is cut."""

from __future__ import annotations

import torch
from torch import Tensor

from gancli.core import pool
from gancli.core.data import Batch
from gancli.core.sharding import Rows, use_rows

SHAPE = (1, 2, 2)


def numbered(first: int, n: int) -> Tensor:
    """Image i is all i."""
    return torch.arange(first, first + n).float()[:, None, None, None].expand(n, *SHAPE).clone()


def content(memory: dict[str, Tensor]) -> list[int]:
    held = int(memory["fakes_held"])
    return [int(v) for v in memory["fakes_images"][:held, 0, 0, 0]]


def test_batches_of_one_are_the_paper_s() -> None:
    """Against the published code's loop (its `util/image_pool.py`), given the same coins and places."""
    memory, stored = pool.empty("fakes", 5, SHAPE), list[int]()
    exchanged = 0
    for i in range(200):
        coins, places = pool._draw(i, "fakes", 1, 5)
        if len(stored) < 5:
            stored.append(i)
            expected = i
        elif coins[0]:
            place = int(places[0])
            expected, stored[place] = stored[place], i
            exchanged += 1
        else:
            expected = i
        shown = pool.exchange(memory, "fakes", numbered(i, 1), seed=i)
        assert shown.flatten().tolist() == [expected] * 4
        assert content(memory) == stored
    assert 70 < exchanged < 130


def test_no_two_images_of_a_batch_take_the_same_place() -> None:
    memory = pool.empty("fakes", 8, SHAPE)
    assert torch.equal(pool.exchange(memory, "fakes", numbered(0, 6), 0), numbered(0, 6))
    assert content(memory) == [0, 1, 2, 3, 4, 5]
    assert torch.equal(pool.exchange(memory, "fakes", numbered(6, 6), 1), numbered(6, 6)), "still filling"
    assert content(memory) == [0, 1, 2, 3, 4, 5, 6, 7]
    for i in range(2, 50):
        before, new = content(memory), list(range(8 * i, 8 * i + 8))
        shown = [int(v) for v in pool.exchange(memory, "fakes", numbered(8 * i, 8), i)[:, 0, 0, 0]]
        old = {v for v in shown if v not in new}
        assert sorted([*shown, *content(memory)]) == sorted([*before, *new]), "nothing is lost or there twice"
        assert old == set(before) - set(content(memory))
        assert sum(v in new for v in shown) == len(new) - len(old)


def test_the_seed_alone_decides() -> None:
    """Not the state of any generator; and pools of other names are other pools."""
    ends = []
    for generator_seed in (0, 1):
        torch.manual_seed(generator_seed)
        memory = {**pool.empty("fakes", 4, SHAPE), **pool.empty("others", 4, SHAPE)}
        for i in range(10):
            for name in ("fakes", "others"):
                pool.exchange(memory, name, numbered(3 * i, 3), i)
        ends.append(memory)
    assert all(torch.equal(ends[0][k], ends[1][k]) for k in ends[0])
    assert not torch.equal(ends[0]["fakes_images"], ends[0]["others_images"])


def test_precision_and_graph() -> None:
    memory = pool.empty("fakes", 2, SHAPE)
    for i in range(6):
        images = numbered(4 * i, 4).to(torch.bfloat16).requires_grad_()
        shown = pool.exchange(memory, "fakes", images, i)
        assert shown.dtype == torch.bfloat16
        assert not shown.requires_grad
    assert memory["fakes_images"].dtype == torch.float32
    none = pool.empty("fakes", 0, SHAPE)
    assert torch.equal(pool.exchange(none, "fakes", numbered(0, 3), 0), numbered(0, 3))


def test_a_batch_in_parts_is_the_whole() -> None:
    whole, cut = pool.empty("fakes", 5, SHAPE), pool.empty("fakes", 5, SHAPE)
    for i in range(12):
        images, shown = numbered(7 * i, 7), []
        expected = pool.exchange(whole, "fakes", images, i)
        kept: dict[str, list[Tensor]] = {}
        for first, n in ((0, 3), (3, 3), (6, 1)):
            part = Rows(first, n, 7, 7, 0, torch.Generator(), Batch({}), first == 6, kept=kept)
            with use_rows(part):
                shown.append(pool.exchange(cut, "fakes", images[first : first + n], i))
        assert torch.equal(torch.cat(shown), expected)
        assert all(torch.equal(whole[k], cut[k]) for k in whole)
