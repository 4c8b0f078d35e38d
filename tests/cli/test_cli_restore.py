"""`gan apply` with masks, both ends of a restoration and several fillings; bad masks lose nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import Gan

TINY = [
    "--data", "digits", "--batch-size", "8", "--max-steps", "6", "--set", "task.translator.width=4", "--set", "task.critic.width=4",
    "--set", "task.translator.blocks=1", "--set", "task.realistic=0.5", "--images", "48", "--set", "optimizers.R.lr=0.005",
    "--set", "optimizers.R.schedule.warmup=0",
]  # fmt: skip


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def pixels(path: Path | str) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.fixture
def fill(gan: Gan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that fills holes, and a picture with its mask."""
    monkeypatch.chdir(tmp_path)
    said = gan("train", "--preset", "inpaint", "--name", "fill", "--set", "task.z=2", *TINY)
    assert said.code == 0, said.err
    Image.fromarray(noise(20, 30)).save("photo.png")
    mask = np.zeros((20, 30), np.uint8)
    mask[5:9, 5:20], mask[0] = 255, 127  # 127 is known
    Image.fromarray(mask).save("hole.png")
    return tmp_path


def test_holes_are_filled_and_the_rest_stays(gan: Gan, fill: Path) -> None:
    said = gan("apply", "fill", "photo.png", "--mask", "hole.png", "--out", "a.png", "--realism", "0")
    assert said.code == 0, said.err
    assert "hole 10 % of the picture" in said.err
    before, made, hole = pixels("photo.png"), pixels("a.png"), pixels("hole.png") > 127
    assert np.array_equal(made[~hole], before[~hole])
    assert not np.array_equal(made[hole], before[hole])
    Image.fromarray(255 - pixels("hole.png") - (pixels("hole.png") == 127)).save("dark.png")
    assert (
        gan(
            "apply", "fill", "photo.png", "--mask", "dark.png", "--hole", "black", "--out", "b.png", "--realism", "0"
        ).code
        == 0
    )
    assert np.array_equal(pixels("b.png"), made)
    clear = np.dstack([before, np.where(hole, 0, 255).astype(np.uint8)])
    Image.fromarray(clear, "LA").save("clear.png")  # its own transparency is the hole
    for words in (
        ["clear.png"],
        ["photo.png", "--mask", "clear.png"],
        ["photo.png", "--mask", "clear.png", "--hole", "alpha"],
    ):
        said = gan("apply", "fill", *words, "--out", "c.png", "--realism", "0", "--alpha", "drop")
        assert said.code == 0, said.err
        assert np.array_equal(pixels("c.png")[~hole], before[~hole])
        assert not np.array_equal(pixels("c.png")[hole], before[hole])


def test_several_fillings_and_a_folder_of_pictures_with_masks(gan: Gan, fill: Path) -> None:
    said = gan("apply", "fill", "photo.png", "--mask", "hole.png", "--n", "3", "--out", "many")
    assert said.code == 0, said.err
    made = [pixels(path) for path in sorted((fill / "many").iterdir())]
    hole = pixels("hole.png") > 127
    assert len(made) == 3
    assert not np.array_equal(made[0], made[1])
    assert all(np.array_equal(x[~hole], pixels("photo.png")[~hole]) for x in made)
    folder = fill / "in"
    folder.mkdir()
    for name in ("one", "two", "bare"):
        Image.fromarray(noise(20, 30)).save(folder / f"{name}.png")
    for name in ("one", "two"):
        Image.open("hole.png").save(folder / f"{name}_mask.png")
    said = gan("apply", "fill", folder, "--out", "out")
    assert (said.code, sorted(p.name for p in (fill / "out").iterdir())) == (3, ["one.png", "two.png"])
    assert "bare.png is skipped: bare.png has no mask" in said.err
    said = gan("apply", "fill", folder / "one.png", "--out", "single.png")  # its mask is found by itself
    assert said.code == 0, said.err
    assert np.array_equal(pixels("single.png"), pixels(fill / "out/one.png"))


def test_bad_masks_are_said_and_nothing_is_lost(gan: Gan, fill: Path) -> None:
    def apply(*words: str) -> tuple[int, str]:
        said = gan("apply", "fill", "photo.png", "--out", "x.png", *words)
        return said.code, said.err

    code, err = apply()
    assert (code, "photo.png has no mask" in err, "photo_mask.png" in err) == (3, True, True), err
    Image.fromarray(noise(19, 30)).save("other.png")
    code, err = apply("--mask", "other.png")
    assert (code, "has 19x30 pixels (height x width), and photo.png 20x30" in err) == (3, True), err
    assert not (fill / "x.png").exists()
    for value, what in ((255, "is the mask inverted"), (0, "the mask is empty")):
        Image.fromarray(np.full((20, 30), value, np.uint8)).save("flat.png")
        code, err = apply("--mask", "flat.png")
        assert (code, what in err) == (0, True), err
    assert np.array_equal(pixels("x.png"), pixels("photo.png"))
    code, err = apply("--mask", "hole.png", "--hole", "alpha")
    assert (code, "has no alpha channel" in err) == (3, True), err
    code, err = apply("--mask", "hole.png", "--hole", "grey")
    assert (code, "use white, black, alpha" in err) == (2, True), err
    (fill / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nxxxx")
    code, err = apply("--mask", "broken.png")
    assert (code, "the mask broken.png cannot be read" in err) == (3, True), err
    Image.fromarray(noise(1, 1)).save("photo.png")  # one pixel, all of it missing
    Image.fromarray(np.full((1, 1), 255, np.uint8)).save("one.png")
    code, err = apply("--mask", "one.png")
    assert (code, pixels("x.png").shape) == (0, (1, 1)), err
    deep = np.random.default_rng(0).integers(0, 65536, (20, 30)).astype(np.uint16)
    Image.fromarray(deep).save("photo.png")
    code, err = apply("--mask", "hole.png")
    hole = pixels("hole.png") > 127
    assert (code, pixels("x.png").dtype) == (0, np.uint16), err
    assert np.array_equal(pixels("x.png")[~hole], deep[~hole])


def test_enlarging_multiplies_the_size(gan: Gan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = gan("train", "--preset", "upscale", "--name", "big", *TINY)
    assert said.code == 0, said.err
    Image.fromarray(noise(21, 30, 4)).save("photo.png")
    said = gan("apply", "big", "photo.png", "--out", "x.png", "--realism", "0.5")
    assert said.code == 0, said.err
    assert pixels("x.png").shape == (42, 60, 2)  # a gray model; alpha is kept
    said = gan("apply", "big", "photo.png", "--mask", "photo.png", "--out", "y.png")
    assert (said.code, "this model fills no missing pixels" in said.err) == (2, True), said.err
    said = gan("apply", "big", "photo.png", "--n", "2", "--out", "y")
    assert (said.code, "one output for each picture" in said.err) == (2, True), said.err
