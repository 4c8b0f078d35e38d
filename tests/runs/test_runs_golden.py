"""Row 24 of the fault table: a checkpoint of an older format loads, resumes and gives the same images, or says why not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import gancli
from gancli.core import migration
from gancli.core.errors import CheckpointError
from gancli.runs import checkpoint

GOLDEN = Path(__file__).parents[1] / "golden"
FORMATS = sorted(p.name for p in GOLDEN.glob("format-*"))


def test_there_is_one_of_this_format() -> None:
    assert f"format-{migration.FORMAT}" in FORMATS


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("part", [".", "model"])
def test_it_gives_the_same_images(form: str, part: str) -> None:
    wanted = np.load(GOLDEN / form / "samples.npy")
    images = gancli.load(GOLDEN / form / part).sample(8, seed=0)
    assert torch.allclose(images, torch.from_numpy(wanted), atol=1e-5)


@pytest.mark.parametrize("form", FORMATS)
def test_it_resumes(form: str, tmp_path: Path, gan) -> None:  # type: ignore[no-untyped-def]
    run = shutil.copytree(GOLDEN / form, tmp_path / "runs_dir" / "old")
    said = gan("resume", "old", "--max-steps", "25", "--allow-data-change")
    assert said.code == 0, said.err
    assert checkpoint.newest(run / "checkpoints", print).step == 25


def test_a_newer_format_says_what_to_do(tmp_path: Path) -> None:
    run = shutil.copytree(GOLDEN / f"format-{migration.FORMAT}", tmp_path / "run")
    path = checkpoint.listed(run / "checkpoints")[0] / checkpoint.MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": migration.FORMAT + 1}))
    with pytest.raises(CheckpointError, match="pip install --upgrade gancli"):
        checkpoint.verify(path.parent)
