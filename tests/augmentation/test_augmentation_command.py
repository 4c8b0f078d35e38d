"""`gan augment`: the folder with its manifest, idempotent and apart from the originals; refusals; a study from the command line."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from tests.conftest import Gan

QUICK = [
    "--set",
    "observer.steps=20",
    "--set",
    "observer.batch=16",
    "--set",
    "observer.widths=[8]",
    "--set",
    "observer.pool_after=[]",
]
FEW = [
    "--classifier",
    "LogisticRegression",
    "--set",
    "classifier.rows=60",
    "--set",
    "classifier.options={max_iter=300,tol=0.1}",
]
MAKE = ["--agreement", "0", "--rank", "0", "--keep-copies", *QUICK]
SIZES = {"train": (20, 4), "val": (3, 3), "test": (12, 12)}


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two classes, one of them rare, in the folders of a split."""
    data = load_digits()
    monkeypatch.chdir(tmp_path)
    place, used = tmp_path / "photos", {0: 0, 1: 0}
    for part, sizes in SIZES.items():
        for k, n in enumerate(sizes):
            folder = place / part / ("zero", "one")[k]
            folder.mkdir(parents=True)
            images = data.images[data.target == k][used[k] : used[k] + n]
            used[k] += n
            for i, image in enumerate(images):
                Image.fromarray((image * 15).astype(np.uint8)).save(folder / f"{part}{i}.png")
    return place


