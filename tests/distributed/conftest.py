"""What the tests of several ranks share."""

from __future__ import annotations

from pathlib import Path

import pytest

from .forked import Fork, fork_ranks


@pytest.fixture
def fork(tmp_path: Path) -> Fork:
    count = iter(range(100))
    return lambda world, work: fork_ranks(world, work, tmp_path / f"ranks-{next(count)}")
