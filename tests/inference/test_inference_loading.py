"""What a run's checkpoints give: whose weights they are, and which of them where one is damaged or goes away."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from gancli.inference.loading import load
from gancli.runs import checkpoint
from tests.conftest import TINY, Gan


@pytest.fixture
def steps(gan: Gan, tmp_path: Path) -> Path:
    """A run that has checkpoints of the steps 2, 4 and 6."""
    words = ["--max-steps", "6", "--save-every", "64", "--keep", "3", "--name", "steps"]
    said = gan("train", "--data", "digits", *words, *TINY)
    assert said.code == 0, said.err
    assert len(checkpoint.listed(tmp_path / "runs_dir/steps/checkpoints")) == 3
    return tmp_path / "runs_dir/steps"


def test_a_run_without_an_average(gan: Gan, tmp_path: Path) -> None:
    words = ["--max-steps", "2", "--set", "ema.half_life=0", "--name", "raw"]
    assert gan("train", "--data", "digits", *words, *TINY).code == 0
    run = tmp_path / "runs_dir/raw"
    assert gan("sample", run, "--n", "2", "--out", tmp_path / "x.npz", "--json").json()["ema"] is False
    assert gan("evaluate", run, "--n", "60", "--metrics", "fid").code == 0
    assert json.loads((run / "evaluation.json").read_text())["protocol"]["fakes"]["ema"] is False
    assert load(run / "model", ema=False).facts["ema"] is False


def test_a_run_with_an_average(run: Path) -> None:
    assert load(run).facts["ema"] is True
    assert load(run, ema=False).facts["ema"] is False
    assert load(run / "model").facts["ema"] is True


def test_a_damaged_checkpoint_is_named(gan: Gan, steps: Path, tmp_path: Path) -> None:
    file = steps / "checkpoints/000006/nets.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    assert gan("sample", steps, "--seeds", "7", "--out", tmp_path / "one").code == 0
    picture = tmp_path / "one/seed000007.png"
    for words in (
        ["sample", steps, "--n", "1", "--out", tmp_path / "x.npz"],
        ["evaluate", steps, "--n", "60", "--metrics", "fid"],
        ["project", picture, "--run", steps, "--steps", "1", "--out", tmp_path / "p.png"],
    ):
        said = gan(*words)
        assert said.code == 0, said.err
        assert "skipped checkpoint 000006: 000006/nets.safetensors is damaged" in said.err
    assert gan("sample", steps, "--n", "1", "--out", tmp_path / "x.npz", "--json").json()["step"] == 4


@pytest.mark.parametrize("pruned", [["000004"], ["000004", "000002"]], ids=len)
def test_a_trainer_prunes_what_was_listed(
    steps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pruned: list[str]
) -> None:
    there, verify = steps / "checkpoints", checkpoint.verify
    (there / "000006").rename(tmp_path / "later")

    def late(path: Path) -> checkpoint.Checkpoint:
        if not (there / "000006").exists():
            (tmp_path / "later").rename(there / "000006")
            for name in pruned:
                shutil.rmtree(there / name)
        return verify(path)

    monkeypatch.setattr(checkpoint, "verify", late)
    said: list[str] = []
    assert load(steps, note=said.append).tick.step == 6
    assert said == []
