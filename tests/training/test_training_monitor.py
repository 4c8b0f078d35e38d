"""The monitor's rules and measures: each net and critic by itself; ranks of logits as they are defined."""

from __future__ import annotations

import re
import resource
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gancli.core.config import merge, parse_set, resolve
from gancli.core.data import Reading, Split
from gancli.core.registry import build, parts
from gancli.data.images import ImageDataset
from gancli.data.loader import Loader
from gancli.training.monitor import Monitor, above, spread
from gancli.training.prepare import Plan
from gancli.training.rules import RULES, Rule

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
    assert HIGH.broken(lines, "x") is each
    assert MEAN.broken(lines, "x") is mean
    assert not HIGH.over(lines, "x"), "nothing is said of a rule without a `past`"


def test_what_hovers_about_the_bound_is_said_once() -> None:
    rule = Rule("high", "x", 0.5, True, 1, "high", past="low", margin=0.1)
    assert not rule.over([{"x": 0.45}], "x")
    assert not rule.broken([{"x": 0.45}], "x")
    assert rule.over([{"x": 0.35}], "x")
    low = Rule("low", "x", 0.5, False, 1, "low", past="high", margin=0.1)
    assert not low.over([{"x": 0.55}], "x")
    assert low.over([{"x": 0.65}], "x")


def test_a_rule_of_any_net_is_one_of_each() -> None:
    line = {"step": 1, "spread": 1.0, "update/D_A": 0.1, "update/G": 0.2, "grad/G_AB": 0.0, "grad/D_A": 0.0}
    found = {kind: signal for rule in RULES for signal, kind in rule.signals(line).items()}
    assert found == {
        "collapse": "spread", "rate of D_A": "update/D_A", "rate of G": "update/G", "no gradient of G_AB": "grad/G_AB",
    }  # fmt: skip


@pytest.mark.parametrize("name", parts("task"))
def test_what_is_advised_is_taken_by_the_task(name: str) -> None:
    plain = build("task", name)
    config = resolve({"data": {"source": "digits"}, "task": plain.model_dump()}).dump()
    for rule in RULES:
        said = rule.says("D", config)
        assert said.startswith(rule.text.format("D"))
        assert "; try " in said
        for item in re.findall(r"--set '([^']+)'", said):
            changed = resolve(merge([{"data": {"source": "digits"}, "task": plain.model_dump()}, parse_set(item)]))
            assert item not in rule.says("D", changed.dump()), "what is in force is not advised again"


def monitor(tmp_path: Path, said: list[str], over: list[str], lines: Iterable[dict[str, Any]] = ()) -> Monitor:
    data = ImageDataset(np.zeros((500, 1, 8, 8), np.uint8))
    cfg = resolve({"data": {"source": "digits"}})
    loader = Loader(data, 0, torch.device("cpu"), torch.float32)
    plan = Plan(cfg, Split(data, data, data), "", loader, Reading(tmp_path, tmp_path), cfg)
    return Monitor(plan, said.append, over.append, list(lines))


def test_two_critics_are_warned_of_by_name_and_neither_takes_the_other_s_back(tmp_path: Path) -> None:
    said, over = list[str](), list[str]()
    looking = monitor(tmp_path, said, over)

    def look(a: float, b: float) -> dict[str, Any]:
        line = {"step": 7, "images": 10_000, "overfit/D_A": a, "overfit/D_B": b}
        looking._apply_rules(line)
        looking.lines.append(line)
        return line

    warned = [look(0.9, 0.5).get("warned") for _ in range(4)]
    assert warned == [None, None, None, ["overfitting of D_A"]]
    assert said == [text for text in said if text.startswith("D_A tells") and "(overfit/D_A 0.9 at step 7)" in text]
    lines = [look(0.5, 0.9) for _ in range(5)]
    nothing = (None, None)
    assert [(line.get("warned"), line.get("over")) for line in lines] == [
        (["overfitting of D_B"], None), nothing, nothing, (None, ["overfitting of D_A"]), nothing,
    ]  # fmt: skip
    assert len(said) == 2
    assert over == ["D_A hardly tells training images from validation images any more (overfit/D_A 0.5 at step 7)"]


