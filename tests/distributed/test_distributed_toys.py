"""Two ranks are one, with the tasks of other kinds (tests/toys)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from gancli.core.config import resolve
from gancli.core.data import Reading
from gancli.core.registry import load_plugin
from gancli.data.loader import Loader
from gancli.distributed.ranks import Ranks
from gancli.training.state import new_state
from gancli.training.step import step
from tests.test_toys import BOTH, Toy

from .forked import Fork


def curves(toy: Toy, here: Ranks, steps: int = 6) -> list[dict[str, float]]:
    """The logs of some steps, and what is remembered. In a forked process: other tests do not see the plug-in."""
    load_plugin(toy.file)
    cfg = resolve({"preset": "", "data": {"source": toy.data}, "task": {"name": toy.task}, "batch_size": 16})
    split = cfg.data.source.read(Reading(Path(), Path()))
    loader = Loader(split.train, cfg.seed, torch.device("cpu"), torch.float32)
    state = new_state(cfg.task, cfg, loader.spec, loader.device, torch.float32)
    here.synchronize(state)
    out = []
    for _ in range(steps):
        logs = {k: float(v) for k, v in step(cfg.task, state, loader, cfg, here).items()}
        out.append({**logs, **{k: float(v.double().sum()) for k, v in state.memory.items()}})
    return out


@BOTH
def test_two_ranks_are_one(toy: Toy, fork: Fork) -> None:
    (alone,) = fork(1, lambda here: curves(toy, here))
    for ranks in fork(2, lambda here: curves(toy, here)):
        for one, two in zip(alone, ranks, strict=True):
            assert one.keys() == two.keys()
            np.testing.assert_allclose([two[k] for k in one], list(one.values()), rtol=1e-3, atol=2e-4)
