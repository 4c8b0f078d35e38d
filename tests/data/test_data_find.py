"""Finding sources by name and path, shaping arrays, fingerprints, npz files, reports."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gancli.core import registry
from gancli.core.data import Reading, Source, Split
from gancli.core.errors import DataError, UsageError
from gancli.data import cache, find
from gancli.data.decode import decode
from gancli.data.digits import Digits
from gancli.data.folder import Folder
from gancli.data.images import ImageDataset
from gancli.data.inspect import inspect
from gancli.data.loader import Loader
from gancli.data.npz import Npz

NAMED = [name for name, part in registry.parts("data").items() if "path" not in part.model_fields]


@pytest.mark.parametrize("name", NAMED)
def test_names(name: str) -> None:
    assert find.source_for(name) == {"name": name}
    assert isinstance(registry.build("data", find.source_for(name)), Source)


def test_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pets").mkdir()
    for file in ("a.zip", "b.NPZ", "c.dat"):
        (tmp_path / file).write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    assert find.source_for("pets") == {"name": "folder", "path": str(tmp_path / "pets")}
    assert find.source_for("./a.zip") == {"name": "zip", "path": str(tmp_path / "a.zip")}
    assert find.source_for("b.NPZ") == {"name": "npz", "path": str(tmp_path / "b.NPZ")}
    with pytest.raises(DataError, match="no source reads"):
        find.source_for("c.dat")


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("minst", UsageError, "did you mean mnist"),
        ("xqzw", UsageError, "there are: cifar10"),
        ("./gone", DataError, "there is no"),
        ("no/such/folder", DataError, "there is no"),
        ("gone.zip", DataError, "there is no"),
        ("x.tar", DataError, "there is no"),
        ("x.tar.gz", DataError, "tar archive"),
        ("model.pt", DataError, "pickle"),
        ("data.pkl", DataError, "pickle"),
    ],
)
def test_refusals_teach(text: str, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        find.source_for(text)


# Shapes


def test_digits_in_another_shape(how: Reading) -> None:
    split = find.read(Digits(), replace(how, size=(28, 20), channels=3))
    assert split.train.images.shape[1:] == (3, 28, 20)
    assert split.test.images.dtype == np.uint8
    as_is = find.read(Digits(), how)
    assert as_is.train.images.shape[1:] == (1, 8, 8)


@pytest.mark.parametrize(
    ("size", "to"), [((8, 8), (3, 5)), ((10, 20), (10, 10)), ((28, 28), (32, 32)), ((64, 48), (16, 16))]
)
@pytest.mark.parametrize("channels", [1, 3])
def test_arrays_are_resized_as_pictures_are(size: tuple[int, int], to: tuple[int, int], channels: int) -> None:
    from PIL import Image

    grid = np.linspace(0, 6, size[0])[:, None] + np.linspace(0, 4, size[1])
    image = np.round(127 + 120 * np.sin(grid)).astype(np.uint8)
    x = np.repeat(image[None, None], channels, axis=1)
    got = ImageDataset(x).resized(to, channels).images[0, 0].astype(int)
    out = io.BytesIO()
    Image.fromarray(image).save(out, "PNG")
    want = decode(out.getvalue(), channels, to, "white")[0].astype(int)
    assert np.abs(got - want).max() <= 1


def test_luma() -> None:
    x = np.zeros((3, 3, 2, 2), np.uint8)
    for i in range(3):
        x[i, i] = 255
    assert ImageDataset(x).resized(None, 1).images[:, 0, 0, 0].tolist() == [76, 150, 29]
    grey = np.full((1, 1, 2, 2), 9, np.uint8)
    assert ImageDataset(grey).resized(None, 3).images.tolist() == np.full((1, 3, 2, 2), 9).tolist()


class Nothing(Digits):
    def read(self, how: Reading) -> Split:
        none = ImageDataset(np.empty((0, 1, 8, 8), np.uint8))
        return Split(none, none)


def test_nothing_to_train_on(how: Reading) -> None:
    with pytest.raises(DataError, match="nothing to train on"):
        find.read(Nothing(), how)


def test_fingerprint(how: Reading) -> None:
    a = find.read(Digits(), how).train
    one_pixel = a.images.copy()
    one_pixel[5, 0, 3, 3] ^= 1
    assert a.labels is not None
    one_label = a.labels.copy()
    one_label[7] ^= 1
    changed = [
        replace(a, images=one_pixel),
        replace(a, labels=one_label),
        replace(a, labels=None),
        replace(a, attributes=np.zeros((len(a.images), 2), np.float32)),
        replace(a, images=a.images.reshape(-1, 1, 4, 16)),
        a.take(slice(0, -1)),
    ]
    prints = [x.fingerprint for x in (a, *changed)]
    assert len(set(prints)) == len(prints)
    assert replace(a, images=a.images.copy()).fingerprint == prints[0]


# npz


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Npz]:
    def save(compressed: bool = False, **arrays: np.ndarray) -> Npz:
        path = tmp_path / "x.npz"
        (np.savez_compressed if compressed else np.savez)(path, **arrays)
        return Npz(path=str(path))

    return save


IMAGES = np.random.default_rng(0).integers(0, 256, (20, 6, 5), dtype=np.uint8)
IMAGES[0, 0, :2] = 0, 255
COLOR = np.random.default_rng(0).integers(0, 256, (20, 3, 6, 5), dtype=np.uint8)


@pytest.mark.parametrize("name", ["images", "x", "arr_0"])
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    ("array", "expected", "off"),
    [
        (IMAGES, IMAGES[:, None], 0),
        (IMAGES[..., None], IMAGES[:, None], 0),
        (IMAGES[:, None], IMAGES[:, None], 0),
        (COLOR, COLOR, 0),
        (np.ascontiguousarray(COLOR.transpose(0, 2, 3, 1)), COLOR, 0),
        ((IMAGES / 255).astype(np.float32), IMAGES[:, None], 0),
        (IMAGES / 127.5 - 1, IMAGES[:, None], 0),
        ((IMAGES / 127.5 - 1).astype(np.float16), IMAGES[:, None], 1),
        ((IMAGES / 255).astype(">f4"), IMAGES[:, None], 0),
    ],
)
def test_layouts_and_ranges(
    array, expected, off: int, name: str, compressed: bool, saved: Callable[..., Npz], how: Reading
) -> None:
    train = saved(compressed, **{name: array}).read(replace(how, holdout=0, validation=0)).train
    assert train.images.dtype == np.uint8
    assert train.images.shape == expected.shape
    order = find_order(len(expected))
    assert np.abs(train.images.astype(int) - expected[order]).max() <= off


def find_order(n: int) -> np.ndarray:
    from gancli.data.holdout import order

    return order(n)


@pytest.mark.parametrize("mapped", [False, True])
def test_labels_stay_with_their_images(mapped: bool, saved, how: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    if mapped:
        monkeypatch.setattr(cache, "MAPPED_FROM", 100)
        monkeypatch.setattr("gancli.data.npy.PART", 90)
    images = np.repeat(np.arange(20, dtype=np.uint8), 30).reshape(20, 6, 5)
    source = saved(images=images, labels=np.arange(20) % 4, seeds=np.arange(20))
    for _ in range(2):
        split = source.read(replace(how, holdout=0.2))
        assert len(split.test.images) == 4
        assert split.train.classes == ("0", "1", "2", "3")
        for part in (split.train, split.test):
            assert (part.images[:, 0, 0, 0] % 4).tolist() == part.labels.tolist()
        assert isinstance(split.train.images, np.memmap) == mapped
        torch.from_numpy(split.train.images)
    vectors = np.stack([np.arange(20), -np.arange(20)], 1).astype(np.float64)
    train = saved(images=images, labels=vectors).read(how).train
    assert train.attributes[:, 0].tolist() == train.images[:, 0, 0, 0].tolist()
    named = saved(images=images, labels=np.array(["b", "a"] * 10)).read(how).train
    assert named.classes == ("a", "b")


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"one": IMAGES, "two": IMAGES}, r"no array called images or x; there are one uint8 \[20, 6, 5\], two uint8"),
        ({"x_test": IMAGES}, "no images to train on"),
        ({"images": IMAGES[0]}, "one image, or rows of 5 numbers"),
        ({"images": np.zeros((256, 256, 3), np.uint8)}, "one color image, or 256 gray ones"),
        ({"images": np.zeros((32, 32), np.uint8)}, "one image, or rows"),
        ({"images": np.zeros((1, 5000, 8), np.uint8)}, "a side has at most 4,096"),
        ({"images": np.zeros((4, 3, 6, 3), np.uint8)}, "may be"),
        ({"images": np.zeros((4, 5, 6, 7), np.uint8)}, "neither 1, 3 nor 4"),
        ({"images": np.zeros((4, 5), np.uint8)}, "the shape"),
        ({"images": np.zeros((0, 5, 5), np.uint8)}, "the shape"),
        ({"images": np.full((4, 5, 5), 2000.0)}, "values from 2000 to 2000, which is no usual range"),
        ({"images": np.full((4, 5, 5), 1j)}, "complex"),
        ({"images": np.full((4, 5, 5), np.nan)}, "values from nan"),
        ({"images": np.array([None, {}])}, "pickled"),
        ({"images": IMAGES, "labels": np.zeros(3, int)}, "20 images but"),
        ({"images": IMAGES, "labels": np.zeros((20, 2, 2))}, "neither classes"),
        ({"images": IMAGES, "labels": np.full((20, 2), np.inf)}, "neither classes"),
        ({"images": IMAGES, "labels": np.array(3)}, "20 images but"),
    ],
)
def test_arrays_that_are_refused(arrays: dict[str, np.ndarray], says: str, saved, how: Reading) -> None:
    with pytest.raises(DataError, match=says):
        saved(**arrays).read(how)


def test_every_cut_of_an_npz(saved, how: Reading, tmp_path: Path) -> None:
    path = Path(saved(images=IMAGES).path)
    data = path.read_bytes()
    for end in range(0, len(data), 50):
        path.write_bytes(data[:end])
        with pytest.raises(DataError, match="cannot be read"):
            Npz(path=str(path)).read(how)


def test_a_header_that_lies_about_its_size(how: Reading, tmp_path: Path) -> None:
    import zipfile

    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": "|u1", "fortran_order": False, "shape": (2**40, 64, 64)})
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("images.npy", out.getvalue())
    with pytest.raises(DataError, match="too large"):
        Npz(path=str(tmp_path / "x.npz")).read(how)


# Reports


def test_report_of_digits(how: Reading) -> None:
    report = inspect(Digits(), replace(how, size=(16, 16)))
    assert (report.count, report.train, report.validation, report.test) == (1797, 1438, 90, 269)
    assert report.shape == (1, 16, 16)
    assert report.sizes == {(8, 8): 1797}
    assert report.grey == 1797
    assert [sum(n) for n in zip(*report.classes.values(), strict=True)] == [1438, 90, 269]
    assert report.split is not None
    assert report.split.train.labels[list(report.preview)].tolist() == [i // 8 for i in range(80)]
    json.dumps(report.as_json())


def test_report_of_a_folder(how: Reading, picture, write) -> None:
    files = {f"{c}/{i}.png": picture(seed=i, size=(10 + i, 12)) for c in "ab" for i in range(3)}
    root = write("data", {**files, "a/bad.png": b"bad"})
    report = inspect(Folder(path=str(root)), how)
    assert report.broken == {"a/bad.png": "no picture in a known format, or cut short"}
    assert report.sizes == {(12, 10): 2, (12, 11): 2, (12, 12): 2}
    assert set(report.classes) == {"a", "b"}
    assert any("scaled to 8x8 (height x width)" in note for note in report.notes)
    json.dumps(report.as_json())


def test_what_is_read_fits_the_loader(how: Reading, picture, write) -> None:
    root = write("data", {f"{c}/{i}.png": picture(seed=i) for c in "ab" for i in range(3)})
    loader = Loader(find.read(Folder(path=str(root)), how).train, 0, torch.device("cpu"), torch.float32)
    batch = loader.batch(0, 4)
    assert batch["real"].shape == (4, 3, 16, 16)
    assert batch["label"].shape == (4,)
    assert loader.spec.classes == 2
