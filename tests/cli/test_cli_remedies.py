"""What messages and pages tell people to do works."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from tests.conftest import TINY, Gan


def test_classes_by_name_and_a_folder_for_each(gan: Gan, tmp_path: Path) -> None:
    for k, name in enumerate(("cat", "dog")):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for i in range(12):
            Image.fromarray(np.full((8, 8), 100 * k + i, np.uint8)).save(tmp_path / "pets" / name / f"{i}.png")
    said = gan("train", "--data", tmp_path / "pets", "--max-steps", "1", *TINY)
    assert "the nets are not conditional on the 2 classes" in said.err
    said = gan(
        "train", "--data", tmp_path / "pets", "--max-steps", "1", "--name", "r", "--set", "task.condition=concat", *TINY
    )
    assert said.code == 0, said.err
    out = tmp_path / "new"
    said = gan("sample", "r", "--label", "dog", "--n", "2", "--out", out)
    assert said.code == 0, said.err
    assert "2 samples of step 1 ->" in said.err
    assert gan("sample", "r", "--labels", "cat,1", "--n", "2", "--out", out).code == 0
    assert sorted(str(p.relative_to(out)) for p in out.rglob("*.png")) == [
        "cat/seed000000.png", "dog/seed000000.png", "dog/seed000001.png",
    ]  # fmt: skip
    said = gan("sample", "r", "--label", "cow", "--out", out)
    assert (said.code, "cat, dog" in said.err) == (2, True)
    said = gan("sample", "r", "--label", "dog", "--n", "2", "--no-ema", "--out", out)
    assert (said.code, "holds other samples" in said.err) == (2, True)
    assert gan("data", out).code == 0


def test_a_folder_and_its_options(gan: Gan, tmp_path: Path) -> None:
    """What the message about broken pictures says to do is done."""
    (tmp_path / "messy").mkdir()
    for i in range(12):
        Image.fromarray(np.full((8, 8), i, np.uint8)).save(tmp_path / "messy" / f"{i}.png")
    (tmp_path / "messy" / "broken.png").write_bytes(b"\x89PNG no picture")
    said = gan("train", "--data", tmp_path / "messy", "--max-steps", "1", *TINY)
    assert said.code == 3
    option = said.err.strip().split()[-1]
    said = gan("train", "--data", tmp_path / "messy", "--max-steps", "1", option, *TINY)
    assert said.code == 0, said.err


def test_a_runs_own_configuration_starts_another(gan: Gan, run: Path, tmp_path: Path) -> None:
    said = gan(
        "train", "--config", run / "config.json", "--set", "task.loss=hinge", "--max-steps", "1", "--name", "other"
    )
    assert said.code == 0, said.err
    config = json.loads((tmp_path / "runs_dir/other/config.json").read_text())
    assert (config["task"]["loss"]["name"], config["task"]["model"]["g_widths"]) == ("hinge", [16])


def test_a_quality_that_was_not_reached_is_said(gan: Gan) -> None:
    said = gan("train", "--data", "digits", "--images", "64", "--until", "fid<0.001", "--evaluate-every", "32",
               "--set", "intervals.evaluate_n=32", *TINY)  # fmt: skip
    assert said.code == 0, said.err
    assert "fid<0.001 was not reached" in said.err
    assert gan("train", "--data", "digits", "--until", "fid8", "--dry-run", *TINY).code == 2
