"""The ten situations in which people were let down, each with neighbors of its kind."""

from __future__ import annotations

import csv
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import TINY, Gan
from tests.data.conftest import pics, save

QUICK = ("--preset", "textbook", "--max-steps", "1", "--batch-size", "4")
FID = ("--metrics", "fid", "--json", "--features", "random-conv")


# 1. A value a hair outside of a range


@pytest.mark.parametrize(
    ("low", "high", "says"),
    [(0.0, 1.0, "floats 0 to 1"), (-1.0, 1.0, "floats -1 to 1"), (0.0, 255.0, "floats 0 to 255")],
)
def test_rounding_outside_of_a_range_changes_nothing(
    low: float, high: float, says: str, gan: Gan, tmp_path: Path
) -> None:
    images = np.random.default_rng(0).uniform(low, high, (24, 16, 16, 3)).astype(np.float32)
    images[0, 0, 0] = low - 1e-6 * (high - low), high * 1.000001, low
    np.savez(tmp_path / "a.npz", images=images)
    said = gan("data", tmp_path / "a.npz", "--preview", tmp_path / "a.png")
    assert (said.code, says in said.out) == (0, True)
    with Image.open(tmp_path / "a.png") as image:
        assert np.asarray(image.convert("L")).max() > 180


# 2. A folder against itself; see also test_cli_folders.py


@pytest.mark.parametrize("form", ["zip", "npy", "numbered"])
def test_a_set_against_itself_is_zero(form: str, gan: Gan, tmp_path: Path) -> None:
    a = pics(tmp_path / "A", 60, 16)
    path = tmp_path / f"b.{form}"
    if form == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in a.iterdir():
                archive.write(file, f"x/{file.name}")
    elif form == "npy":
        np.save(path, np.stack([np.asarray(Image.open(p)) for p in sorted(a.iterdir())]))
    else:
        for i, file in enumerate(sorted(a.iterdir())):
            (path / str(i % 3)).mkdir(parents=True, exist_ok=True)
            shutil.copy(file, path / str(i % 3))
    for images, against in ((a, path), (path, a)):
        found = gan("evaluate", "--images", images, "--against", against, *FID).json()
        assert abs(next(iter(found["scores"].values()))["value"]) < 0.01


# 3. train/ and test/ are parts, in training too


@pytest.mark.parametrize(
    "names", [("train", "test"), ("Training", "TEST"), ("1_train", "2_val"), ("train_images", "dev")]
)
def test_a_run_trains_on_the_training_part_alone(names: tuple[str, str], gan: Gan, tmp_path: Path) -> None:
    for k, part in enumerate(names):
        for i, name in enumerate(("cat", "dog")):
            pics(tmp_path / "split" / part / name, 12, first=100 * k + 20 * i)
    said = gan("train", "--data", tmp_path / "split", "--name", "r", *QUICK, "--preset", "cgan")
    assert said.code == 0, said.err
    facts = json.loads((tmp_path / "runs_dir/r/model/config.json").read_text())["facts"]
    assert facts["classes"] == ["cat", "dog"]
    assert facts["images"] <= 24
    assert "are parts of the split" in said.err


# 4. Values in few bits


def _twelve(root: Path) -> None:
    save(root, [(np.random.default_rng(i).random((16, 16)) * 4095).astype(np.uint16) for i in range(12)])


def _signed(root: Path) -> None:
    save(root, [np.linspace(-1000, 3000 - i, 256).reshape(16, 16).astype(np.int32) for i in range(12)], "tif")


def _masks(root: Path) -> None:
    save(root, [np.random.default_rng(i).integers(0, 5, (16, 16), np.uint8) for i in range(12)])


@pytest.mark.parametrize("make", [_twelve, _signed, _masks])
def test_dark_and_signed_values_are_warned_of_in_every_verb(
    make: Callable[[Path], None], gan: Gan, tmp_path: Path
) -> None:
    make(tmp_path / "set")
    for words in (("data", tmp_path / "set"), ("train", "--data", tmp_path / "set", *QUICK)):
        said = gan(*words)
        assert said.code == 0, said.err
        assert "--set data.range=" in "\n".join(said.err.splitlines()[:4])