def test_missing_classes_are_no_matter_before_a_quarter_of_the_run(tmp_path: Path) -> None:
    said = list[str]()
    looking = monitor(tmp_path, said, [])
    total = looking.plan.cfg.stop.total(looking.plan.loader.epoch)
    for share in (0.05, 0.1, 0.12, 0.15, 0.2, 0.22, 0.24):
        line = {"step": 1, "images": int(share * total), "classes": 0.8}
        looking._apply_rules(line)
        looking.lines.append(line)
    assert not said
    looking._apply_rules({"step": 2, "images": int(0.3 * total), "classes": 0.8})
    assert len(said) == 1
    assert "some classes are missing" in said[0]


def test_what_still_holds_at_the_end_is_said_again(tmp_path: Path) -> None:
    def line(spread_of: Any, overfit: float = 0.9, **more: Any) -> dict[str, Any]:
        return {"step": 5, "images": 10_000, "spread": spread_of, "overfit/D": overfit, **more}

    warned = {"warned": ["collapse", "overfitting of D"]}
    for lines, expected in (
        ([], 0),
        ([line(0.1)] * 3, 0),  # never warned of: it has not held for long enough, or so early
        ([line(0.1, **warned)] * 3, 1),
        ([line(0.1, **warned), line(0.1), line(0.9)], 0),
        ([line(0.1, **warned), line(0.1), line(0.1, over=["collapse"])], 0),
        ([line(0.1, **warned)] * 2 + [line("0.1")], 0),  # a stranger's
    ):
        said = list[str]()
        monitor(tmp_path, said, [], lines).conclude()
        assert len(said) == expected
        assert all(text.startswith("still so at the end: the samples look alike: mode collapse; try") for text in said)


def test_what_was_warned_of_in_format_1_is_not_said_again(tmp_path: Path) -> None:
    from gancli.runs import journal

    old = {
        "step": 9,
        "images": 9000,
        "known": 500,
        "overfit": 0.9,
        "d_update": 0.2,
        "warned": ["overfitting", "rate of D"],
    }
    (tmp_path / "monitor.jsonl").write_bytes(b"".join([journal.encode(old)] * 4))
    said, over = list[str](), list[str]()
    looking = monitor(tmp_path, said, over, journal.read(tmp_path / "monitor.jsonl"))
    line = {"step": 12, "images": 10_000, "known": 500, "overfit/D": 0.9, "update/D": 0.2}
    looking._apply_rules(line)
    assert not said
    assert not over
    assert looking.last == 9000


def test_spread() -> None:
    x = torch.tensor([0.0, 0.0, 1.0, 1.0]).view(4, 1, 1, 1)
    assert spread(x) == pytest.approx(4 / 6)
    assert spread(x, torch.tensor([0, 0, 1, 1])) == 0
    assert spread(x, torch.tensor([0, 1, 0, 1])) == 1
    assert spread(x[:1]) == 0


@pytest.mark.parametrize("seed", range(20))
def test_above_is_the_share_of_pairs_and_ties_count_half(seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    n, m = (int(torch.randint(1, 40, (), generator=random)) for _ in range(2))
    real, fake = (torch.randint(0, 6, (k,), generator=random) / 4 for k in (n, m))
    difference = real[:, None] - fake[None, :]
    pairs = ((difference > 0).double() + (difference == 0).double() / 2).mean()
    assert above(real, fake) == pytest.approx(float(pairs), abs=1e-12)


def test_above_of_the_patches_of_a_patch_critic() -> None:
    """256 images of 30x30 patches: 230,400 logits against as many. Their pairs would take 212 GB."""
    random = torch.Generator().manual_seed(0)
    real, fake = (torch.randn(256 * 900, generator=random) for _ in range(2))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert above(real, fake) == pytest.approx(0.5, abs=0.005)
    assert above(real + 1, fake) == pytest.approx(0.760, abs=0.005)  # Phi(1 / sqrt(2))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000
