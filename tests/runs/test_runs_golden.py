"""Row 24 of the fault table: a checkpoint of an older format loads, resumes and gives the same images, or says why not.

`format-1-conditional` is a run of format 1 with all that changed its name or its meaning: `labels-if-any`, two turns of D, ADA, a
lazy penalty, optimizers of single nets, a change in its history, scores, an open window. `after` is what format 1 made of it at step 32.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from faults import Heard
from PIL import Image

import gancli
from gancli.core import migration
from gancli.core.config import Layer
from gancli.core.data import Reading
from gancli.core.errors import CheckpointError, UsageError
from gancli.core.registry import build
from gancli.data import find
from gancli.runs import checkpoint, journal
from gancli.runs.folder import Run
from gancli.training.prepare import Request, again, make
from gancli.training.session import train
from gancli.training.start import extend

GOLDEN = Path(__file__).parents[1] / "golden"
FORMATS = sorted(p.name for p in GOLDEN.glob("format-*"))
BUSY = GOLDEN / "format-1-conditional"
FINGERPRINTS = {  # 12 of 60 images held out; of classes as format 1 took it, of the others since the order is that of the classes
    "classes": "67bb1dadd01b71ef7e4600d916b4a91c2e32313f",
    "measured": "aa7ff3ef4d625a7ce597e41597997f7c9c737535",
    "arrays.npz": "e9dfbe5594ddd08672ac8a414d76387621cdd9c5",
}


def copied(form: str, place: Path) -> Run:
    return Run(Path(shutil.copytree(GOLDEN / form, place / "run")))


def resumed(run: Run, change: Layer) -> Heard:
    """Go on with a run, as `gan resume` does."""
    torch.set_num_threads(1)
    cfg, place, heard = extend(run, [change]), run.path.parent, Heard()
    data = cfg.data
    how = Reading(
        place / "data", place / "cache", data.image_size, data.channels, False, holdout=data.holdout,
        validation=data.validation, note=heard.said.append,
    )  # fmt: skip
    train(run, again(cfg, how), [heard], resumed=True)
    return heard


def test_there_is_one_of_this_format() -> None:
    assert f"format-{migration.FORMAT}" in FORMATS


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("part", [".", "model"])
def test_it_gives_the_same_images(form: str, part: str) -> None:
    wanted = np.load(GOLDEN / form / "samples.npy")
    images = gancli.load(GOLDEN / form / part).sample(8, seed=0)
    assert torch.allclose(images, torch.from_numpy(wanted), atol=1e-5)


@pytest.mark.parametrize("form", FORMATS)
def test_it_resumes_on_the_same_data(form: str, tmp_path: Path) -> None:
    run = copied(form, tmp_path)
    said = resumed(run, {"stop": {"max_steps": 25}}).said
    assert any(text.startswith("resumed from step ") for text in said)
    assert not any("the data is not" in text for text in said)
    point = checkpoint.newest(run.checkpoints, print)
    assert point.step == 25
    assert point.manifest["format"] == migration.FORMAT
    assert "optimizer.safetensors" in point
    resumed(run, {"stop": {"max_steps": 26}})
    assert json.loads((run.path / "config.json").read_text()) == json.loads((GOLDEN / form / "config.json").read_text())


@pytest.mark.parametrize("form", FORMATS)
def test_the_command_line_resumes_it(form: str, tmp_path: Path, gan: Any) -> None:
    run = shutil.copytree(GOLDEN / form, tmp_path / "runs_dir" / "old")
    said = gan("resume", "old", "--max-steps", "25")
    assert said.code == 0, said.err
    assert checkpoint.newest(run / "checkpoints", print).step == 25


def test_format_1_goes_on(tmp_path: Path) -> None:
    """As it would have with today's parts (`tests/golden/make.py --after`)."""
    run = copied(BUSY.name, tmp_path)
    assert "this run has no validation set: it goes on without scores" in resumed(run, {"stop": {"max_steps": 32}}).said
    images = gancli.load(run.path).sample(8, seed=0)
    torch.testing.assert_close(images, torch.from_numpy(np.load(BUSY / "after.npy")), rtol=0, atol=1e-3)
    wanted = json.loads((BUSY / "after.json").read_text())["lines"]
    lines = journal.read(run.journal)
    assert [line["step"] for line in lines] == [3, 6, 9, 12, 15, 18, 25, 30, 32]
    for line, old in zip(lines[-2:], map(migration.line, wanted), strict=True):
        assert old.keys() | {"images_per_s", "seconds"} == line.keys()
        for key in ("images", "loss/G", "grad/G", "penalty/D/r1"):  # D's are now means over its two turns
            assert line[key] == pytest.approx(old[key], rel=1e-3), key
    assert len(journal.read(run.scores)) == 2


