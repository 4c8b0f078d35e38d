"""The rows that a pass looks at belong to its thread, and end with it."""

from __future__ import annotations

import threading

import pytest
import torch

from gancli.core import sharding
from gancli.core.data import Batch
from gancli.core.sharding import Rows, use_rows


def rows(first: int, n: int, total: int, local: int | None = None) -> Rows:
    return Rows(first, n, total, local or n, 5, torch.Generator().manual_seed(5), Batch({}))


def test_another_thread_sees_no_rows() -> None:
    """What is sampled in one thread while another trains is drawn as ever."""
    seen: list[float] = []
    with use_rows(rows(2, 2, 8, local=8)):
        assert sharding.fraction() == 0.25
        thread = threading.Thread(target=lambda: seen.append(sharding.fraction()))
        thread.start()
        thread.join()
        assert sharding.fraction() == 0.25
    assert seen == [1]


def test_two_threads_look_at_rows_of_their_own() -> None:
    met, found = threading.Barrier(2), dict[int, torch.Tensor]()

    def work(first: int) -> None:
        mine = rows(first, 4, 8)
        with use_rows(mine):
            met.wait()
            found[first] = sharding.rand(4, random=mine.random)
            met.wait()

    threads = [threading.Thread(target=work, args=(first,)) for first in (0, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    whole = torch.rand(8, generator=torch.Generator().manual_seed(5))
    assert torch.equal(torch.cat([found[0], found[4]]), whole)


def test_an_error_ends_it_and_it_can_be_nested() -> None:
    with use_rows(rows(0, 2, 8, local=4)):
        with use_rows(rows(0, 1, 8, local=8)):
            assert sharding.fraction() == 0.125
        with pytest.raises(ZeroDivisionError), use_rows(rows(0, 1, 8, local=8)):
            raise ZeroDivisionError
        assert sharding.fraction() == 0.5
    assert sharding.fraction() == 1


def test_the_whole_is_there_when_its_last_part_is() -> None:
    kept: dict[str, list[torch.Tensor]] = {}
    x = torch.arange(6.0, requires_grad=True)
    for first in (0, 2, 4):
        part = Rows(first, 2, 6, 6, 0, torch.Generator(), Batch({}), last=first == 4, kept=kept)
        with use_rows(part):
            found = sharding.gather_rows("x", x[first : first + 2])
            assert (found is None) == (first < 4)
    assert found is not None
    assert torch.equal(found, torch.arange(6.0))
    assert not found.requires_grad
