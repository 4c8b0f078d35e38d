"""Grids of classes: every class is there, and its name beside it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gancli.core.images import ImageSamples, png, recipe_of
from gancli.core.task import Choices
from gancli.core.titles import columns_for, first_of_each, titles
from gancli.tasks.sampling import class_rows, grid_seeds
from tests.conftest import TINY, Gan


@pytest.mark.parametrize("classes", [0, 1, 3, 8, 10, 16, 17, 37, 100, 1000])
@pytest.mark.parametrize("first", [0, 5])
def test_every_class_is_in_a_grid(classes: int, first: int) -> None:
    choices = Choices(classes if classes > 1 else 0)
    seeds = grid_seeds(choices, 64, first)
    labels = class_rows(choices, seeds)
    if classes < 2:
        assert (seeds, labels) == (tuple(range(first, first + 64)), None)
        return
    assert labels is not None
    assert set(labels) == set(range(classes))
    assert len(seeds) <= max(128, classes)
    assert columns_for(labels) == (8 if classes <= 16 else None)


def test_classes_in_turn_are_columns() -> None:
    assert columns_for([0, 1, 2, 0, 1, 2, 0]) == 3
    assert columns_for([7] * 5) is None
    assert columns_for([0, 1, 2, 0, 2, 1]) == 8


def test_the_first_of_each_class() -> None:
    labels = np.array([1, 0, 1, 5, 0] * 20)
    chosen = first_of_each(labels, 100, 64)
    assert labels[chosen].tolist() == [0] * 8 + [1] * 8 + [5] * 8
    assert chosen[:3].tolist() == [1, 4, 6]
    many = np.arange(300) % 150
    assert sorted(labels_of := many[first_of_each(many, 300, 64)]) == list(labels_of) == list(range(150))
    assert first_of_each(None, 5, 64).tolist() == [0, 1, 2, 3, 4]


def rendered(labels: list[int], columns: int, names: list[str] | None, channels: int = 1) -> np.ndarray:
    samples = ImageSamples(np.zeros((len(labels), channels, 28, 28), np.uint8), np.array(labels))
    image = Image.open(io.BytesIO(samples.render(columns, {"classes": names}).content))
    return np.asarray(image.convert("RGBA"))[..., :3].max(2)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_names_are_beside_rows_above_columns_or_below_images(channels: int) -> None:
    plain, names = rendered([0, 0, 1, 1], 2, None, channels), ["cat", "dog"]
    rows = rendered([0, 0, 1, 1], 2, names, channels)
    above = rendered([0, 1, 0, 1], 2, names, channels)
    below = rendered([0, 1, 1, 0], 2, names, channels)
    assert rows.shape[0] == plain.shape[0]
    assert rows.shape[1] > plain.shape[1]
    assert above.shape[1] == below.shape[1] == plain.shape[1]
    assert plain.shape[0] < above.shape[0] < below.shape[0]
    for image in (rows, above, below):
        assert image.max() >= 180, "letters are drawn"
    assert plain.max() == 0


def test_names_that_the_font_does_not_have_are_numbers() -> None:
    assert titles(np.array([0, 1, 2]), {"classes": ["Käse", "猫"]}) == ["Käse", "1", "2"]
    assert (
        titles(np.array([0]), {"classes": "x"}) == titles(None, {"classes": ["x"]}) == titles(np.array([0]), None) == []
    )


def test_grids_of_a_run_show_and_name_every_class(gan: Gan, tmp_path: Path) -> None:
    options = ("--max-steps", "1", "--name", "r", "--set", "task.condition=concat", *TINY)
    assert gan("train", "--data", "digits", *options).code == 0
    out = tmp_path / "s.png"
    assert gan("sample", "r", "--out", out).code == 0
    run = tmp_path / "runs_dir/r"
    for file in (out, next((run / "samples").glob("*.png"))):
        recipe = recipe_of(file.read_bytes())
        assert recipe["classes"] == [str(i) for i in range(10)]
        assert Image.open(io.BytesIO(file.read_bytes())).size[1] == 2 + 10 * (8 * 14 + 2)
    assert recipe_of(out.read_bytes())["labels"] == [i // 8 for i in range(80)]
    said = gan("project", "r", out)
    assert (said.code, "is a grid of several images  ->  gan sample" in said.err) == (3, True)
    assert gan("sample", "r", "--n", "1", "--out", out).code == 0
    assert gan("project", "r", out, "--steps", "1", "--out", tmp_path / "p.png").code == 0
    assert gan("data", "digits", "--preview", out).code == 0
    assert "grid of several" in gan("project", "r", out).err


def test_a_recipe_of_a_stranger() -> None:
    image = np.zeros((1, 4, 4), np.uint8)
    assert recipe_of(png(image, {"seed": 3})) == {"seed": 3}
    for content in (png(image), b"", b"x" * 100, png(image)[:40], png(image, {"a": 1}).replace(b'{"a"', b'["a"')):
        assert recipe_of(content) == {}
