"""`gan sample` of walks, and `gan project`, in words."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import Gan


@pytest.fixture
def cats(gan: Gan, tmp_path: Path) -> Path:
    """A conditional run on two classes, black and white pictures."""
    for i in range(40):
        place = tmp_path / "data" / ("cat", "dog")[i % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), 255 * (i % 2)).save(place / f"{i}.png")
    words = ["--preset", "cgan", "--max-steps", "2", "--batch-size", "8", "--name", "c"]
    said = gan("train", "--data", tmp_path / "data", *words)
    assert said.code == 0, said.err
    return tmp_path / "runs_dir/c"


def test_a_walk_is_of_frames(gan: Gan, run: Path, tmp_path: Path) -> None:
    said = gan("sample", run, "--out", tmp_path / "w.gif", "--frames", "10", "--json")
    assert said.json()["n"] == 10
    assert said.json()["seeds"] == [0, 7]
    assert "10 frames of step 20" in gan("sample", run, "--out", tmp_path / "w.gif", "--frames", "10").err
    assert "2 samples of step 20" in gan("sample", run, "--n", "2", "--out", tmp_path / "w.png").err
    said = gan("sample", run, "--n", "64", "--frames", "10", "--out", tmp_path / "w.gif")
    assert (said.code, "--frames" in said.err) == (2, True)


def test_where_a_projection_goes_is_looked_at_first(gan: Gan, run: Path, tmp_path: Path) -> None:
    photo, none = tmp_path / "x.jpg", tmp_path / "none/x.png"
    photo.write_bytes(b"mine")
    for out, named in ((photo, "use .png"), (none, f"mkdir -p {none.parent}")):
        said = gan("project", tmp_path / "missing.png", "--run", run, "--out", out)
        assert (said.code, named in said.err) == (2, True), said.err
    assert photo.read_bytes() == b"mine"


def test_project_says_which_class_it_found(gan: Gan, cats: Path, tmp_path: Path) -> None:
    picture = next((tmp_path / "data/dog").iterdir())
    words = ["project", picture, picture, "--run", cats, "--steps", "1", "--out", tmp_path / "p.png"]
    found = gan(*words, "--json").json()["labels"]
    assert len(found) == 2
    assert f"class {('cat', 'dog')[found[0]]}" in gan(*words).err
    assert gan(*words, "--label", "dog", "--json").json()["labels"] == [1, 1]
    assert gan(*words, "--label", "cat,dog", "--json").json()["labels"] == [0, 1]
    said = gan(*words, "--label", "0,1,1")
    assert (said.code, "3 labels for 2" in said.err) == (2, True)
    said = gan(*words, "--label", "2")
    assert (said.code, "no class 2" in said.err) == (2, True)
