"""`gan evaluate --images`: folders against folders, where nothing was trained."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import TINY, Gan
from tests.data.conftest import pics

FID = ("--metrics", "fid", "--json", "--features", "random-conv")


def score(found: dict[str, Any], name: str = "fid") -> dict[str, Any]:
    return next(value for key, value in found["scores"].items() if key.startswith(f"{name}@"))


@pytest.mark.parametrize("form", ["folder", "npz", "parts", "classes"])
def test_a_folder_against_itself_is_zero(form: str, gan: Gan, tmp_path: Path) -> None:
    a = pics(tmp_path / "A", 60, 16)
    path = a
    if form == "npz":
        path = tmp_path / "b.npz"
        np.savez(path, images=np.stack([np.asarray(Image.open(p)) for p in sorted(a.iterdir())]))
    elif form != "folder":
        path = tmp_path / "B"
        for i, file in enumerate(sorted(a.iterdir())):
            to = path / (("train", "test") if form == "parts" else ("cat", "dog"))[i % 2]
            to.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, to)
    found = gan("evaluate", "--images", a, "--against", path, *FID).json()
    assert abs(score(found)["value"]) < 0.01
    assert (found["protocol"]["n_real"], found["protocol"]["n_fake"]) == (60, 60)
    assert found["protocol"]["split"] == "all images"


def test_all_of_both_sides_is_used_and_the_reference_is_of_two_halves(gan: Gan, tmp_path: Path) -> None:
    a, b = pics(tmp_path / "A", 40, 16), pics(tmp_path / "B", 70, 16, first=100)
    found = gan("evaluate", "--images", a, "--against", b, *FID).json()
    assert (found["protocol"]["n_real"], found["protocol"]["n_fake"]) == (70, 40)
    assert score(found)["reference"] > 0
    again = gan("evaluate", "--images", a, "--against", b, "--n", "30", *FID).json()
    assert (again["protocol"]["n_real"], again["protocol"]["n_fake"]) == (30, 30)
    said = gan("evaluate", "--images", a, "--against", b, "--metrics", "fid,kid,prc", "--features", "random-conv")
    assert said.code == 0, said.err
    said = gan("evaluate", "--images", a, "--against", b, "--metrics", "memorization")
    assert (said.code, "nothing was trained" in said.err) == (2, True)


def test_classes_of_both_folders_are_used(gan: Gan, tmp_path: Path) -> None:
    for k, root in enumerate(("A", "B")):
        for i, name in enumerate(("cat", "dog")):
            folder = tmp_path / root / name
            folder.mkdir(parents=True)
            for j in range(30):
                rng = np.random.default_rng(100 * k + j)
                Image.fromarray(rng.integers(100 * i, 100 * i + 99, (16, 16, 3), np.uint8)).save(folder / f"{j}.png")
    both = ("evaluate", "--images", tmp_path / "A", "--against", tmp_path / "B", "--features", "random-conv")
    said = gan(*both, "--metrics", "per-class-fid")
    assert said.code == 0, said.err
    assert "not used" not in said.err
    (tmp_path / "A/cat").rename(tmp_path / "A/cow")
    said = gan(*both, "--metrics", "fid")
    assert (said.code, "are not those of the data, and are not used" in said.err) == (0, True), said.err


def test_broken_pictures_can_be_left_out(gan: Gan, tmp_path: Path) -> None:
    a, b = pics(tmp_path / "A", 12, 16), pics(tmp_path / "B", 60, 16, first=100)
    (a / "bad.jpg").write_bytes(b"")
    said = gan("evaluate", "--images", a, "--against", b, *FID)
    assert (said.code, said.err.strip().split()[-1]) == (3, "--skip-broken")
    assert gan("evaluate", "--images", a, "--against", b, *FID, "--skip-broken").json()["protocol"]["n_fake"] == 12
    (b / "bad.jpg").write_bytes(b"")
    assert gan("evaluate", "--images", a, "--against", b, *FID, "--skip-broken").json()["protocol"]["n_real"] == 60


def test_a_small_set_is_scored_against_its_training_data_when_asked(gan: Gan, tmp_path: Path) -> None:
    root = pics(tmp_path / "few", 15)
    said = gan("train", "--data", root, "--max-steps", "1", "--preset", "textbook", "--name", "r", *TINY[4:])
    assert said.code == 0, said.err
    found = gan("evaluate", "r", "--n", "16", "--split", "train", *FID).json()
    assert (found["protocol"]["split"], found["protocol"]["n_real"]) == ("train set", 12)
    (score,) = found["scores"].values()
    assert score["reference"] > 1e-3, "of one half against the other, not of the same images"
    said = gan("evaluate", "r", "--n", "16", "--split", "train", "--metrics", "copied")
    assert (said.code, "copies cannot be distinguished from others" in said.err) == (2, True)
