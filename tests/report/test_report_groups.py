"""Comparison of many runs: seeds are grouped with mean and spread, in one table, as CSV and as a picture."""

from __future__ import annotations

import csv
import io
import statistics
from pathlib import Path

import pytest
from PIL import Image

from gancli.evaluation.contracts import Score
from gancli.evaluation.results import Evaluation
from gancli.report import groups
from gancli.report.output import Output

VALUES = {
    "hinge": (10.0, 11.0, 12.0),
    "rpgan": (5.0, 5.2, 5.1),
    "lsgan": (20.0, 25.0, 15.0),
    "minimax": (30.0, 31.0, 29.5),
}
FOUND = {
    f"{loss}-{seed}": Evaluation(
        {"fid@x": Score(value, "", error=0.01), "recall@x": Score(0.5, "", "higher", error=0.1)}, {"n_fake": 9}
    )
    for loss, values in VALUES.items()
    for seed, value in enumerate(values)
}
DIFFERENT = {
    "task.loss.name": {name: name.partition("-")[0] for name in FOUND},
    "seed": {name: int(name[-1]) for name in FOUND},
}


def test_seeds_are_grouped_with_mean_and_spread() -> None:
    made = groups.grouped(list(FOUND), DIFFERENT)
    assert [g.label for g in made] == [f"loss {loss}" for loss in VALUES]
    assert made[0].runs == ("hinge-0", "hinge-1", "hinge-2")
    of = groups.table(FOUND, made)["fid@x"]
    for loss, values in VALUES.items():
        assert of[f"loss {loss}"].value == pytest.approx(statistics.mean(values))
        assert of[f"loss {loss}"].spread == pytest.approx(statistics.stdev(values))
        assert of[f"loss {loss}"].error == pytest.approx(statistics.stdev(values) / 3**0.5)


def test_a_run_of_an_unknown_configuration_is_no_seed_of_another() -> None:
    known = {key: {name: value for name, value in of.items() if name != "hinge-2"} for key, of in DIFFERENT.items()}
    made = groups.grouped(["hinge-0", "hinge-1", "hinge-2"], known)
    assert [(g.label, g.runs) for g in made] == [("loss hinge", ("hinge-0", "hinge-1")), ("hinge-2", ("hinge-2",))]


def test_the_best_is_ahead_over_seeds_not_of_one_seed() -> None:
    made = groups.grouped(list(FOUND), DIFFERENT)
    of = groups.table(FOUND, made)
    assert groups.best(of["fid@x"], "lower") == "loss rpgan"
    assert groups.best(of["fid@x"], "reference") is None
    assert (
        groups.best({k: m for k, m in of["fid@x"].items() if k in ("loss hinge", "loss lsgan")}, "lower")
        == "loss hinge"
    )
    single = {name: groups.mean([FOUND[f"{name}-0"].scores["fid@x"]]) for name in VALUES}
    assert groups.best(single, "lower") is None, "an error of sampling alone marks nobody"


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_twelve_runs_are_one_table(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    groups.show(Output(), FOUND, groups.grouped(list(FOUND), DIFFERENT))
    lines = capsys.readouterr().out.splitlines()
    rows = [line for line in lines if line.startswith("loss ")]
    assert len(rows) == 4
    assert max(map(len, rows)) <= columns
    assert "11 ±1" in rows[0]
    assert [line.split()[1] for line in rows if "*" in line] == ["rpgan"]


def test_the_csv_has_every_run_and_every_mean() -> None:
    made = groups.grouped(list(FOUND), DIFFERENT)
    rows = list(csv.DictReader(io.StringIO(groups.as_csv(FOUND, made))))
    assert len(rows) == 2 * 12 + 2 * 4
    assert [r["value"] for r in rows if r["run"] == "hinge-1" and r["score"] == "fid@x"] == ["11.0"]
    (mean,) = [r for r in rows if r["group"] == "loss hinge" and not r["run"] and r["score"] == "fid@x"]
    assert (float(mean["value"]), float(mean["spread"]), mean["seeds"]) == (11.0, 1.0, "3")


def test_the_plot(tmp_path: Path) -> None:
    journals = {name: [{"images": i * 100, "g_loss": 1 / (1 + i)} for i in range(5)] for name in FOUND}
    groups.plot(FOUND, groups.grouped(list(FOUND), DIFFERENT), journals, tmp_path / "p.png")
    with Image.open(tmp_path / "p.png") as image:
        assert image.width > 2 * image.height


def test_different_values_have_different_texts() -> None:
    from gancli.report.text import distinct

    penalties = [[{"name": "r1", "weight": w, "every": 1}, {"name": "r2", "weight": 0.5}] for w in (0.5, 2.0)]
    assert distinct(penalties) == ["r1(weight=0.5), r2", "r1(weight=2.0), r2"]
    assert distinct([0.1, 0.2]) == ["0.1", "0.2"]
    assert len(set(distinct([0.1, 0.1 + 1e-12]))) == 2
    paths = [f"/data/pictures/of/animals/{name}" for name in ("cats", "dogs")]
    assert all(len(text) <= 24 for text in distinct(paths, 24))
    assert len(set(distinct(paths, 24))) == 2
    different = {"task.penalties": dict(zip("ab", penalties, strict=True)), "seed": {"a": 0, "b": 1}}
    assert len(groups.grouped(["a", "b"], different)) == 2, "they are no seeds of one recipe"
