"""Power losses and disks that fail, some of those of tests/soak/power.py."""

from __future__ import annotations

import random

import pytest
from faults import Bench
from power import LAYER, STEPS, Losses, Trials

FAULTS = 24


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("power"), STEPS, LAYER)


def test_after_a_power_loss_nothing_that_was_announced_is_missing(scene: Bench) -> None:
    """After every operation of a run that is started, saved, pruned and resumed; strictly and torn."""
    losses = Losses(scene)
    kinds = {operation.kind for operation in losses.operations}
    assert kinds == {"create", "mkdir", "content", "sync", "rename", "remove", "announce"}
    found = [(number, wrong) for number, wrong in losses.trials(every=150) if wrong]
    assert not found


def test_the_replay_finds_what_is_not_synchronized(scene: Bench) -> None:
    """Without the fsync of folders, or of the journals, the same trials find losses."""
    losses = Losses(scene, "again")
    whole = losses.operations
    folders = {o.path for o in whole if o.kind == "mkdir"} | {"."}
    losses.operations = [o for o in whole if not (o.kind == "sync" and o.path in folders)]
    assert any(wrong for _, wrong in losses.trials(every=10**9))
    losses.operations = [o for o in whole if not (o.kind == "sync" and o.path.endswith("monitor.jsonl"))]
    assert any("monitor.jsonl" in wrong for _, wrong in losses.trials(every=10**9))


def test_one_call_of_the_disk_fails(scene: Bench) -> None:
    trials = Trials(scene)
    assert min(trials.counts.values()) > 100
    found = [trial for trial in trials.trials(FAULTS, random.Random(1)) if trial[-1]]
    assert not found
