"""`gan compare`: stale scores are told, the best is marked where it is clear, and what differs between the runs is shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gancli.core.config import resolve
from gancli.evaluation.contracts import Score
from gancli.evaluation.results import Evaluation
from tests.conftest import Gan


def scored(tmp_path: Path, name: str, step: int, now: int, fid: float, **options: Any) -> Path:
    """A run's folder with all that `gan compare` reads."""
    run = tmp_path / "runs_dir" / name
    (run / "model").mkdir(parents=True)
    (run / "config.json").write_text(json.dumps(resolve({"data": {"source": "digits"}, **options}).dump()))
    (run / "model" / "config.json").write_text(json.dumps({"tick": {"step": now, "images": now * 100}}))
    scores = {
        "coverage@x": Score(0.5, "", "higher", 0.1),
        "density@x": Score(fid, "", "reference", 0.0),
        "fid@x": Score(fid, "", "lower", 1.0, reference=0.0005284),
        "modes@x": Score(fid, "", "higher"),
    }
    protocol = {"fakes": {"step": step}, "n_fake": 100, "n_real": 100, "features": "x", "split": "test set"}
    (run / "evaluation.json").write_text(Evaluation(scores, protocol).to_json())
    return run


def line(text: str, start: str) -> list[str]:
    return next(row for row in text.splitlines() if row.startswith(start)).split()


def test_stale_scores_are_told(gan: Gan, tmp_path: Path) -> None:
    old, _ = scored(tmp_path, "old", 4389, 7865, 9.0), scored(tmp_path, "new", 500, 500, 8.0)
    said = gan("compare", "old", "new")
    assert said.code == 0, said.err
    assert line(said.out, "step") == ["step", "4,389", "500"]
    assert f"old was scored at step 4,389 and is at step 7,865 now  ->  gan evaluate {old}" in said.err
    assert "new was scored" not in said.err


@pytest.mark.parametrize(("other", "best"), [(20.0, "a"), (11.0, None), (2.0, "b")])
def test_the_best_is_marked_where_it_is_clear(gan: Gan, tmp_path: Path, other: float, best: str | None) -> None:
    scored(tmp_path, "a", 5, 5, 9.0)
    scored(tmp_path, "b", 5, 5, other)
    rows = {row["score"]: row for row in gan("compare", "a", "b", "--json").json()["rows"]}
    assert rows["fid@x"]["best"] == best
    assert [rows[k]["best"] for k in ("coverage@x", "density@x", "modes@x")] == [None] * 3
    assert rows["fid@x"]["runs"] == {"a": {"value": 9.0, "error": 1.0}, "b": {"value": other, "error": 1.0}}
    assert (rows["fid@x"]["better"], rows["fid@x"]["steps"]) == ("lower", {"a": 5, "b": 5})
    said = gan("compare", "a", "b").out
    marked = "*" in "".join(line(said, "fid@x"))
    assert marked == (best is not None)
    assert line(said, "fid@x")[1:3] == ["↓", "5.28e-04"], "as gan evaluate writes it"
    assert "100 samples with 100 of the test set, features x" in said
    order = [row.split()[0] for row in said.splitlines() if "@x" in row]
    assert order == ["fid@x", "density@x", "coverage@x", "modes@x"]


def test_what_differs_is_shown(gan: Gan, tmp_path: Path) -> None:
    scored(tmp_path, "a", 5, 5, 9.0)
    scored(tmp_path, "b", 5, 5, 9.0, task={"name": "generate", "loss": "hinge"}, runtime={"threads": 3}, seed=4)
    said = gan("compare", "a", "b")
    assert line(said.out, "task.loss.name") == ["task.loss.name", "nonsaturating", "hinge"]
    assert line(said.out, "seed") == ["seed", "0", "4"]
    assert "machine" not in said.out
    (tmp_path / "runs_dir/b/config.json").write_text("{")
    said = gan("compare", "a", "b")
    assert (said.code, "b: its configuration is not compared" in said.err) == (0, True)


