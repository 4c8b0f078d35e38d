"""Runs as people really have them: refusals, defaults that fit, data that moved, nights of training."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from gancli.runs.folder import Run
from tests.conftest import Gan
from tests.data.conftest import pics

SMALL = ("--set", "task.model.g_width=8", "--set", "task.model.d_width=8")
QUICK = ("--preset", "textbook", "--max-steps", "1", "--batch-size", "4")


def test_what_is_refused_leaves_nothing_behind(gan: Gan, tmp_path: Path) -> None:
    ok, one = pics(tmp_path / "ok", 24), pics(tmp_path / "one" / "cat", 24).parent
    assert gan("train", "--data", ok, *QUICK, "--name", "good").code == 0
    for wrong in (
        ("--preset", "cgan"), ("--preset", "dcgan", "--image-size", "4"), ("--set", "task.condition=projection"),
    ):  # fmt: skip
        said = gan("train", "--data", one, "--max-steps", "1", "--batch-size", "4", "--name", "bad", *wrong)
        assert said.code == 2, (wrong, said.err)
        assert not (tmp_path / "runs_dir/bad").exists()
    assert gan("sample", "--n", "2", "--out", tmp_path / "s.png").code == 0
    assert gan("resume", "--max-steps", "2").code == 0


def test_the_newest_run_is_the_newest_that_has_a_checkpoint(gan: Gan, tmp_path: Path) -> None:
    ok = pics(tmp_path / "ok", 24)
    assert gan("train", "--data", ok, *QUICK, "--name", "good").code == 0
    shutil.copytree(tmp_path / "runs_dir/good", tmp_path / "runs_dir/killed")
    shutil.rmtree(tmp_path / "runs_dir/killed/checkpoints")
    (tmp_path / "runs_dir/killed/config.json").touch()
    for verb in (("sample", "--n", "2", "--out", tmp_path / "s.png"), ("resume", "--max-steps", "2"), ("doctor",)):
        assert "runs_dir/good" in gan(*verb).err, verb


@pytest.mark.parametrize("n", [1, 2, 3, 5, 19])
def test_few_pictures_train(n: int, gan: Gan, tmp_path: Path) -> None:
    root = pics(tmp_path / "few", n, 16)
    said = gan(
        "train",
        "--data",
        root,
        "--max-steps",
        "2",
        "--set",
        "task.model.g_width=8",
        "--set",
        "task.model.d_width=8",
        "--name",
        "few",
    )
    assert said.code == 0, said.err
    assert "training images are very few: expect copies" in said.err
    config = json.loads((tmp_path / "runs_dir/few/config.json").read_text())
    assert config["batch_size"] <= max(n, 2)
    assert gan("resume", "few", "--max-steps", "3").code == 0
    assert gan("sample", "few", "--n", "2", "--out", tmp_path / "s.png").code == 0


@pytest.mark.parametrize("size", [4, 6])
def test_pictures_that_the_nets_do_not_take_are_scaled(size: int, gan: Gan, tmp_path: Path) -> None:
    root = pics(tmp_path / "small", 24, size)
    options = (
        "--max-steps",
        "1",
        "--set",
        "task.model.g_width=8",
        "--set",
        "task.model.d_width=8",
        "--batch-size",
        "4",
    )
    said = gan("train", "--data", root, *options, "--name", "r")
    assert said.code == 0, said.err
    assert f"chose images scaled from {size}x{size} to 8x8, which the nets take" in said.err
    assert gan("resume", "r", "--max-steps", "2").code == 0
    assert gan("train", "--data", root, *options, "--image-size", str(size)).code == 2


def test_large_pictures_are_scaled(gan: Gan, tmp_path: Path) -> None:
    root = pics(tmp_path / "large", 4, 1500)
    said = gan("data", root)
    assert "shape       1024x1024, RGB" in said.out
    assert "the pictures are 1500x1500; they are scaled to 1024x1024 (height x width)" in said.out


@pytest.mark.parametrize("form", ["folder", "npz"])
def test_data_that_moved(form: str, gan: Gan, tmp_path: Path) -> None:
    root = pics(tmp_path / "mv", 24)
    assert gan("train", "--data", root, *QUICK, "--name", "m").code == 0
    moved = tmp_path / "else where"
    if form == "folder":
        root.rename(moved)
    else:
        from PIL import Image

        moved = tmp_path / "b.npz"
        np.savez(moved, images=np.stack([np.asarray(Image.open(p)) for p in sorted(root.iterdir())]))
        shutil.rmtree(root)
    said = gan("resume", "m", "--max-steps", "2")
    assert (said.code, "resume" in said.err.split("->")[-1], "--data PATH" in said.err) == (3, True, True)
    said = gan("evaluate", "m", "--n", "8", "--metrics", "fid")
    assert (said.code, "gan evaluate" in said.err.split("->")[-1]) == (3, True)
    said = gan("evaluate", "m", "--n", "8", "--metrics", "fid", "--data", moved)
    assert (said.code, "not what this run was trained on" in said.err) == (0, False), said.err
    other = pics(tmp_path / "other", 24, first=50)
    said = gan("resume", "m", "--max-steps", "2", "--data", other)
    assert (said.code, "the data is not what this run was trained on" in said.err) == (3, True)
    for data in (("--data", moved), ()):  # the new place is remembered
        said = gan("resume", "m", "--max-steps", "3" if data else "4", *data)
        assert said.code == 0, said.err


def test_minutes_are_those_of_this_start(gan: Gan, tmp_path: Path) -> None:
    root = pics(tmp_path / "ok", 24)
    night = ("--max-minutes", "0.001", "--epochs", "1000")
    assert gan("train", "--data", root, "--preset", "textbook", "--batch-size", "4", *night, "--name", "n").code == 0
    steps = []
    for _ in range(2):
        steps.append(json.loads((tmp_path / "runs_dir/n/status.json").read_text())["step"])
        assert gan("resume", "n").code == 0
    assert steps[0] < steps[1] < json.loads((tmp_path / "runs_dir/n/status.json").read_text())["step"]


def test_more_minutes_make_a_run_longer_whose_length_was_fitted_to_minutes(gan: Gan, tmp_path: Path) -> None:
    def steps() -> int:
        return int(json.loads((tmp_path / "runs_dir/m/status.json").read_text())["step"])

    short = ("--preset", "textbook", "--batch-size", "4", "--max-minutes", "0.01")
    assert gan("train", "--data", pics(tmp_path / "ok", 24), *short, "--name", "m").code == 0
    assert json.loads((tmp_path / "runs_dir/m/config.json").read_text())["stop"]["fitted"]
    for minutes in ("0.01", "0.02"):
        before = steps()
        assert gan("resume", "m", "--max-minutes", minutes).code == 0
        assert steps() > before
    length = 4 * steps() + 40
    assert gan("resume", "m", "--images", length).code == 0  # a length, which stays
    assert gan("resume", "m", "--max-minutes", "0.01").code == 0
    stop = Run(tmp_path / "runs_dir/m").config().stop
    assert (stop.images, stop.fitted) == (length, False)


def test_batch_size_and_rate_may_change_at_a_resume_and_are_recorded(gan: Gan, tmp_path: Path) -> None:
    root = pics(tmp_path / "ok", 24)
    assert gan("train", "--data", root, *QUICK, "--name", "r").code == 0
    said = gan("resume", "r", "--max-steps", "2", "--set", "batch_size=8", "--set", "optimizer.lr=0.001")
    assert said.code == 0, said.err
    assert "changed from step 1 on: batch_size 4 -> 8, optimizer.lr" in said.err
    assert gan("resume", "r", "--max-steps", "3").code == 0
    lines = [json.loads(line) for line in (tmp_path / "runs_dir/r/history.jsonl").read_text().splitlines()]
    assert lines[0]["changes"]["batch_size"] == 8
    assert json.loads((tmp_path / "runs_dir/r/status.json").read_text())["images"] == 4 + 8 + 8
    said = gan("resume", "r", "--max-steps", "4", "--set", "task.loss=hinge")
    assert (said.code, "cannot change task.loss" in said.err) == (2, True)


@pytest.mark.parametrize("name", ["mein Lauf", "Übung 2", "猫", "v1 (final)"])
def test_names_of_runs(name: str, gan: Gan, tmp_path: Path) -> None:
    root = pics(tmp_path / "ok", 24)
    said = gan("train", "--data", root, *QUICK, "--name", name)
    assert said.code == 0, said.err
    assert gan("resume", name, "--max-steps", "2").code == 0
    for wrong in ("../x", " x", "x ", "a/b", ".x", "-x", "x\n", ""):
        assert gan("train", "--data", root, *QUICK, "--name", wrong).code == 2, wrong


def test_a_preset_that_ignores_known_labels_says_so(gan: Gan, tmp_path: Path) -> None:
    for i, name in enumerate(("cat", "dog")):
        pics(tmp_path / "pets" / name, 12, first=20 * i)
    said = gan("train", "--data", tmp_path / "pets", *QUICK)
    assert (said.code, "the nets are not conditional on the 2 classes" in said.err) == (0, True), said.err
    assert "not conditional" not in gan("train", "--data", tmp_path / "pets", *QUICK, "--preset", "cgan").err
