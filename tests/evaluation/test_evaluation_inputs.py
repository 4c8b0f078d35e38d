"""What is judged, and by what: the run's own data where the run found it, and whether it is still what it was."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gancli.evaluation.contracts import Score
from tests.conftest import TINY, Gan
from tests.test_docs import idx

FEW = ["--n", "20", "--metrics", "fid"]


def fakes(run: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((run / "evaluation.json").read_text())["protocol"]["fakes"]
    return found


def test_data_is_looked_for_where_the_run_found_it(gan: Gan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    for name, n in (("train", 60), ("t10k", 30)):
        idx(tmp_path / f"here/MNIST/raw/{name}-images-idx3-ubyte", random.integers(0, 256, (n, 28, 28)))
        idx(tmp_path / f"here/MNIST/raw/{name}-labels-idx1-ubyte", np.arange(n) % 10)
    words = ["--max-steps", "1", "--name", "r", "--data-dir", tmp_path / "here"]
    assert gan("train", "--data", "mnist", *words, *TINY).code == 0
    monkeypatch.delenv("GAN_DATA_DIR")
    (tmp_path / "cache_dir/data").mkdir(parents=True)
    said = gan("evaluate", "r", "--no-download", *FEW)
    assert said.code == 0, said.err
    said = gan("evaluate", "r", "--no-download", "--data-dir", tmp_path / "none", *FEW)
    assert (said.code, str(tmp_path / "none") in said.err) == (3, True), said.err


def test_data_that_changed_is_told(gan: Gan, tmp_path: Path) -> None:
    random = np.random.default_rng(0)

    def add(name: int) -> None:
        Image.fromarray(random.integers(0, 256, (12, 10, 3), np.uint8)).save(tmp_path / f"photos/{name}.png")

    (tmp_path / "photos").mkdir()
    for i in range(60):
        add(i)
    words = ["--max-steps", "1", "--name", "r", "--image-size", "8", "--channels", "1", "--set", "data.holdout=0.3"]
    assert gan("train", "--data", tmp_path / "photos", *words, *TINY).code == 0
    run, warning = tmp_path / "runs_dir/r", "the data is not what this run was trained on"

    def told() -> bool:
        said = gan("evaluate", run, *FEW)
        assert said.code == 0, said.err
        assert fakes(run)["same_data"] is not (warning in said.err)
        return warning in said.err

    assert not told()
    for i in range(60, 70):
        add(i)
    assert told()
    assert gan("evaluate", run, "--against", "digits", *FEW).code == 0
    assert "same_data" not in fakes(run)
    assert gan("resume", run, "--max-steps", "2", "--allow-data-change").code == 0
    assert not told()


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["RUN", "--feature-hash", "00"], "--feature-weights"),
        (["RUN", "--metrics", "fid", "--fail-if", "recall<0.5"], "add prc"),
        (["RUN", "--seed", "9223372036854775808"], "--seed"),
        (["--images", "PICTURES", "--against", "digits", "--step", "3"], "--step"),
        (["--images", "PICTURES", "--against", "digits", "--no-ema"], "--no-ema"),
    ],
)
def test_what_would_be_ignored_is_refused_at_once(
    gan: Gan, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], named: str
) -> None:
    def late(*_: object, **__: object) -> None:
        raise AssertionError("the work has begun")

    monkeypatch.setattr("gancli.evaluation.inputs.of_run", late)
    monkeypatch.setattr("gancli.evaluation.inputs.data", late)
    (tmp_path / "PICTURES").mkdir()
    places = {"RUN": str(run), "PICTURES": str(tmp_path / "PICTURES")}
    said = gan("evaluate", *[places.get(w, w) for w in words])
    assert (said.code, named in said.err) == (2, True), said.err


def test_a_score_that_is_no_number_fails_the_gate(gan: Gan, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gancli.evaluation.metrics.fid.FID.compute", lambda *_: {"fid": Score(float("nan"), "")})
    said = gan("evaluate", run, "--n", "60", "--metrics", "fid", "--fail-if", "fid>10")
    assert (said.code, "fid>10 is undefined: nan" in said.err) == (8, True), said.err


def test_the_next_command_is_said(gan: Gan, run: Path, tmp_path: Path) -> None:
    out, few = tmp_path / "s.npz", ["--n", "60", "--metrics", "fid"]
    assert gan("sample", run, "--n", "1", "--out", out).err.endswith(f"next     gan evaluate {run}\n")
    assert "next  " not in gan("sample", run / "model", "--n", "1", "--out", out).err
    assert gan("sample", run, "--n", "1", "--out", out, "--quiet").err == ""
    assert gan("evaluate", run, *few).err.endswith(f"next     gan compare {run} OTHER\n")
    assert "next  " not in gan("evaluate", run, "--out", tmp_path / "e", *few).err
