"""`gan sample`: what is asked for is done, or refused."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gancli.core.images import GAP, ImageSamples, zoom_for
from tests.conftest import Gan

MOST = 2**63 - 1


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--seed", str(MOST + 1)], "--seed"),
        (["--seed", str(MOST), "--n", "2"], f"no seed {MOST + 1}"),
        (["--seeds", str(MOST + 1)], f"no seed {MOST + 1}"),
        (["--mix", str(MOST + 1)], f"no seed {MOST + 1}"),
        (["--seeds", "0-3", "--n", "64"], "--seeds names every seed"),
        (["--seeds", "0-3", "--seed", "0"], "--seeds names every seed"),
        (["--seeds", "1,1,1", "--out", "FOLDER"], "named twice"),
    ],
)
def test_refusal(gan: Gan, run: Path, tmp_path: Path, words: list[str], named: str) -> None:
    out = [] if "--out" in words else ["--out", str(tmp_path / "s.npz")]
    said = gan("sample", run, *[str(tmp_path / "f") if w == "FOLDER" else w for w in words], *out)
    assert (said.code, named in said.err, "Traceback" in said.err) == (2, True, False), said.err
    assert not (tmp_path / "f").exists()
    assert not (tmp_path / "s.npz").exists()


def test_the_last_seed(gan: Gan, run: Path, tmp_path: Path) -> None:
    assert gan("sample", run, "--seed", str(MOST), "--n", "1", "--out", tmp_path / "s.npz").code == 0
    with np.load(tmp_path / "s.npz") as file:
        assert file["seeds"].tolist() == [MOST]


def test_what_ends_in_a_slash_is_a_folder(gan: Gan, run: Path, tmp_path: Path) -> None:
    for name in ("out.v2/", "out.gif/", "out.gif"):
        said = gan("sample", run, "--n", "3", "--out", f"{tmp_path}/{name}", "--json")
        assert said.code == 0, said.err
        assert said.json()["n"] == len(list((tmp_path / name).iterdir())) == 3


def loaded(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


@pytest.mark.parametrize("form", ["grid.png", "folder", "walk.gif", "walk", "x.npz"])
def test_sample_forms(gan: Gan, run: Path, tmp_path: Path, form: str) -> None:
    out = tmp_path / form
    said = gan("sample", run, "--n", "5", "--out", out, *(() if form == "folder" else ("--frames", "6")))
    assert said.code == 0, said.err
    assert ("there are none here" in said.err) == (form in ("grid.png", "x.npz"))
    if form == "grid.png":
        with Image.open(out) as picture:
            assert picture.mode == "L"
            recipe = json.loads(picture.info["gan"])
        assert (recipe["seeds"], recipe["step"]) == ("0-4", 20)
    elif form == "folder":
        assert sorted(p.name for p in out.iterdir()) == [f"seed{i:06d}.png" for i in range(5)]
        with Image.open(out / "seed000003.png") as picture:
            assert picture.size == (8, 8)
    elif form == "walk.gif":
        with Image.open(out) as picture:
            assert picture.n_frames > 1
    elif form == "walk":
        assert "6 frames" in said.err
        assert sorted(p.name for p in out.iterdir()) == [f"frame{i:04d}.png" for i in range(6)]
        with Image.open(out / "frame0003.png") as picture:
            assert picture.size == (8, 8)
    else:
        arrays = loaded(out)
        assert arrays["images"].shape == (5, 8, 8, 1)
        assert arrays["images"].dtype == np.uint8
        assert arrays["seeds"].tolist() == [0, 1, 2, 3, 4]
        assert "labels" not in arrays


def test_a_seed_is_an_image(gan: Gan, run: Path, tmp_path: Path) -> None:
    def arrays(*words: str) -> np.ndarray:
        assert gan("sample", run, "--out", tmp_path / "s.npz", *words).code == 0
        found: np.ndarray = loaded(tmp_path / "s.npz")["images"]
        return found

    many = arrays("--n", "64")
    assert np.array_equal(arrays("--n", "1", "--seed", "40")[0], many[40])
    assert np.array_equal(arrays("--seeds", "63,3-4"), many[[63, 3, 4]])
    assert not np.array_equal(arrays("--n", "64", "--no-ema"), many)


def test_sample_takes_the_newest_run_and_says_so(gan: Gan, run: Path, tmp_path: Path) -> None:
    said = gan("sample", "--n", "1", "--out", tmp_path / "a.png")
    assert said.code == 0
    assert f"run {run}" in said.err


def test_sample_from_a_bare_model_folder(gan: Gan, run: Path, tmp_path: Path) -> None:
    assert gan("sample", run, "--n", "3", "--out", tmp_path / "a.npz").code == 0
    moved = tmp_path / "elsewhere"
    (run / "model").rename(moved)
    assert gan("sample", moved, "--n", "3", "--out", tmp_path / "b.npz").code == 0
    assert np.array_equal(loaded(tmp_path / "a.npz")["images"], loaded(tmp_path / "b.npz")["images"])
    assert gan("sample", moved, "--no-ema", "--out", tmp_path / "c.npz").code == 2


def test_a_conditional_run_draws_what_is_asked(gan: Gan, tmp_path: Path) -> None:
    said = gan("train", "--data", "digits", "--preset", "cgan", "--max-steps", "4", "--name", "c", "--batch-size", "32")
    assert said.code == 0, said.err
    assert gan("sample", "c", "--n", "6", "--label", "7", "--out", tmp_path / "a.npz").code == 0
    assert loaded(tmp_path / "a.npz")["labels"].tolist() == [7] * 6
    assert gan("sample", "c", "--n", "4", "--labels", "0-1", "--out", tmp_path / "b.npz").code == 0
    assert loaded(tmp_path / "b.npz")["labels"].tolist() == [0, 1, 0, 1]
    assert gan("sample", "c", "--n", "16", "--out", tmp_path / "rows.npz").code == 0
    assert loaded(tmp_path / "rows.npz")["labels"].tolist() == [0] * 8 + [1] * 8
    assert gan("sample", "c", "--labels", "0,3", "--out", tmp_path / "columns.npz").code == 0
    assert loaded(tmp_path / "columns.npz")["labels"].tolist() == [0, 3] * 8
    assert gan("sample", "c", "--label", "10", "--out", tmp_path / "c.npz").code == 2
    assert gan("sample", "c", "--out", tmp_path / "every.npz").code == 0
    assert np.bincount(loaded(tmp_path / "every.npz")["labels"]).tolist() == [8] * 10
    with Image.open(tmp_path / "runs_dir/c/samples/000004.png") as preview:
        assert len(json.loads(preview.info["gan"])["rows"]) == 80
    said = gan("evaluate", "c", "--n", "300", "--metrics", "fid,per-class-fid", "--json")
    assert said.code == 0, said.err


def test_mixed_styles_make_a_grid_with_its_sources(gan: Gan, tmp_path: Path) -> None:
    small = ["--set", "task.model.z=8", "--set", "task.model.w=8", "--set", "task.model.width=4"]
    words = ["--data", "digits", "--preset", "stylegan2", "--max-steps", "2", "--batch-size", "8", "--name", "s"]
    said = gan("train", *words, *small)
    assert said.code == 0, said.err
    out = tmp_path / "mix.png"
    said = gan("sample", "s", "--n", "3", "--mix", "50,7", "--mix-at", "1", "--out", out, "--json")
    assert said.code == 0, said.err
    assert said.json()["n"] == 6
    with Image.open(out) as picture:
        recipe = json.loads(picture.info["gan"])
        pixels = np.asarray(picture)
    assert (recipe["seeds"], recipe["mix"], recipe["mix_at"]) == ("0-2", [50, 7], 1)
    assert gan("sample", "s", "--seeds", "0-2,50,7", "--nrow", "1", "--out", tmp_path / "sources.png").code == 0
    with Image.open(tmp_path / "sources.png") as picture:
        alone = np.asarray(picture)
    side = (pixels.shape[0] - 2) // 3  # of a picture and its gap
    assert pixels.shape == (2 + 3 * side, 2 + 4 * side)

    def at(shown: np.ndarray, row: int, column: int) -> np.ndarray:
        return shown[2 + row * side : (row + 1) * side, 2 + column * side : (column + 1) * side]

    assert not at(pixels, 0, 0).any()
    for place, source in (((0, 1), 0), ((0, 2), 1), ((0, 3), 2), ((1, 0), 3), ((2, 0), 4)):
        assert np.array_equal(at(pixels, *place), at(alone, source, 0))
    assert not np.array_equal(at(pixels, 1, 1), at(pixels, 2, 1))
    assert not np.array_equal(at(pixels, 1, 1), at(pixels, 1, 2))
    assert gan("sample", "s", "--mix", "7", "--out", out).code == 0
    said = gan("sample", "s", "--mix", "7", "--mix-at", "5", "--out", out)
    assert said.code == 2
    assert "no layer 5: the model has 4" in said.err


def test_attributes_are_asked_for_by_name(gan: Gan, tmp_path: Path) -> None:
    folder = tmp_path / "bars"
    folder.mkdir()
    rows = ["file,width"]
    for i in range(40):
        picture = np.zeros((8, 8), np.uint8)
        picture[:, : 1 + i % 8] = 255
        Image.fromarray(picture).save(folder / f"{i}.png")
        rows.append(f"{i}.png,{i % 8 - 3.5}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    said = gan(
        "train", "--data", folder, "--preset", "attributes", "--max-steps", "3", "--name", "a", "--batch-size", "8"
    )
    assert said.code == 0, said.err
    said = gan("sample", "a", "--n", "2", "--attr", "width=2", "--out", tmp_path / "w.png")
    assert said.code == 0, said.err
    with Image.open(tmp_path / "w.png") as picture:
        assert json.loads(picture.info["gan"])["attributes"] == {"width": 2.0}
    assert "width" in gan("sample", "a", "--attr", "widht=2", "--out", tmp_path / "w.png").err


def test_the_best_of_several_are_samples_of_other_seeds(gan: Gan, run: Path, tmp_path: Path) -> None:
    best, again = tmp_path / "best.npz", tmp_path / "again.npz"
    assert gan("sample", run, "--n", "3", "--seed", "5", "--best-of", "4", "--out", best).code == 0
    with np.load(best) as file:
        seeds, images = file["seeds"].tolist(), file["images"]
    assert [seed // 4 for seed in seeds] == [5, 6, 7]
    assert gan("sample", run, "--seeds", ",".join(map(str, seeds)), "--out", again).code == 0
    with np.load(again) as file:
        np.testing.assert_array_equal(file["images"], images)
    said = gan("sample", run / "model", "--n", "1", "--best-of", "2", "--out", tmp_path / "s.npz")
    assert said.code == 2
    assert "name the run folder" in said.err
    assert gan("sample", run, "--seed", str(MOST // 2), "--n", "1", "--best-of", "4", "--out", best).code == 2


def test_what_cannot_be_written_is_refused_before_loading(
    gan: Gan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is not even a run."""
    for words, named in (
        (["--out", "x.avi"], "use .png, .txt, .jsonl, .gif, .mp4, .npz or a folder/"),
        (["--out", tmp_path / "none/x.png"], "mkdir -p"),
    ):
        said = gan("sample", *words)
        assert (said.code, named in said.err) == (2, True), said.err
    monkeypatch.setattr("gancli.cli.options.find_spec", lambda _: None)
    for verb in ("sample", "film"):
        said = gan(verb, "--out", "x.mp4")
        assert (said.code, "needs the package av" in said.err) == (2, True), said.err


def test_a_grid_has_rows_of_one_class() -> None:
    images, rows = np.zeros((80, 1, 4, 4), np.uint8), np.repeat(np.arange(10), 8)
    for labels, columns in ((rows, 8), (rows[::-1].copy(), 8), (np.arange(80), 9), (None, 9), (np.zeros(80, int), 9)):
        with Image.open(io.BytesIO(ImageSamples(images, labels).render().content)) as picture:
            assert picture.width == columns * (4 * zoom_for(4, 4) + GAP) + GAP
