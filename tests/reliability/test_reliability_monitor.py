"""The monitor in a run: that it changes nothing, that it says each thing once, and that it sees a collapse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import monitor as calibration
import pytest
import torch
from faults import Bench, Heard, kept

from gancli.core.registry import find
from gancli.runs import journal
from gancli.training import snapshot
from gancli.training.monitor import Monitor
from gancli.training.rules import RULES


def test_a_look_changes_nothing(bench: Bench) -> None:
    state = bench.plan.state()
    monitor = Monitor(bench.plan, print, print)
    before = {f: {k: v.clone() for k, v in group.items()} for f, group in snapshot.tensors(state).items()}
    modes = {name: [m.training for m in net.module.modules()] for name, net in state.nets.items()}
    line = monitor.look(state, {})
    after = snapshot.tensors(state)
    for file, group in before.items():
        assert all(torch.equal(v, after[file][k]) for k, v in group.items())
    assert modes == {name: [m.training for m in net.module.modules()] for name, net in state.nets.items()}
    assert {"step", "images", "known", "real/D", "apart/D", "overfit/D", "spread", "classes"} <= line.keys()
    assert line["known"] == 1438


def test_the_looks_of_a_run_are_in_its_journal(bench: Bench) -> None:
    """Four in an epoch of 1,438 images: after 359 and 719 of them."""
    run = bench.new()
    bench.go(run, 47)
    lines = journal.read(run.monitor)
    assert [line["images"] for line in lines] == [23 * 16, 45 * 16]
    scalars = {line["step"]: line for line in journal.read(run.journal)}
    for line, at in zip(lines, (21, 42), strict=True):  # of the latest line before the look
        for key in ("update/G", "update/D", "grad/G", "grad/D"):
            assert line[key] == scalars[at][key]


def test_it_says_each_thing_once_over_all_sessions_and_takes_it_back(bench: Bench) -> None:
    said, over, lines = list[str](), list[str](), list[Any]()
    low = {rule.signal.replace("*", "" if rule.signal == "grad/G*" else "D"): 0.0 for rule in RULES}
    for spread_of in (0.0, 0.0, 0.9, 0.9, 0.0):
        monitor = Monitor(bench.plan, said.append, over.append, lines)
        for _ in range(2):
            line = {"step": 0, "images": 0, **low, "spread": spread_of}
            monitor._apply_rules(line)
            monitor.lines.append(line)
        lines = monitor.lines
    assert len(said) == 2  # collapse, no gradient
    assert sum("mode collapse" in text and "often passes" in text for text in said) == 1
    assert over == ["the samples differ again (spread 0.9 at step 0)"]


@pytest.mark.parametrize("kind", ["z ignored", "healthy"])
def test_a_collapse_is_seen_within_a_tenth_of_the_budget(tmp_path: Path, kind: str) -> None:
    find("model", "mlp")
    request, plan = calibration.planned(kind, "best-cpu", 0, 0.04, tmp_path)
    from gancli.training.session import train
    from gancli.training.start import start

    heard = Heard()
    run = start(request, plan, tmp_path / "runs", "run")
    train(run, plan, [heard])
    warned = [text for text in heard.said if "mode collapse" in text]
    assert len(warned) == (2 if kind == "z ignored" else 0)  # and at the end
    assert ["still so at the end" in text for text in warned] == [False, True][: len(warned)]


def test_the_nets_updates_are_in_the_journal(bench: Bench) -> None:
    run = bench.new()
    bench.go(run, 12)
    lines = journal.read(run.journal)
    assert all(0 < line["update/D"] < 1 and 0 < line["update/G"] < 1 for line in lines if line["step"] % 3 == 0)
    assert kept(run)
