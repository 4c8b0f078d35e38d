"""Two tasks of other kinds, each one file (tests/toys): the whole way, without an edit anywhere else."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import gancli
from gancli.core.samples import FromInput
from gancli.runs import checkpoint, journal, status
from gancli.runs.folder import Run
from gancli.runs.tensors import decode
from tests.conftest import Gan

TOYS = Path(__file__).parent / "toys"
TIMINGS = ("images_per_s", "seconds")


@dataclass(frozen=True)
class Toy:
    """A plug-in, and what it brings."""

    file: Path
    data: str
    task: str
    score: str
    preview: str  # the suffix
    critics: tuple[str, str]

    @property
    def words(self) -> list[Any]:
        """What `gan train` is given."""
        return [
            "--plugin", self.file, "--data", self.data, "--batch-size", 16, "--epochs", 100, "--threads", 1, "--precision", "fp32",
            "--set", f"task.name={self.task}", "--set", "data.repeat=1", "--set", "intervals.log=2", "--set", "intervals.sample=32",
            "--set", "intervals.evaluate_n=20",
        ]  # fmt: skip


TRANSLATE = Toy(TOYS / "translate.py", "toy-blobs", "toy-translate", "toy-distance", ".png", ("D", "D_whole"))
WRITE = Toy(TOYS / "words.py", "toy-steps", "toy-write", "toy-unique", ".txt", ("D", "D_line"))
BOTH = pytest.mark.parametrize("toy", [TRANSLATE, WRITE], ids=lambda toy: toy.task)


def trained(gan: Gan, toy: Toy, name: str, steps: int, *more: Any) -> Run:
    said = gan("train", *toy.words, "--name", name, "--max-steps", steps, *more)
    assert said.code == 0, said.err
    return Run(Path("runs") / name)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GAN_RUNS_DIR")
    monkeypatch.chdir(tmp_path)


def tensors(run: Run) -> dict[str, Any]:
    point = checkpoint.newest(run.checkpoints, print)
    files = [f for f in point.manifest["files"] if f.endswith(".safetensors")]
    return {f"{f} {k}": v for f in files for k, v in decode(point.read(f, 1 << 30), f).items()}


@BOTH
def test_logs_previews_and_status(toy: Toy, gan: Gan) -> None:
    run = trained(gan, toy, "toy", 8)
    line = journal.read(run.journal)[-1]
    for critic in toy.critics:
        assert {f"loss/{critic}", f"grad/{critic}", f"logit/{critic}/real", f"logit/{critic}/fake"} <= line.keys()
    assert {"d_loss", "g_loss", "loss/G", "grad/G"} <= line.keys()
    (looked, *_) = journal.read(run.monitor)
    assert {f"{what}/{critic}" for what in ("apart", "overfit", "real") for critic in toy.critics} <= looked.keys()
    previews = sorted(p.name for p in run.samples.iterdir())
    assert previews[-1] == f"000008{toy.preview}"
    assert (run.path / "curves.png").exists()
    assert status.read(run)["state"] == "finished"


@BOTH
def test_resumes_bitwise(toy: Toy, gan: Gan) -> None:
    whole, parts = trained(gan, toy, "whole", 9), trained(gan, toy, "parts", 5)
    said = gan("resume", "parts", "--plugin", toy.file, "--max-steps", 9)
    assert said.code == 0, said.err
    wanted, found = tensors(whole), tensors(parts)
    assert wanted.keys() == found.keys()
    assert all(torch.equal(wanted[k], found[k]) for k in wanted)
    lines = [
        [{k: v for k, v in line.items() if k not in TIMINGS} for line in journal.read(run.journal)]
        for run in (whole, parts)
    ]
    assert lines[0] == lines[1]
    names = [[p.name for p in sorted(run.samples.iterdir())] for run in (whole, parts)]
    assert names[0][-1] == names[1][-1]
    assert (whole.samples / names[0][-1]).read_bytes() == (
        parts.samples / names[0][-1]
    ).read_bytes() or toy is TRANSLATE


@BOTH
def test_is_validated_and_evaluated_by_its_own_metric(toy: Toy, gan: Gan) -> None:
    run = trained(gan, toy, "toy", 8, "--evaluate-every", 64)
    scores = journal.read(run.scores)
    assert len(scores) == 2
    assert all(any(key.startswith(toy.score) for key in line) and "best" in line for line in scores)
    said = gan("evaluate", "toy", "--plugin", toy.file, "--n", 30)
    assert said.code == 0, said.err
    found = json.loads((run.path / "evaluation.json").read_text())
    (score,) = (value for key, value in found["scores"].items() if key.startswith(toy.score))
    assert np.isfinite(score["value"])
    assert (run.path / "evaluation.png").exists()
    assert toy.score in said.out
    listed = gan("list", "runs", "--plugin", toy.file)
    assert listed.code == 0, listed.err
    assert "toy" in listed.out


def test_writes_lines(gan: Gan, tmp_path: Path) -> None:
    trained(gan, WRITE, "toy", 8)
    said = gan("sample", "toy", "--plugin", WRITE.file, "--n", 12, "--out", tmp_path / "lines.txt")
    assert said.code == 0, said.err
    lines = (tmp_path / "lines.txt").read_text().splitlines()
    assert len(lines) == 12
    assert gan("sample", "toy", "--plugin", WRITE.file, "--seeds", "5", "--out", tmp_path / "one.txt").code == 0
    assert (tmp_path / "one.txt").read_text().splitlines() == [lines[5]]


def test_translates_pictures(gan: Gan, tmp_path: Path) -> None:
    run = trained(gan, TRANSLATE, "toy", 60)
    model = gancli.load(run.path)
    images = np.full((3, 1, 16, 16), 200, np.uint8)
    images[1] = 30
    made = model.generate(FromInput(images=images))
    alone = model.generate(FromInput(images=images[1:2]))
    assert made.images.shape == images.shape  # type: ignore[attr-defined]
    assert np.array_equal(made.images[1], alone.images[0])  # type: ignore[attr-defined]
    assert made.images[0].mean() < made.images[1].mean()  # type: ignore[attr-defined]  # negatives
    refused = gan("sample", "toy", "--plugin", TRANSLATE.file, "--out", tmp_path / "x.png")
    assert refused.code == 2, refused.err
