"""`gan train --from RUN`: the weights of a trained model on other data; Freeze-D."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch

from gancli.inference.loading import load
from tests.conftest import TINY, Gan
from tests.data.conftest import pics

SLOW = ("--max-steps", "1", "--batch-size", "8", "--set", "optimizer.lr=1e-12")


def test_a_run_goes_on_with_other_data(gan: Gan, run: Path, tmp_path: Path) -> None:
    root = pics(tmp_path / "pics", 24, 20)
    said = gan("train", "--data", root, "--from", "small", "--name", "t", "--set", "ema.ramp=0", *SLOW)
    assert said.code == 0, said.err
    assert f"weights of {run.resolve()}: G 4 of 4 tensors, D 4 of 4 tensors" in said.err
    config = json.loads((tmp_path / "runs_dir/t/config.json").read_text())
    assert (config["data"]["image_size"], config["data"]["channels"]) == ([8, 8], 1)
    assert config["task"]["model"]["g_widths"] == [16]
    for ema in (True, False):
        before, after = load(run, ema=ema), load(tmp_path / "runs_dir/t", ema=ema)
        for net in ("G", "D"):
            for name, tensor in before.nets[net].state_dict().items():
                torch.testing.assert_close(after.nets[net].state_dict()[name], tensor, atol=1e-6, rtol=0)
    shutil.move(run, tmp_path / "away")  # not needed any more
    assert gan("resume", "t", "--max-steps", "2").code == 0
    said = gan("train", "--data", root, "--from", tmp_path / "away/model", "--name", "m", *SLOW)
    assert "G 4 of 4 tensors, D new" in said.err


def test_frozen_layers_keep_their_weights_also_after_a_resume(gan: Gan, run: Path, tmp_path: Path) -> None:
    options = ("--from", "small", "--name", "t", "--set", "transfer.freeze.D=1", "--batch-size", "8")
    assert gan("train", "--data", "digits", *options, "--max-steps", "3").code == 0
    assert gan("resume", "t", "--max-steps", "5").code == 0
    before, after = (load(path).nets["D"].state_dict() for path in (run, tmp_path / "runs_dir/t"))
    same = [name for name in before if torch.equal(before[name], after[name])]
    assert same == list(before)[:2], "the first layer's weight and bias"


def test_what_does_not_fit_is_refused_before_a_run_is_made(gan: Gan, run: Path, tmp_path: Path) -> None:
    whole = ("train", "--data", "digits", "--max-steps", "1", "--name", "bad")
    for more, says in (
        (["--from", "small", "--preset", "dcgan"], "leave --preset, --model and --image-size away"),
        (["--from", "small", "--image-size", "16"], "do not fit"),
        (["--from", "small", "--set", "transfer.freeze.D=2"], "freeze fewer"),
        (["--from", "small", "--set", "transfer.freeze.E=1"], "there are: G, D"),
        (["--from", "smal"], "did you mean small"),
    ):
        for dry in ([], ["--dry-run"]):
            said = gan(*whole, *more, *dry)
            assert (said.code, says in said.err) == (2, True), (more, said.err)
    assert not (tmp_path / "runs_dir/bad").exists()
    said = gan(*whole, "--from", "small", *TINY, "--set", "task.condition=concat")
    assert (said.code, "G 3 of 4 tensors" in said.err) == (0, True), "labels are new"