# 5. Tables: tests/data/page_tables.py has many more


@pytest.mark.parametrize(
    ("file", "head", "row"),
    [
        ("metadata.csv", "file_name,label", "{name},{label}"), ("metadata.jsonl", "", '{{"file_name": "{name}", "label": "{label}"}}'),
        ("train.csv", "Id;Category", "{stem};{label}"), ("labels.tsv", "image\tclass", "{name}\t{label}"),
    ],
)  # fmt: skip
def test_tables_become_classes_of_a_run(file: str, head: str, row: str, gan: Gan, tmp_path: Path) -> None:
    root = pics(tmp_path / "hf", 12)
    lines = [row.format(name=f"{i:04d}.png", stem=f"{i:04d}", label=["cat", "dog"][i % 2]) for i in range(12)]
    (root / file).write_text("\n".join([*([head] if head else []), *lines]))
    said = gan("data", root)
    assert "classes     0 cat 6, 1 dog 6" in said.out
    assert gan("train", "--data", root, *QUICK, "--preset", "cgan").code == 0


# 6. Links


@pytest.mark.parametrize("kind", ["files", "folder", "relative"])
def test_links_are_followed(kind: str, gan: Gan, tmp_path: Path) -> None:
    away, chosen = pics(tmp_path / "away", 12), tmp_path / "chosen"
    chosen.mkdir()
    if kind == "folder":
        (chosen / "cat").symlink_to(away)
    else:
        for path in away.iterdir():
            (chosen / path.name).symlink_to(Path("..") / "away" / path.name if kind == "relative" else path)
    assert "count       12" in gan("data", chosen).out


# 7 and 8, refusals and defaults, are in test_cli_field.py; 9, data that moved, too


@pytest.mark.parametrize("side", [7, 300, 513])
def test_defaults_fit_odd_sizes(side: int, gan: Gan, tmp_path: Path) -> None:
    root = pics(tmp_path / "odd", 6, side)
    said = gan(
        "train",
        "--data",
        root,
        "--max-steps",
        "1",
        "--set",
        "task.model.g_width=4",
        "--set",
        "task.model.d_width=4",
        "--name",
        "r",
    )
    assert said.code == 0, said.err
    config = json.loads((tmp_path / "runs_dir/r/config.json").read_text())
    assert config["batch_size"] <= 6


@pytest.mark.parametrize("form", ["zip", "table", "links"])
def test_data_that_moved_into_another_form(form: str, gan: Gan, tmp_path: Path) -> None:
    for i, name in enumerate(("cat", "dog")):
        pics(tmp_path / "mv" / name, 12, first=20 * i)
    assert gan("train", "--data", tmp_path / "mv", *QUICK, "--preset", "cgan", "--name", "m").code == 0
    moved = tmp_path / ("b.zip" if form == "zip" else "b")
    files = sorted((tmp_path / "mv").rglob("*.png"))
    if form == "zip":
        with zipfile.ZipFile(moved, "w") as archive:
            for file in files:
                archive.write(file, file.relative_to(tmp_path / "mv"))
    elif form == "table":
        moved.mkdir()
        for file in files:
            shutil.copy(file, moved)
        (moved / "labels.csv").write_text("\n".join(["file,label", *(f"{f.name},{f.parent.name}" for f in files)]))
    else:
        shutil.copytree(tmp_path / "mv", tmp_path / "away")
        moved.symlink_to(tmp_path / "away")
    shutil.rmtree(tmp_path / "mv")
    said = gan("resume", "m", "--max-steps", "2", "--data", moved)
    assert said.code == 0, said.err


# 10, advice, is test_cli_advice.py. What else was seen beside them