def test_many_runs_fit_80_columns(gan: Gan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"digits-stylegan2-{i:04d}" for i in range(6)]
    for name in names:
        scored(tmp_path, name, 5, 5, 9.0)
    monkeypatch.setenv("COLUMNS", "80")
    said = gan("compare", *names)
    tables = said.out.split("± is")[0]
    assert max(map(len, tables.splitlines())) <= 80
    assert tables.count("9 ±1") == 6
    assert tables.count("stylegan2-") == 6


def test_two_runs_of_one_name_are_two(gan: Gan, tmp_path: Path) -> None:
    here, there = scored(tmp_path, "same", 5, 5, 9.0), scored(tmp_path / "elsewhere", "same", 5, 5, 2.0)
    row = gan("compare", here, there, here, "--json").json()["rows"][0]
    assert row["runs"].keys() == {"same", str(there)}


def test_a_run_may_be_called_like_a_column(gan: Gan, tmp_path: Path) -> None:
    names = ["score", "reference", "runs", "better", "best", "steps"]
    for i, name in enumerate(names):
        scored(tmp_path, name, i, i, 90.0 - 10 * i, seed=i)
    rows = {row["score"]: row for row in gan("compare", *names, "--json").json()["rows"]}
    assert [rows["fid@x"]["runs"][name]["value"] for name in names] == [90, 80, 70, 60, 50, 40]
    assert (rows["fid@x"]["best"], rows["fid@x"]["reference"]) == ("steps", 0.0005284)
    said = gan("compare", *names)
    assert said.code == 0, said.err
    values = [word for word in line(said.out, "fid@x")[3:] if word.isdigit()]
    assert values == ["90", "80", "70", "60", "50", "40"]
    assert line(said.out, "step") == ["step", *map(str, range(6))]
    assert line(said.out, "seed") == ["seed", *map(str, range(6))]


@pytest.mark.parametrize("content", [b"\xff", b'{"scores": {}, "protocol": []}', b"{"])
def test_a_damaged_evaluation_is_one_line(gan: Gan, tmp_path: Path, content: bytes) -> None:
    run = scored(tmp_path, "a", 5, 5, 9.0)
    (run / "evaluation.json").write_bytes(content)
    said = gan("compare", "a")
    assert said.code == 4
    assert said.err.startswith(f"error: {run / 'evaluation.json'}: this is no evaluation")
    assert said.err.strip().endswith(f"gan evaluate {run}")


def test_fakes_of_anywhere_have_no_step(gan: Gan, tmp_path: Path) -> None:
    run = scored(tmp_path, "a", 5, 5, 9.0)
    judged = json.loads((run / "evaluation.json").read_text())
    (run / "evaluation.json").write_text(json.dumps({**judged, "protocol": {**judged["protocol"], "fakes": "mine"}}))
    assert gan("compare", "a", "--json").json()["rows"][0]["steps"] == {"a": None}


def test_evaluations_of_an_earlier_format_are_compared(gan: Gan, tmp_path: Path) -> None:
    """A floor was what is the reference score now."""
    new = scored(tmp_path, "new", 5, 5, 9.0)
    old = scored(tmp_path, "old", 5, 5, 20.0)
    made = json.loads((old / "evaluation.json").read_text())
    del made["format"]
    for score in made["scores"].values():
        for key in ("reference", "reference_error", "reference_detail"):
            score[key.replace("reference", "floor")] = score.pop(key)
        score["better"] = score["better"].replace("reference", "floor")
        del score["baselines"], score["alarm"]
    made["protocol"]["split"] = "held-out reals; the floor is training images in the fakes' place"
    (old / "evaluation.json").write_text(json.dumps(made))
    rows = {row["score"]: row for row in gan("compare", old, new, "--json").json()["rows"]}
    assert (rows["fid@x"]["best"], rows["fid@x"]["reference"]) == ("new", 0.0005284)
    assert rows["density@x"]["better"] == "reference"
    assert "reference" in gan("compare", old, new).out
