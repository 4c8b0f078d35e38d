"""What the reliability tests share: the maker of faults, and a run that nothing disturbed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "soak"))

from faults import Bench, kept

from gancli.runs import folder

STEPS = 30


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    torch.set_num_threads(1)
    return Bench(tmp_path_factory.mktemp("bench"), STEPS)


@pytest.fixture(scope="session")
def undisturbed(bench: Bench) -> dict[str, bytes]:
    """What 30 steps without a fault come to."""
    run = bench.new()
    bench.go(run)
    return kept(run)


@pytest.fixture
def run(bench: Bench) -> folder.Run:
    """20 steps, checkpoints of 10 and 20."""
    run = bench.new()
    bench.go(run, 20)
    return run
