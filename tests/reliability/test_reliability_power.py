"""Power losses and disks that fail, some of those of tests/soak/power.py."""

from __future__ import annotations

import random

import pytest
from faults import Bench
from power import LAYER, STEPS, Losses, Trials

FAULTS = 8
NEVER = 10**9


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("power"), STEPS, LAYER)


@pytest.fixture(scope="module")
def losses(scene: Bench) -> Losses:
    return Losses(scene)


def test_after_a_power_loss_nothing_that_was_announced_is_missing(losses: Losses) -> None:
    """After every third operation of a run that is started, saved, pruned and resumed; strictly and torn."""
    assert {o.kind for o in losses.operations} == {"create", "mkdir", "content", "sync", "rename", "remove", "announce"}
    assert not [(number, wrong) for number, wrong in losses.trials(every=150, stride=3) if wrong]


@pytest.mark.parametrize(
    ("lost", "says"), [("checkpoints", "is lost"), ("runs/run/monitor.jsonl", "monitor.jsonl lacks")]
)
def test_the_replay_finds_what_is_not_synchronized(losses: Losses, lost: str, says: str) -> None:
    """Without one fsync, of the folder of checkpoints or of a journal, the same trials find a loss."""
    whole = losses.operations
    losses.operations = [o for o in whole if not (o.kind == "sync" and o.path.endswith(lost))]
    try:
        assert any(says in wrong for _, wrong in losses.trials(NEVER, stride=7))
    finally:
        losses.operations = whole


def test_one_call_of_the_disk_fails(scene: Bench) -> None:
    trials = Trials(scene)
    assert min(trials.counts.values()) > 100
    assert not [trial for trial in trials.trials(FAULTS, random.Random(1)) if trial[-1]]
