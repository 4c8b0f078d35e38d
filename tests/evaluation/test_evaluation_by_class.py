"""Scores within each class: precision and copies against the same with numpy, and the verdict on a class."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gancli.evaluation.contracts import Score
from gancli.evaluation.metrics.class_quality import ClassQuality, precision
from gancli.evaluation.metrics.label_agreement import doubts
from gancli.evaluation.results import Evaluation
from gancli.report import classes
from gancli.report.output import Output
from tests.conftest import Gan


def test_precision_is_that_of_the_paper() -> None:
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(40, 5)), rng.normal(0.5, 1.5, size=(60, 5))
    distances = np.sqrt(((real[:, None] - real[None]) ** 2).sum(-1))
    radii = np.sort(distances, 1)[:, 3]  # the first is the point itself
    across = np.sqrt(((fake[:, None] - real[None]) ** 2).sum(-1))
    wanted = (across <= radii).any(1).mean()
    assert 0.2 < wanted < 1
    assert precision(real, fake, 3) == pytest.approx(wanted)


def test_a_class_is_doubted_where_reals_are_seen_twice_as_often() -> None:
    names = ("cat", "dog", "frog")
    asked = np.repeat([0, 1, 2], 100)
    seen = asked.copy()
    seen[200:297] = 1  # frogs that look like dogs
    seen[100:140] = 0  # 60 % of the dogs are dogs
    real = np.repeat([0, 1, 2], 50)
    found = doubts(asked, seen, real, real, names)
    assert list(found) == ["frog"]
    assert found["frog"] == "class frog: 3% of its samples are seen as frog (of real ones 100%); most look like dog"
    poor = real.copy()
    poor[102:] = 0  # the classifier does not know frogs: 4 % of reals
    assert doubts(asked, seen, real, poor, names) == {}
    assert doubts(asked[-5:], seen[:5], real, real, names) == {}, "five samples are too few for a verdict"


@pytest.mark.parametrize(("reals", "said"), [(4, "fewer than 20 samples or reals"), (20, "")])
def test_few_reals_have_no_verdict(reals: int, said: str) -> None:
    class Labeled(list[int]):
        labels = np.zeros(0)

    sets = {"real": Labeled(range(reals)), "fake": Labeled(range(50)), "train": Labeled(range(50))}
    inputs: Any = SimpleNamespace(**sets, classes=("cat", "dog"))
    assert ClassQuality().objection(inputs) == said


def shown(console_width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    monkeypatch.setenv("COLUMNS", str(console_width))
    scores = {
        "label-agreement@x": Score(
            0.5, "", "higher", detail={"cat": 1.0, "frog": 0.0}, reference_detail={"cat": 0.9, "frog": 0.87},
            warnings={"frog": "class frog: 0%"},
        ),
        "class-precision@x": Score(0.1, "", "higher", detail={"cat": 0.95, "frog": 0.1}, reference_detail={"cat": 0.87}),
        "class-copied@x": Score(0.0, "", "lower", detail={"cat": 0.0, "frog": 0.2}, warnings={"frog": "copies"}),
    }  # fmt: skip
    evaluation = Evaluation(scores, {"asked": {"cat": 50, "frog": 1500, "dog": 0}})
    again = Evaluation.from_json(evaluation.to_json())
    assert classes.warnings(again) == ["class frog: 0%", "copies"]
    assert classes.warnings(again, ["cat"]) == []
    classes.show(Output(), again)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert max(map(len, lines)) <= console_width
    return [line.split() for line in lines]


def test_the_table_of_classes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    head, cat, frog = shown(80, monkeypatch, capsys)
    assert head == ["class", "asked", "for", "seen", "reals", "precision", "reals", "copies", "verdict"]
    assert cat == ["cat", "50", "100%", "90%", "95%", "87%", "0%", "ok"]
    assert frog == ["frog", "1,500", "0%", "87%", "10%", "-", "20%", "not-seen,", "copies"]


def test_a_narrow_table_of_classes_cuts_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = {word for line in shown(50, monkeypatch, capsys) for word in line}
    assert {"frog", "1,500", "0%", "10%", "20%", "not-seen,"} <= words
    assert "87%" not in words, "the reals are left out first"


def test_a_class_that_is_not_what_it_is_called_is_told(gan: Gan, tmp_path: object) -> None:
    words = ["--preset", "cgan", "--max-steps", "3", "--batch-size", "16", "--name", "c"]
    assert gan("train", "--data", "digits", *words).code == 0
    said = gan("sample", "c", "--label", "3", "--n", "2", "--out", f"{tmp_path}/a.png")
    assert "gan evaluate" in said.err.splitlines()[-1]
    said = gan("evaluate", "c", "--n", "300", "--metrics", "label-agreement,class-quality")
    assert said.code == 0, said.err
    table = {line.split()[0]: line for line in said.out.splitlines() if line.split()}
    assert all("not-seen" in table[str(k)] or " ok" in table[str(k)] for k in range(10))
    assert 1 <= said.err.count("of its samples are seen as") <= 3
    found = json.loads(gan("evaluate", "c", "--n", "300", "--metrics", "label-agreement", "--json").out)
    doubted = next(iter(found["scores"]["label-agreement@digits-v1"]["warnings"]))
    sure = next(str(k) for k in range(10) if "not-seen" not in table[str(k)]) if " ok" in said.out else None
    said = gan("sample", "c", "--label", doubted, "--n", "2", "--out", f"{tmp_path}/b.png")
    assert f"warning: class {doubted}: " in said.err
    if sure is not None:
        assert "warning" not in gan("sample", "c", "--label", sure, "--n", "2", "--out", f"{tmp_path}/c.png").err