def test_the_open_window_of_format_1_is_closed_under_today_s_keys(tmp_path: Path) -> None:
    """Steps 19 to 23 were logged by format 1, 24 and 25 by today's step: one line with one set of keys."""
    run = copied(BUSY.name, tmp_path)
    state = json.loads((BUSY / "checkpoints" / "000023" / "state.json").read_text())
    assert state["window"]["g_loss"][1] == 5
    resumed(run, {"stop": {"max_steps": 25}})
    raw = [json.loads(line) for line in run.journal.read_text().splitlines()]
    assert [line["step"] for line in raw[-2:]] == [18, 25]
    assert "logit_real" in raw[-2]
    assert not {"logit_real", "d_grad", "d_r1", "d_lecam"} & raw[-1].keys()
    assert {"d_loss", "g_loss", "loss/D", "loss/G", "logit/D/real", "penalty/D/r1", "update/D"} <= raw[-1].keys()
    assert raw[-1]["d_loss"] == raw[-1]["loss/D"]


def test_the_monitor_goes_on_from_the_lines_of_format_1(tmp_path: Path) -> None:
    run = copied(BUSY.name, tmp_path)
    resumed(run, {"stop": {"max_steps": 34}})
    raw = [json.loads(line) for line in run.monitor.read_text().splitlines()]
    assert [line["step"] for line in raw] == [12, 23, 34]
    assert "real" in raw[0]
    assert "real/D" in raw[2]
    assert "overfit/D" not in raw[2], "there is no validation set"
    read = journal.read(run.monitor)
    assert all({"real/D", "apart/D", "spread", "update/D", "grad/G"} <= line.keys() for line in read)


def test_until_cannot_hold_without_a_validation_set(tmp_path: Path) -> None:
    run = copied("format-1", tmp_path)
    with pytest.raises(UsageError, match=r"validation set is too small .* 0 images .*--until \"\""):
        resumed(run, {"stop": {"max_steps": 25, "until": "fid<8"}})
    assert checkpoint.newest(run.checkpoints, print).step == 20


def test_labels_if_any_of_a_run_without_a_model_folder(tmp_path: Path) -> None:
    """Its first checkpoint knows the classes; without one there is nothing to go on from, and a new run finds them in its data."""
    run = copied(BUSY.name, tmp_path)
    shutil.rmtree(run.model)
    assert run.config().task.condition.name == "projection"  # type: ignore[attr-defined]
    shutil.rmtree(run.checkpoints)
    with pytest.raises(CheckpointError, match="labels-if-any"):
        run.config()
    from gancli.core.config import read_table

    how = Reading(tmp_path / "data", tmp_path / "cache")
    table = read_table(run.path / "config.json")
    made = make(Request([table], None, how.data_dir, how.cache_dir, False), how)
    assert made.cfg.task.condition.name == "projection"  # type: ignore[attr-defined]
    assert len(made.split.validation)


def test_a_newer_format_says_what_to_do(tmp_path: Path) -> None:
    run = copied("format-1", tmp_path).path
    path = checkpoint.listed(run / "checkpoints")[0] / checkpoint.MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": migration.FORMAT + 1}))
    with pytest.raises(CheckpointError, match="pip install --upgrade gancli"):
        checkpoint.verify(path.parent)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same 60 images in folders by class, with a table of labels and attributes, and as arrays."""
    place = tmp_path_factory.mktemp("pictures")
    images = [np.random.Generator(np.random.PCG64(i)).integers(0, 256, (9, 8, 3), dtype=np.uint8) for i in range(60)]
    for folder in ("classes/a", "classes/b", "measured"):
        (place / folder).mkdir(parents=True)
    for i, image in enumerate(images):
        Image.fromarray(image).save(place / "classes" / "ab"[i % 2] / f"{i:02d}.png")
        Image.fromarray(image[:, :, 0]).save(place / "measured" / f"{i:02d}.png")
    lines = ["file,ink,label", *(f"{i:02d}.png,{i / 7},{i % 3}" for i in range(60))]
    (place / "measured" / "labels.csv").write_text("\n".join(lines))
    np.savez(place / "arrays.npz", images=np.stack(images), labels=np.arange(60) % 4)
    return place


@pytest.mark.parametrize("name", FINGERPRINTS)
def test_data_have_the_fingerprint_of_format_1_without_a_validation_set(
    name: str, pictures: Path, tmp_path: Path
) -> None:
    source: Any = build("data", find.source_for(str(pictures / name)))
    whole = find.read(source, Reading(pictures, tmp_path, holdout=0.2, validation=0.0))
    assert (len(whole.train), len(whole.validation), len(whole.test)) == (48, 0, 12)
    assert whole.train.fingerprint == FINGERPRINTS[name]
    less = find.read(source, Reading(pictures, tmp_path, holdout=0.2, validation=0.1))
    assert len(less.validation)
    assert len(less.train) + len(less.validation) == 48
    assert less.train.fingerprint != whole.train.fingerprint
    assert less.test.fingerprint == whole.test.fingerprint
