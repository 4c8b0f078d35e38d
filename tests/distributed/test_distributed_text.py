"""Two ranks are one, with the tasks of text, in both stages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gancli.core.config import resolve
from gancli.core.data import Reading
from gancli.data.loader import Loader
from gancli.data.text import Lines, split
from gancli.distributed.ranks import Ranks
from gancli.training.state import new_state
from gancli.training.step import step
from tests.tasks.test_tasks_text import TINY

from .forked import Fork


def curves(name: str, here: Ranks) -> list[dict[str, float]]:
    """The logs of some steps, and what is remembered."""
    random = np.random.default_rng(0)
    lines = Lines()
    for _ in range(300):
        lines.add("".join(random.choice(list("abcd"), random.integers(2, 7))), None, None)
    data = split(lines, "char", None, Reading(Path(), Path()), "test").train
    options = {**TINY[name], **({"stage": 32} if name in ("text-residual", "text-gumbel") else {})}
    cfg = resolve({"data": {"source": "unicode-names"}, "task": {"name": name, **options}, "batch_size": 16})
    loader = Loader(data, cfg.seed, torch.device("cpu"), torch.float32)
    task = cfg.task.resolved(64, loader.spec)
    cfg = cfg.replace(task=task)
    state = new_state(task, cfg, loader.spec, loader.device, torch.float32)
    here.synchronize(state)
    out = []
    for _ in range(4):
        logs = {k: float(v) for k, v in step(task, state, loader, cfg, here).items()}
        out.append({**logs, **{k: float(v.double().sum()) for k, v in state.memory.items()}})
    return out


@pytest.mark.parametrize("name", TINY)
def test_two_ranks_are_one(name: str, fork: Fork) -> None:
    (alone,) = fork(1, lambda here: curves(name, here))
    for ranks in fork(2, lambda here: curves(name, here)):
        for one, two in zip(alone, ranks, strict=True):
            assert one.keys() == two.keys()
            np.testing.assert_allclose([two[k] for k in one], list(one.values()), rtol=1e-3, atol=2e-4)
