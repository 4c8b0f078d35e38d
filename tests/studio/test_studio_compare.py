"""Scores of several runs side by side, as `gan compare` gives them."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.cli.test_cli_compare import scored
from tests.studio.conftest import Served


def test_scores_stand_side_by_side(served: Served, tmp_path: Path) -> None:
    for name, fid in (("a", 9.0), ("b", 2.0)):
        shutil.copytree(scored(tmp_path, name, 5, 5, fid), served.runs / name)
    page = served.ask("/compare/part?runs=a%7Cb").text
    row = re.search(r"<tr><th[^>]*>fid@x</th>(.*?)</tr>", page)
    assert row is not None, page
    cells = [" ".join(re.sub(r"<[^>]*>", " ", cell).split()) for cell in re.findall(r"<td.*?</td>", row[1])]
    reference = json.loads((served.runs / "a" / "evaluation.json").read_text())["scores"]["fid@x"]["reference"]
    assert float(cells.pop(2)) == pytest.approx(reference, rel=1e-3)
    assert cells == ["9 ± 1", "2 ± 1 best", "lower"]


def test_a_run_without_scores_is_named(served: Served, tmp_path: Path) -> None:
    shutil.copytree(scored(tmp_path, "c", 5, 5, 1.0), served.runs / "c")
    (served.runs / "c" / "evaluation.json").unlink()
    shutil.copytree(scored(tmp_path, "d", 5, 5, 1.0), served.runs / "d")
    refused = served.get("/api/compare?runs=c%7Cd")["refused"]
    assert refused == {"error": "c has not been evaluated", "remedy": "gan evaluate c"}


def test_an_evaluation_shows_baselines_and_what_it_warns_of(served: Served, tmp_path: Path) -> None:
    shutil.copytree(scored(tmp_path, "e", 5, 5, 3.0), served.runs / "e")
    file = served.runs / "e" / "evaluation.json"
    found = json.loads(file.read_text())
    found["scores"]["fid@x"] |= {"baselines": {"bicubic": 7.25}, "warnings": {"frog": "class frog: 0% of its samples"}}
    file.write_text(json.dumps(found))
    page = served.ask("/runs/e/evaluate").text
    assert "bicubic: 7.25" in page
    assert page.count("class frog: 0% of its samples") == 1