@pytest.mark.parametrize("content", [{}, {"a.md": b"x"}, {"a.png": b"", "b.jpg": b"no picture"}])
def test_data_of_which_nothing_can_be_used_ends_with_3(content: dict[str, bytes], gan: Gan, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    for name, data in content.items():
        (tmp_path / "set" / name).write_bytes(data)
    said = gan("data", tmp_path / "set")
    assert (said.code, said.err.splitlines()[-1].startswith("error: no")) == (3, True), said.err
    said = gan("data", tmp_path / "set", "--json")
    assert (said.code, said.json()["count"]) == (3, 0)


def test_transparent_images_in_and_out(gan: Gan, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (24, 8, 8, 4), np.uint8)
    root = save(tmp_path / "icons", list(pixels))
    said = gan("train", "--data", root, *QUICK, "--channels", "4", "--name", "r")
    assert (said.code, "images 4x8x8" in said.err) == (0, True), said.err
    out = tmp_path / "out"
    assert gan("sample", "r", "--n", "2", "--out", out).code == 0
    with Image.open(out / "seed000000.png") as image:
        assert image.mode == "RGBA"
    assert gan("sample", "r", "--n", "4", "--out", tmp_path / "g.png").code == 0
    assert gan("sample", "r", "--n", "4", "--out", tmp_path / "w.gif", "--frames", "4").code == 0
    assert gan("project", "r", out / "seed000000.png", "--steps", "1", "--out", tmp_path / "p.png").code == 0
    found = gan("evaluate", "--images", out, "--against", root, *FID)
    assert found.code == 0, found.err
    said = gan("train", "--data", root, "--channels", "4", "--preset", "denoise", "--max-steps", "1")
    assert (said.code, "four channels are for tasks that learn from images" in said.err) == (2, True), said.err


def test_values_of_each_image_as_csv(gan: Gan, run: Path, tmp_path: Path) -> None:
    file = tmp_path / "each.csv"
    said = gan("evaluate", run, "--n", "30", "--metrics", "prc,memorization", "--csv", file)
    assert said.code == 0, said.err
    rows = list(csv.DictReader(file.read_text().splitlines()))
    assert [row["image"] for row in rows] == [str(i) for i in range(30)]
    found = json.loads((run / "evaluation.json").read_text())["scores"]
    inside = [float(row["precision@digits-v1"]) for row in rows]
    assert sum(inside) / 30 == pytest.approx(found["precision@digits-v1"]["value"])
    a = pics(tmp_path / "A", 25, 16)
    (a / "sub").mkdir()
    shutil.copy(a / "0003.png", a / "sub/copy of 3.png")
    b = pics(tmp_path / "B", 40, 16)
    said = gan(
        "evaluate", "--images", a, "--against", b, "--metrics", "prc", "--features", "random-conv", "--csv", file
    )
    rows = list(csv.DictReader(file.read_text().splitlines()))
    assert sorted(row["image"] for row in rows) == sorted([*(f"{i:04d}.png" for i in range(25)), "sub/copy of 3.png"])


def test_a_large_grid_is_refused_before_it_is_made(gan: Gan, run: Path, tmp_path: Path) -> None:
    from gancli.inference import writing

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writing, "MOST_PIXELS", 1000)
        said = gan("sample", run, "--n", "64", "--out", tmp_path / "g.png")
        assert (said.code, "--out FOLDER/, or .npz" in said.err) == (2, True)
        assert gan("sample", run, "--n", "64", "--out", tmp_path / "g.npz").code == 0


def test_keys_of_data_alone_where_nothing_is_trained(gan: Gan, tmp_path: Path) -> None:
    root = pics(tmp_path / "A", 24)
    for words in (("data", root), ("evaluate", "--images", root, "--against", root, "--metrics", "fid")):
        said = gan(*words, "--set", "task.loss=hinge")
        assert (said.code, "nothing is trained here" in said.err) == (2, True), said.err
    assert gan("data", root, "--set", "data.source.truncated=true").code == 0
    said = gan("evaluate", "--images", root, "--against", root, "--set", "data.holdout=0.5", "--metrics", "fid")
    assert (said.code, "not for an evaluation" in said.err) == (2, True), said.err
    assert gan("data", "digits", "--set", "data.range=0,9").code == 2


def test_gray_images_get_an_opaque_alpha_channel(gan: Gan, tmp_path: Path) -> None:
    options = ("--channels", "4", "--preset", "textbook", "--max-steps", "1", "--name", "r", *TINY)
    assert gan("train", "--data", "digits", *options).code == 0
    assert gan("sample", "r", "--n", "2", "--out", tmp_path / "x.npz").code == 0
    with np.load(tmp_path / "x.npz") as arrays:
        assert arrays["images"].shape == (2, 8, 8, 4)
