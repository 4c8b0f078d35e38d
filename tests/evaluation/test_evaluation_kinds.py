"""Samples of other kinds, from a plug-in alone: lines of text and pairs are scored, shown, compared and written like pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import Gan

HERE = Path(__file__).parent
LINES, PAIRS = HERE / "plugin_lines.py", HERE / "plugin_pairs.py"
SMALL = ["--max-steps", "20", "--batch-size", "16", "--set", "intervals.evaluate_n=40"]


@pytest.fixture
def writer(gan: Gan, tmp_path: Path) -> Path:
    """A run on lines of letters, scored while it trained."""
    words = ["--data", "toy-lines", "--name", "w", "--evaluate-every", "160", *SMALL]
    said = gan("train", "--plugin", LINES, "--set", "task.name=toy-writer", *words)
    assert said.code == 0, said.err
    return tmp_path / "runs_dir/w"


@pytest.fixture
def negative(gan: Gan, tmp_path: Path) -> Path:
    """A run on pairs."""
    words = ["--data", "toy-pairs", "--set", "task.name=toy-negative", "--name", "p", "--evaluate-every", "160", *SMALL]
    said = gan("train", "--plugin", PAIRS, *words)
    assert said.code == 0, said.err
    return tmp_path / "runs_dir/p"


def test_lines_are_scored_while_training(writer: Path) -> None:
    lines = [json.loads(line) for line in (writer / "scores.jsonl").read_text().splitlines()]
    assert [line["images"] for line in lines] == [160, 320]
    assert all(0 <= line["toy-letters@text"] <= 1 for line in lines)
    assert lines[0]["best"] is True


def test_a_run_on_lines_ends_by_quality(gan: Gan, tmp_path: Path) -> None:
    words = ["--data", "toy-lines", "--name", "w", "--until", "toy-letters<2", "--evaluate-every", "160", *SMALL]
    said = gan("train", "--plugin", LINES, "--set", "task.name=toy-writer", *words)
    assert (said.code, "quality reached" in said.err) == (0, True), said.err
    said = gan("train", "--plugin", LINES, "--set", "task.name=toy-writer", *words[:4], "--until", "fid<2", *words[6:])
    assert said.code == 2
    assert "it scores image samples, and these are toy lines" in said.err
    assert '--until "toy-letters<8"' in said.err


def test_lines_are_evaluated(gan: Gan, writer: Path) -> None:
    said = gan("evaluate", writer, "--plugin", LINES, "--n", "50", "--json")
    assert said.code == 0, said.err
    found = said.json()
    assert list(found["scores"]) == ["toy-letters@text", "toy-gap@toy-counts", "toy-variety@text"]
    letters = found["scores"]["toy-letters@text"]
    assert 0 <= letters["reference"] < 0.2 < letters["baselines"]["uniform"]
    assert found["protocol"]["features"] == "toy-counts"
    assert found["protocol"]["n_real"] == 50
    assert found["protocol"]["skipped"]["fid"] == "it scores image samples, and these are toy lines"
    assert json.loads((writer / "evaluation.json").read_text()) == found
    with Image.open(writer / "evaluation.png") as image:
        assert image.size[0] == 1440
    said = gan("evaluate", writer, "--plugin", LINES, "--n", "50", "--metrics", "toy-letters")
    assert ["score", "value", "±", "reference", "uniform"] in [line.split()[:5] for line in said.out.splitlines()]
    assert "50 samples with 50 of the test set, features toy-counts" in said.out


def test_a_metric_of_pictures_is_refused_for_lines(gan: Gan, writer: Path) -> None:
    said = gan("evaluate", writer, "--plugin", LINES, "--n", "50", "--metrics", "fid")
    assert said.code == 2
    assert "fid is not available: it scores image samples, and these are toy lines  ->  leave it out" in said.err
    said = gan("evaluate", writer, "--plugin", LINES, "--n", "50", "--features", "digits-v1")
    assert (said.code, "features 'digits-v1' are of image samples" in said.err) == (2, True), said.err


def test_runs_on_lines_are_compared(gan: Gan, writer: Path) -> None:
    assert gan("evaluate", writer, "--plugin", LINES, "--n", "50").code == 0
    for plugin in ([], ["--plugin", LINES]):  # scores of a plug-in that is not there are shown, too
        said = gan("compare", writer, writer, *plugin)
        assert said.code == 0, said.err
        assert next(line.split()[0] for line in said.out.splitlines() if "@" in line).startswith("toy-")
    rows = gan("compare", writer, "--json").json()["rows"]
    assert (
        rows[0]["reference"]
        == json.loads((writer / "evaluation.json").read_text())["scores"][rows[0]["score"]]["reference"]
    )


def test_lines_are_written_in_every_form(gan: Gan, writer: Path, tmp_path: Path) -> None:
    words = [writer, "--plugin", LINES, "--n", "40"]
    assert gan("sample", *words, "--out", tmp_path / "x.txt").code == 0
    lines = (tmp_path / "x.txt").read_text().splitlines()
    assert len(lines) == 40
    assert all(set(line) <= set("abcd") and len(line) == 6 for line in lines)
    said = gan("sample", *words, "--out", f"{tmp_path}/each/")
    assert said.code == 0, said.err
    files = sorted((tmp_path / "each").iterdir())
    assert [f.name for f in files[:2]] == ["seed000000.txt", "seed000001.txt"]
    assert [f.read_text().strip() for f in files] == lines
    assert gan("sample", *words, "--out", tmp_path / "x.npz").code == 0
    with np.load(tmp_path / "x.npz") as found:
        assert found["lines"].tolist() == lines
        assert found["seeds"].tolist() == list(range(40))
    for name, remedy in (("x.png", ".txt, .npz or a folder"), ("x.gif", "no latent space")):
        said = gan("sample", *words, "--out", tmp_path / name)
        assert (said.code, remedy in said.err) == (2, True), said.err
        assert not (tmp_path / name).exists()


def test_pairs_are_scored_against_their_own_targets(gan: Gan, negative: Path) -> None:
    """Of the test set in `gan evaluate`, of the validation set while training."""
    line = json.loads((negative / "scores.jsonl").read_text().splitlines()[-1])
    assert line["toy-l1@pixels"] > 0
    for n, asked in (("30", []), ("12", ["--seed", "3"])):
        said = gan("evaluate", negative, "--plugin", PAIRS, "--n", n, *asked, "--metrics", "toy-l1", "--json")
        assert said.code == 0, said.err
        found = said.json()["scores"]["toy-l1@pixels"]
        images = np.random.default_rng(0).integers(0, 256, (120, 1, 8, 8), np.uint8)[60:90].astype(int)
        if n == "30":
            assert found["baselines"]["input"] == pytest.approx(np.abs(images - (255 - images)).mean())
        assert found["reference"] is None
        assert said.json()["protocol"]["n_real"] == int(n)
    assert (negative / "evaluation.png").is_file()


def test_what_needs_input_is_not_sampled_from_seeds(gan: Gan, negative: Path, tmp_path: Path) -> None:
    said = gan("sample", negative, "--plugin", PAIRS, "--out", tmp_path / "x.png")
    assert said.code == 2
    assert "the task 'toy-negative' makes its samples from input images, not from seeds  ->  gan apply" in said.err
