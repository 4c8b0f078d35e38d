"""`gan apply`: pictures of any size and kind, from files, folders, zips and pipes."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gancli.inference import apply as applying
from tests.conftest import Gan

TOY = Path(__file__).parents[1] / "toys" / "translate.py"
WORDS = [
    "--plugin", TOY, "--data", "toy-blobs", "--preset", "pix2pix", "--max-steps", "3", "--batch-size", "4", "--precision", "fp32",
    "--set", "task.translator.width=4", "--set", "task.critic.width=4",
]  # fmt: skip


@pytest.fixture
def trained(gan: Gan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    said = gan("train", *WORDS, "--name", "toy")
    assert said.code == 0, said.err
    return tmp_path


def noise(*shape: int, top: int = 256, kind: Any = np.uint8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, top, shape).astype(kind)


@pytest.fixture
def mixed(trained: Path) -> Path:
    """A folder of odd pictures, one of them broken."""
    folder = trained / "in"
    (folder / "sub").mkdir(parents=True)
    Image.fromarray(noise(47, 65, 4)).save(folder / "rgba.png")
    Image.fromarray(noise(33, 40, top=65536, kind=np.uint16)).save(folder / "deep.png")
    turned = Image.fromarray(noise(20, 30, 3))
    about = turned.getexif()
    about[0x0112], about[0x010F] = 6, "Camera"
    turned.save(folder / "turned.jpg", exif=about)
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nxxxx")
    Image.fromarray(noise(20, 20)).save(folder / "sub" / "gray.png")
    Image.fromarray(noise(1, 1)).save(folder / "pixel.png")
    (folder / "notes.txt").write_text("no picture")
    return folder


def opened(path: Path | str) -> Image.Image:
    image = Image.open(path)
    image.load()
    return image


def test_a_folder_with_a_broken_picture(gan: Gan, mixed: Path) -> None:
    before = {path: path.read_bytes() for path in mixed.rglob("*") if path.is_file()}
    said = gan("apply", "toy", "in", "--out", "out", "--json")
    assert said.code == 3
    assert "broken.png is skipped" in said.err
    assert "1 of 6" in said.err
    result = json.loads(said.out)
    assert set(result["skipped"]) == {"broken.png"}
    assert sorted(result["files"]) == [f"out/{n}.png" for n in ("deep", "pixel", "rgba", "sub/gray", "turned")]
    assert {path: path.read_bytes() for path in before} == before
    sizes = {name: opened(f"out/{name}.png") for name in ("deep", "pixel", "rgba", "sub/gray", "turned")}
    wanted = {
        "deep": ("I;16", (40, 33)), "pixel": ("L", (1, 1)), "rgba": ("LA", (65, 47)), "sub/gray": ("L", (20, 20)),
        "turned": ("L", (20, 30)),
    }  # fmt: skip
    assert {n: (i.mode, i.size) for n, i in sizes.items()} == wanted
    assert np.array_equal(np.asarray(sizes["rgba"])[..., -1], np.asarray(opened(mixed / "rgba.png"))[..., 3])
    assert dict(sizes["turned"].getexif()) == {0x010F: "Camera"}
    deep = np.asarray(sizes["deep"])
    assert (deep % 257).any()  # not 8 bits spread over 16


def test_zip_pipe_and_file_are_alike(gan: Gan, mixed: Path) -> None:
    with zipfile.ZipFile("pictures.zip", "w") as archive:
        archive.write(mixed / "rgba.png", "deep/rgba.png")
    assert gan("apply", "toy", "pictures.zip", "-o", "of-zip").code == 0
    assert gan("apply", "toy", "in/rgba.png", "-o", "one.png").code == 0
    done = subprocess.run(
        [sys.executable, "-m", "gancli", "apply", "runs_dir/toy", "-"],
        input=(mixed / "rgba.png").read_bytes(), capture_output=True, check=True,
    )  # fmt: skip
    made = [opened(io.BytesIO(done.stdout)), opened("of-zip/deep/rgba.png"), opened("one.png")]
    assert all(np.array_equal(np.asarray(made[0]), np.asarray(other)) for other in made[1:])


def test_nothing_is_written_over_an_input(gan: Gan, mixed: Path) -> None:
    for words in (["in", "--out", "in"], ["in/rgba.png", "--out", "in/rgba.png"], ["in/rgba.png", "--out", "in/"]):
        said = gan("apply", "toy", *words)
        assert said.code == 2
        assert "never overwritten" in said.err
    assert not (mixed / "turned.png").exists()


def test_refusals(gan: Gan, mixed: Path) -> None:
    for words, code, text in (
        (["nothing.png"], 3, "there is no nothing.png"),
        (["in/notes.txt"], 3, "notes.txt is skipped"),
        (["in/rgba.png", "--n", "3"], 2, "task.z=8"),
        (["in/rgba.png", "--direction", "b-to-a"], 2, "it maps a-to-b"),
        (["in", "--out", "one.png"], 2, "name a folder"),
        (["in", "--out", "-"], 2, "one picture"),
        (["in", "--format", "gif"], 2, "png, jpg"),
        (["in/rgba.png", "in/rgba.png"], 2, "two inputs"),
    ):
        said = gan("apply", "toy", *words)
        assert (said.code, text in said.err) == (code, True), (words, said.err)
    said = gan("sample", "toy", "--plugin", TOY)
    assert (said.code, "gan apply" in said.err) == (2, True)


def test_generators_of_samples_are_refused(gan: Gan, run: Path) -> None:
    said = gan("apply", run, "nothing.png")
    assert said.code in (2, 3)
    Image.fromarray(noise(8, 8)).save("x.png")
    said = gan("apply", run, "x.png")
    assert (said.code, "gan sample" in said.err) == (2, True)
    Path("x.png").unlink()


def test_neighbors_and_batch_size_change_nothing(gan: Gan, mixed: Path) -> None:
    for out, words in (
        ("a", ["in/rgba.png", "in/turned.jpg"]), ("b", ["in/turned.jpg", "in/sub/gray.png", "--batch-size", "7"]),
    ):  # fmt: skip
        assert gan("apply", "toy", *words, "-o", out).code == 0
    assert Path("a/turned.png").read_bytes() == Path("b/turned.png").read_bytes()


def test_compare_shows_input_output_and_target(gan: Gan, mixed: Path) -> None:
    Image.fromarray(noise(47, 65, 3)).save("rgba.jpg")
    assert gan("apply", "toy", "in/rgba.png", "-o", "c.png", "--compare", "--target", "rgba.jpg").code == 0
    image = np.asarray(opened("c.png"))
    assert image.shape == (47, 3 * 65, 3)
    assert np.array_equal(image[:, 130:], np.asarray(opened("rgba.jpg")))


@pytest.mark.parametrize("tile", ["32", "64"])
def test_tiled_pictures_are_like_whole_ones(gan: Gan, mixed: Path, tile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(noise(131, 90, 3)).save("large.png")
    assert gan("apply", "toy", "large.png", "-o", "whole.png").code == 0
    assert gan("apply", "toy", "large.png", "-o", "tiled.png", "--tile", tile).code == 0
    whole, tiled = (np.asarray(opened(name)).astype(int) for name in ("whole.png", "tiled.png"))
    assert np.abs(whole - tiled).max() <= 1
    assert (whole != tiled).mean() < 0.001
    monkeypatch.setattr(applying, "WHOLE", 100)
    monkeypatch.setattr(applying, "SIDE", 32)
    assert gan("apply", "toy", "large.png", "-o", "by-itself.png").code == 0
    assert np.abs(np.asarray(opened("by-itself.png")).astype(int) - whole).max() <= 1


def test_many_outputs_of_a_picture(gan: Gan, trained: Path) -> None:
    said = gan(
        "train",
        *WORDS,
        "--name",
        "many",
        "--set",
        "task.z=4",
        "--set",
        "task.lambda_modes=1",
        "--set",
        "task.lambda_l1=1",
    )
    assert said.code == 0, said.err
    Image.fromarray(noise(20, 20)).save("x.png")
    assert gan("apply", "many", "x.png", "--n", "3", "--seed", "5", "-o", "many").code == 0
    made = [np.asarray(opened(f"many/x-{seed}.png")) for seed in (5, 6, 7)]
    assert not np.array_equal(made[0], made[1])
    assert gan("apply", "many", "x.png", "--seed", "6", "-o", "six.png").code == 0
    assert np.array_equal(np.asarray(opened("six.png")), made[1])
