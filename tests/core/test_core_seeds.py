"""Time as a pure function."""

from __future__ import annotations

import math

import pytest
import torch

from gancli.core.contracts import Tick
from gancli.core.errors import UsageError
from gancli.core.registry import validated
from gancli.core.schedules import Schedule, every, until
from gancli.core.seeds import derive, generator

DERIVED = 4739946833832999988


def test_derived_seeds_are_stable_and_unlike() -> None:
    assert derive(0, "order", 1) == DERIVED, "seeds are part of every run: they never change"
    seeds = {derive(s, t, n) for s in range(10) for t in range(10) for n in ("D", "G")}
    assert len(seeds) == 200
    assert all(0 <= s < 2**63 for s in seeds)
    assert derive(1, 23) != derive(12, 3)


def test_generators_repeat() -> None:
    a, b = (torch.randn(5, generator=generator(3, "z")) for _ in range(2))
    assert torch.equal(a, b)


def test_when() -> None:
    ticks = [Tick(0, s, 10 * s) for s in range(6)]
    assert [every(4)(t) for t in ticks] == [True, False, False, False, True, False]
    assert [until(30)(t) for t in ticks] == [True, True, True, False, False, False]


def test_schedules() -> None:
    assert Schedule().factor(5, 10) == 1
    linear = Schedule(shape="linear", hold=0.5)
    assert [linear.factor(i, 100) for i in (0, 50, 75, 100, 200)] == [1, 1, 0.5, 0, 0]
    cosine = Schedule(shape="cosine", final=0.1)
    assert math.isclose(cosine.factor(0, 100), 1)
    assert math.isclose(cosine.factor(50, 100), 0.55)
    assert math.isclose(cosine.factor(100, 100), 0.1)
    warm = Schedule(warmup=10)
    assert [warm.factor(i, 100) for i in (0, 4, 9, 50)] == [0.1, 0.5, 1, 1]


def test_schedule_refuses_unknown_courses() -> None:
    with pytest.raises(UsageError, match="shape"):
        validated(Schedule, {"shape": "stairs"}, "schedule")
