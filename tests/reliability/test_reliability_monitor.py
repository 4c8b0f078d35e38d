"""The monitor: what it measures, that it changes nothing, that it says each thing once, and that it sees a collapse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import monitor as calibration
import pytest
import torch
from faults import Bench, Heard, kept
from gancli.training.signs import Signs

from gancli.core.registry import find
from gancli.runs import journal
from gancli.training import snapshot
from gancli.training.monitor import RULES, Rule, above, spread

HIGH = Rule("high", "x", 0.5, True, 3, "high")
MEAN = Rule("mean", "x", 0.5, True, 3, "high", mean=True)


@pytest.mark.parametrize(
    ("values", "each", "mean"),
    [
        ([0.6, 0.6, 0.6], True, True),
        ([0.6, 0.6], False, False),
        ([0.9, 0.1, 0.9], False, True),
        ([0.9, 0.9, 0.1, 0.1, 0.1], False, False),
        ([0.6, None, 0.6], False, False),
    ],
)
def test_rules(values: list[float | None], each: bool, mean: bool) -> None:
    lines = [{} if v is None else {"x": v} for v in values]
    assert HIGH.broken(lines) is each
    assert MEAN.broken(lines) is mean


def test_spread_and_above() -> None:
    x = torch.tensor([0.0, 0.0, 1.0, 1.0]).view(4, 1, 1, 1)
    assert spread(x) == pytest.approx(4 / 6)
    assert spread(x, torch.tensor([0, 0, 1, 1])) == 0
    assert spread(x, torch.tensor([0, 1, 0, 1])) == 1
    assert spread(x[:1]) == 0
    assert above(torch.tensor([1.0, 3.0]), torch.tensor([2.0])) == 0.5
    assert above(torch.tensor([2.0]), torch.tensor([2.0])) == 0.5


def test_a_look_changes_nothing(bench: Bench) -> None:
    run = bench.new()
    state = bench.plan.state()
    signs = Signs(run, bench.plan, print, print, state)
    before = {f: {k: v.clone() for k, v in group.items()} for f, group in snapshot.tensors(state).items()}
    modes = {name: [m.training for m in net.module.modules()] for name, net in state.nets.items()}
    signs.look(state)
    after = snapshot.tensors(state)
    for file, group in before.items():
        assert all(torch.equal(v, after[file][k]) for k, v in group.items())
    assert modes == {name: [m.training for m in net.module.modules()] for name, net in state.nets.items()}
    (line,) = journal.read(run.monitor)
    assert {"step", "images", "real", "apart", "overfit", "spread", "classes"} <= line.keys()


def test_it_says_each_thing_once_over_all_sittings_and_takes_it_back(bench: Bench) -> None:
    state = bench.plan.state()
    run, said, over = bench.new(), list[str](), list[str]()
    low = dict.fromkeys({rule.signal for rule in RULES}, 0.0)
    for spread_of in (0.0, 0.0, 0.9, 0.9, 0.0):
        signs = Signs(run, bench.plan, said.append, over.append, state)
        for _ in range(2):
            line: dict[str, Any] = {"step": state.step, "images": state.images, **low, "spread": spread_of}
            signs.monitor._judge(line)
            signs.monitor.lines.append(line)
            signs.journal.write(line)
    assert len(said) == 3  # collapse, few images, no gradient
    assert sum("G is collapsing" in text and "often passes" in text for text in said) == 1
    assert over == ["the samples differ again (spread 0.9 at step 0)"]


@pytest.mark.parametrize("kind", ["z ignored", "healthy"])
def test_a_collapse_is_seen_within_a_tenth_of_the_budget(tmp_path: Path, kind: str) -> None:
    find("model", "mlp")
    request, plan = calibration.planned(kind, "best-cpu", 0, 0.04, tmp_path)
    from gancli.training.session import train
    from gancli.training.start import start

    heard = Heard()
    run = start(request, plan, tmp_path / "runs", "run")
    train(run, plan, heard)
    warned = [text for text in heard.said if "collapsing" in text]
    assert len(warned) == (1 if kind == "z ignored" else 0)


def test_the_nets_updates_are_in_the_journal(bench: Bench) -> None:
    run = bench.new()
    bench.go(run, 12)
    lines = journal.read(run.journal)
    assert all(0 < line["update/D"] < 1 and 0 < line["update/G"] < 1 for line in lines if line["step"] % 3 == 0)
    assert kept(run)