@pytest.fixture
def trained(gan: Gan, photos: Path) -> Path:
    said = gan(
        "train", "--data", photos, "--preset", "augment", "--max-steps", "2", "--batch-size", "8", "--set", "task.model.g_width=4",
        "--set", "task.model.d_width=4", "--set", "task.model.widest=8", "--name", "pets",
    )  # fmt: skip
    assert said.code == 0, said.err
    return photos


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def manifest(folder: Path) -> list[dict[str, str]]:
    with (folder / "manifest.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_folder_is_balanced_and_the_same_again_changes_nothing(gan: Gan, trained: Path) -> None:
    before = contents(trained)
    said = gan("augment", "pets", "--out", "plus", *MAKE)
    assert said.code == 0, said.err
    plus = Path("plus")
    assert len(list((plus / "one").iterdir())) == len(list((plus / "zero").iterdir())) == 20
    assert sum(p.is_symlink() for p in plus.rglob("*.png")) == 24
    lines = manifest(plus)
    made = [line for line in lines if line["kept"] == "yes"]
    assert [line["file"] for line in made] == [f"one/gan-seed{i:06}.png" for i in range(16)]
    assert {line["class"] for line in made} == {"one"}
    assert {line["run"] for line in made} == {"pets"}
    assert all((plus / line["file"]).is_file() and (plus / line["nearest"]).is_symlink() for line in made)
    assert sum(line["kept"] == "original" for line in lines) == 24
    assert "6 validation and 24 test images are not in it" in said.err
    once = contents(plus)
    stamps = {p: p.lstat().st_mtime_ns for p in plus.rglob("*")}
    said = gan("augment", "pets", "--out", "plus", *MAKE)
    assert said.code == 0, said.err
    assert "(0 written, 40 already there)" in said.err
    assert contents(plus) == once
    assert {p: p.lstat().st_mtime_ns for p in plus.rglob("*")} == stamps
    assert contents(trained) == before
    said = gan("sample", "pets", "--label", "one", "--seeds", "3", "--out", "same/")
    wanted, found = Image.open("same/one/seed000003.png"), Image.open("plus/one/gan-seed000003.png")
    assert np.array_equal(np.asarray(wanted), np.asarray(found))


def test_more_of_the_same_is_added_and_anything_else_is_refused(gan: Gan, trained: Path) -> None:
    assert gan("augment", "pets", "--to", "one=6", "--out", "plus", *MAKE).code == 0
    assert gan("augment", "pets", "--to", "x2", "--out", "plus", *MAKE).code == 0
    assert len(list(Path("plus/one").iterdir())) == 8
    assert len(list(Path("plus/zero").iterdir())) == 40
    said = gan("augment", "pets", "--to", "one=6", "--out", "plus", *MAKE)
    assert said.code == 2
    assert "images of class folder one that this command does not write" in said.err
    Path("plus/one/gan-seed000001.png").write_bytes(b"mine")
    said = gan("augment", "pets", "--to", "x2", "--out", "plus", *MAKE)
    assert said.code == 2
    assert "plus/one/gan-seed000001.png is another file" in said.err
    assert Path("plus/one/gan-seed000001.png").read_bytes() == b"mine"
    for place in (trained, trained / "train" / "plus", trained.parent):
        said = gan("augment", "pets", "--out", place, *MAKE)
        assert said.code == 2
        assert "are inside one another" in said.err


def test_originals_are_copied_or_drawn_or_left_out(gan: Gan, trained: Path) -> None:
    for originals, count in (("copy", 24), ("png", 24), ("none", 0)):
        assert gan("augment", "pets", "--out", originals, "--originals", originals, *MAKE).code == 0
        there = [p for p in Path(originals).rglob("*.png") if not p.name.startswith("gan-")]
        assert len(there) == count
        assert not any(p.is_symlink() for p in there)
    assert Path("copy/one/train0.png").read_bytes() == (trained / "train/one/train0.png").read_bytes()
    assert np.array_equal(np.asarray(Image.open("png/one/train0.png")), np.asarray(Image.open("copy/one/train0.png")))
    said = gan("data", "copy")
    assert said.code == 0, said.err
    assert "manifest" not in said.err + said.out


def test_filters_are_counted_and_what_they_drop_has_a_line_and_no_file(gan: Gan, trained: Path) -> None:
    said = gan("augment", "pets", "--out", "plus", "--to", "one=5", "--agreement", "1", *QUICK, "--json")
    assert said.code == 0, said.err
    counts = said.json()["new"]["one"]
    assert counts["kept"] == 0
    assert counts["other class"] + counts["copies"] + counts["low rank"] == counts["candidates"] == 276
    assert "only 0 of 1 new images" in said.err
    dropped = [line for line in manifest(Path("plus")) if line["kept"].startswith("no")]
    assert len(dropped) == 276
    assert not any(line["file"] for line in dropped)
    assert not list(Path("plus").rglob("gan-*"))


REFUSED: list[tuple[tuple[str, ...], str]] = [
    ((), "writes images or studies them"),
    (("--out", "a", "--to", "many"), "is not a number of images"),
    (("--out", "a", "--to", "two=9"), "no class 'two'"),
    (("--out", "a", "--to", "3"), "asks for no new image"),
    (("--out", "a", "--originals", "moved"), "is unknown"),
    (("--out", "a", "--arms", "real"), "an option of the study"),
    (("--study", "--classifier", "LogistcRegression"), "did you mean LogisticRegression"),
    (("--study", "--classifier", "nothing.py:Mine"), "no plugin file"),
    (("--study", "--classifier", "math:pi"), "has no fit and predict"),
    (("--study", "--arms", "reel"), "did you mean real"),
    (("--study", "--fail-if", "fid<3"), "is no bound"),
    (("--study", "--more-real", "nowhere"), "is no folder"),
    (("--out", "a", "--set", "stepps=3"), "has no option 'stepps'"),
]


def test_refusals(gan: Gan, trained: Path) -> None:
    for words, what in REFUSED:
        said = gan("augment", "pets", *words)
        assert said.code == 2, said.err
        assert what in said.err
        assert not Path("a").exists()


def test_leaks_are_refused(gan: Gan, trained: Path) -> None:
    said = gan("augment", "pets", "--out", "plus", "--features", "digits-v1")
    assert said.code == 2
    assert "have been trained on all of MNIST's training set" in said.err
    for path in sorted((trained / "train/zero").iterdir())[:3]:  # test images of other data
        (Path("other/test/zero")).mkdir(parents=True, exist_ok=True)
        path.rename(Path("other/test/zero") / path.name)
    said = gan("augment", "pets", "--study", *QUICK)
    assert said.code == 3
    assert "have changed since training" in said.err


def test_a_generator_that_was_trained_on_test_images_is_refused_and_duplicates_are_said(
    gan: Gan, trained: Path
) -> None:
    other = Path("other")
    for part in ("train", "val", "test"):
        for name in ("zero", "one"):
            (other / part / name).mkdir(parents=True)
            source = {"train": "val", "val": "val", "test": "train"}[part]
            for path in sorted((trained / source / name).iterdir())[:3]:
                (other / part / name / path.name).write_bytes(path.read_bytes())
    said = gan("augment", "pets", "--study", "--against", other, "--to", "8", *QUICK)
    assert said.code == 3
    assert "6 of 6 test images are training images of pets" in said.err
    for path in (other / "test").rglob("*.png"):
        path.unlink()
    for name in ("zero", "one"):
        for path in sorted((trained / "test" / name).iterdir()):
            (other / "test" / name / path.name).write_bytes(path.read_bytes())
        twin = sorted((trained / "val" / name).iterdir())[0]
        (other / "test" / name / "twin.png").write_bytes(twin.read_bytes())
    said = gan(
        "augment", "pets", "--study", "--against", other, "--to", "8", "--seeds", "1", "--arms", "real,gan", *MAKE, *FEW, "--json"
    )  # fmt: skip
    assert said.code == 0, said.err
    assert "2 test images are training images, too; they are left out" in said.err
    assert "6 validation images are in another part, too" in said.err
    assert said.json()["test images"] == 24


def test_a_study(gan: Gan, trained: Path) -> None:
    more = Path("more/one")
    more.mkdir(parents=True)
    data = load_digits()
    for i, image in enumerate(data.images[data.target == 1][60:80]):
        Image.fromarray((image * 15).astype(np.uint8)).save(more / f"{i}.png")
    (more / "twin.png").write_bytes((trained / "test/one/test0.png").read_bytes())
    words = ["augment", "pets", "--study", "--seeds", "2", "--more-real", "more", *MAKE, *FEW]
    said = gan(*words)
    assert said.code == 0, said.err
    assert "1 images of --more-real are in a part of the data, too" in said.err
    assert "over the best cheap arm" in said.out
    assert "classical, as many more real images" in said.out
    assert "mixup (estimator takes no mixed labels)" in said.out
    assert "default: validation has 3 images of a class, fewer than 10" in said.out
    place = Path("runs_dir/pets/study")
    found = json.loads((place / "study.json").read_text())
    assert set(found["arms"]) == {
        "real", "class-weights", "oversampling", "classical", "smote", "gan", "gan-alone", "more-real",
    }  # fmt: skip
    assert found["runs"][0]["images"]["training"] == {"one": 4, "zero": 20}
    assert (place / "study.png").read_bytes().startswith(b"\x89PNG")
    first = (place / "study.json").read_bytes()
    said = gan(*words, "--json", "--fail-if", "gain<100")
    assert said.code == 8
    assert "gain<100 holds" in said.err
    assert (place / "study.json").read_bytes() == first
    assert json.loads(said.out) == found
    assert gan("doctor", "pets").code == 0


def test_a_classifier_of_ones_own(gan: Gan, trained: Path) -> None:
    Path("mine.py").write_text(
        "import numpy as np\n"
        "class Mean:\n"
        "    images = True\n"
        "    def fit(self, x, y):\n"
        "        assert x.dtype == np.uint8 and x.shape[1:] == (1, 8, 8)\n"
        "        self.means = np.stack([x[y == k].mean(0) for k in (0, 1)])\n"
        "    def predict(self, x):\n"
        "        return ((x[:, None] - self.means[None]) ** 2).sum((2, 3, 4)).argmin(1)\n"
    )
    said = gan(
        "augment", "pets", "--study", "--seeds", "2", "--classifier", "mine.py:Mean", "--arms", "class-weights,oversampling,gan", "--json",
        *MAKE, "--set", "classifier.rows=60",
    )  # fmt: skip
    assert said.code == 0, said.err
    found = said.json()
    assert found["not available"] == {"class-weights": "estimator takes no weights"}
    assert found["arms"]["oversampling"]["scores"]["balanced-accuracy"]["value"] > 0.9
    assert len(found["options"]["classifier"]["sha256"]) == 64


def test_a_run_without_classes_is_refused(gan: Gan, run: Path) -> None:
    said = gan("augment", run, "--out", "plus")
    assert said.code == 2
    assert "--preset augment makes one that is" in said.err
