"""Folders and zips: classes, labels, sizes, broken files, links."""

from __future__ import annotations

import errno
import io
import json
import os
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from gancli.core.data import Reading
from gancli.core.errors import DataError
from gancli.core.images import to_uint8
from gancli.data import cache, find, remarks
from gancli.data.collection import Scan
from gancli.data.folder import Folder
from gancli.data.inspect import inspect
from gancli.data.loader import Loader
from gancli.data.zipped import Zip
from tests.data.conftest import Make, Write, Zipper, count, same


def test_subfolders_are_classes_and_a_zip_of_them_gives_the_same(
    classes: dict[str, bytes], write: Write, how: Reading, tmp_path: Path, zipped: Zipper
) -> None:
    a = Folder(path=str(write("pets", classes))).read(how)
    b = Zip(path=str(zipped(classes, tmp_path / "pets.zip"))).read(how)
    inside = Zip(path=str(zipped({f"pets/{k}": v for k, v in classes.items()}, tmp_path / "in.zip"))).read(how)
    assert a.train.classes == b.train.classes == inside.train.classes == ("cat", "dog")
    assert a.train.images.shape == (17, 3, 16, 16)
    assert a.train.images.dtype == np.uint8
    assert np.bincount(a.test.labels).tolist() == [1, 1]  # stratified
    assert same(a, b)
    assert same(a, inside)


def test_a_flat_folder_of_grey_28_by_20_as_it_is(picture: Make, write: Write, how: Reading) -> None:
    root = write("flat", {f"{i}.png": picture("L", (20, 28), seed=i) for i in range(5)})
    split = Folder(path=str(root)).read(how)
    assert split.train.images.shape == (3, 1, 28, 20)
    assert split.validation.images.shape == split.test.images.shape == (1, 1, 28, 20)
    assert split.train.labels is None
    assert split.train.classes == ()


CSV = "file,label\na.png,10\nb.png,9\nc.png,10\n"
ATTRIBUTES = "file,age,height\na.png,1,2.5\nb.png,3,4\nc.png,5,6\n"
BOTH = "file,label,age\na.png,x,1\nb.png,y,2\nc.png,x,3\n"


@pytest.mark.parametrize(
    ("file", "text", "names", "attributes"),
    [
        ("labels.csv", CSV, ("9", "10"), ()),
        ("labels.csv", "\ufeff" + CSV.replace("\n", "\r\n"), ("9", "10"), ()),
        ("labels.csv", ATTRIBUTES, (), ("age", "height")),
        ("labels.csv", BOTH, ("x", "y"), ("age",)),
        ("labels.json", json.dumps({"labels": [["a.png", 1], ["b.png", 0], ["c.png", 1]]}), ("0", "1"), ()),
        (
            "dataset.json",
            json.dumps({"labels": [["a.png", [1, 2]], ["b.png", [0, 1]], ["c.png", [3, 4]]]}),
            (),
            ("0", "1"),
        ),
        ("labels.json", json.dumps({"a.png": "x", "b.png": "y", "c.png": "x", "gone.png": "x"}), ("x", "y"), ()),
        ("dataset.json", json.dumps({"labels": None}), (), ()),
    ],
)
def test_labels_files(
    file: str, text: str, names: tuple[str, ...], attributes: tuple[str, ...], write: Write, how: Reading
) -> None:
    files = {f"{name}.png": Image.new("L", (4, 4), shade) for name, shade in zip("abc", (10, 20, 30), strict=True)}
    root = write("data", {file: text.encode()})
    for name, image in files.items():
        image.save(root / name)
    train = Folder(path=str(root)).read(replace(how, holdout=0, validation=0)).train
    assert train.classes == names
    assert train.attribute_names == attributes
    place = np.argsort(train.images[:, 0, 0, 0])  # a, b, c
    if names:
        assert train.labels is not None
        of = [names[i] for i in train.labels[place]]
        assert of[0] == of[2] != of[1]
    if attributes:
        assert train.attributes is not None
        assert train.attributes.dtype == np.float32
        assert train.attributes[place, 0].tolist() in ([1, 3, 5], [1, 2, 3], [1, 0, 3])


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        (
            "labels.csv",
            "file,label\nx.png,1\n",
            r"names no picture that is there: it says 'x\.png', and a picture is 'a\.png'",
        ),
        ("labels.csv", "file,label\na.png,\nb.png,nan\n", "2 of 2 pictures have no label"),
        ("labels.csv", "file,label\na.png,1\na.png,2\nb.png,1\n", r"row 2: a\.png is '1' and '2'"),
        ("labels.csv", "a.png\n", "header"),
        ("labels.csv", "file,label\na.png\n", "line 2"),
        ("labels.json", "{", "not JSON"),
        ("labels.json", "[" * 100_000, "not JSON"),
        ("labels.json", "[1]", "not a list"),
        ("labels.json", '{"a.png": [1], "b.png": [1, 2]}', "different numbers"),
        ("labels.json", '{"a.png": [null], "b.png": [1]}', "finite numbers"),
        ("labels.csv", b"file,label\na.png,\xff\n", "UTF-8"),
    ],
)
def test_labels_files_that_are_wrong(
    file: str, text: str | bytes, says: str, picture: Make, write: Write, how: Reading
) -> None:
    data = text if isinstance(text, bytes) else text.encode()
    root = write("data", {"a.png": picture(), "b.png": picture(seed=1), file: data})
    with pytest.raises(DataError, match=says):
        Folder(path=str(root)).read(how)


@pytest.mark.parametrize(
    ("table", "choice"),
    [
        *(("file,age\na.png,\nb.png,nan\n", choice) for choice in (None, "drop", "keep")),
        *(("file,label\na.png,\nb.png,\n", choice) for choice in (None, "drop")),  # keep: they are a class
    ],
)
def test_labels_of_no_picture_are_refused_whatever_is_done_without(
    table: str, choice: Any, picture: Make, write: Write, how: Reading
) -> None:
    root = write("data", {"a.png": picture(), "b.png": picture(seed=1), "labels.csv": table.encode()})
    with pytest.raises(DataError, match="2 of 2 pictures have no label") as refused:
        Folder(path=str(root)).read(replace(how, unlabeled=choice))
    assert "--set data.labels=none" in str(refused.value)
    split = Folder(path=str(root)).read(replace(how, labels="none"))
    assert len(split.train) + len(split.test) == 2


@pytest.mark.parametrize(
    ("modes", "sizes", "size", "channels", "shape"),
    [
        (("L", "LA"), ((20, 20), (20, 20)), None, None, (1, 20, 20)),
        (("L", "RGB"), ((20, 20), (20, 20)), None, None, (3, 20, 20)),
        (("L", "L"), ((30, 20), (50, 40)), None, None, (1, 16, 16)),
        (("L", "L"), ((300, 200), (500, 400)), None, None, (1, 64, 64)),
        (("L", "L"), ((3, 2), (5, 4)), None, None, (1, 8, 8)),
        (("RGB", "RGB"), ((20, 20), (20, 30)), (12, 10), 1, (1, 12, 10)),
    ],
)
def test_size_and_channels(
    modes, sizes, size, channels, shape, picture: Make, write: Write, how: Reading, notes
) -> None:
    files = {f"{i}.png": picture(mode, s, seed=i) for i, (mode, s) in enumerate(zip(modes, sizes, strict=True))}
    source = Folder(path=str(write("data", files)))
    split = find.read(source, replace(how, size=size, channels=channels))
    assert split.train.images.shape[1:] == shape
    assert ("cut and scaled" in notes.text) == (len(set(sizes)) > 1)


@pytest.mark.parametrize(
    ("sizes", "size", "said"),
    [
        ([(20, 30)], (20, 30), None),
        ([(20, 20)], (8, 8), "the pictures are 20x20; they are scaled to 8x8 (height x width)"),
        ([(20, 30)], (20, 20), "the pictures are 20x30; they are cut to 20x20 (height x width)"),
        ([(20, 30)], (10, 12), "the pictures are 20x30; they are cut and scaled to 10x12 (height x width)"),
        ([(20, 30), (40, 60)], (10, 15), "the pictures are of different sizes; they are scaled to 10x15 (height x width)"),
    ],
)  # fmt: skip
def test_what_becomes_of_the_sizes_is_said(
    sizes: list[tuple[int, int]], size: tuple[int, int], said: str | None
) -> None:
    names = [f"{i}.png" for i in range(len(sizes))]
    found = Scan("", names, sizes, [True] * len(sizes), ["bytes"] * len(sizes), [False] * len(sizes))
    assert remarks.notes([], found, found, size) == ([] if said is None else [said])


def test_broken_files_are_all_listed_or_left_out(picture: Make, write: Write, how: Reading, notes) -> None:
    good = picture(size=(64, 64))
    files = {f"{i}.png": picture(seed=i, size=(64, 64)) for i in range(6)}
    files |= {"cut.png": good[: len(good) // 2], "empty.jpg": b"", "text.png": b"hello", "notes.txt": b"hello"}
    source = Folder(path=str(write("data", files)))
    with pytest.raises(DataError, match=r"empty\.jpg.*text\.png") as caught:
        source.read(how)
    assert "notes.txt" not in str(caught.value)
    lenient = source.replace(skip_broken=True)
    split = lenient.read(how)
    assert count(split) == 6
    assert "broken pictures left out: 3" in notes.text
    with pytest.raises(DataError, match=r"cut\.png"):  # now known without decoding
        source.read(how)
    report = inspect(source, how)
    assert set(report.broken) == {"cut.png", "empty.jpg", "text.png"}
    assert report.count == 6
    assert "files that are no pictures: 1" in report.notes
    assert "leave them out: --skip-broken" in str(caught.value)


def test_broken_without_a_cache_that_can_be_written(picture: Make, write: Write, how: Reading, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    good = picture(size=(64, 64))
    source = Folder(
        path=str(write("data", {"a.png": good, "b.png": picture(seed=1, size=(64, 64)), "cut.png": good[:5000]}))
    )
    split = source.replace(skip_broken=True).read(replace(how, cache_dir=tmp_path / "file" / "below"))
    assert len(split.train.images) == 1


def test_links_hidden_files_and_strange_names(picture: Make, write: Write, how: Reading, notes, tmp_path: Path) -> None:
    root = write(
        "data",
        {"a.png": picture(), ".hidden.png": b"broken", "sub/.b/c.png": b"broken", "new\nline.png": picture(seed=2)},
    )
    outside = write("outside", {"secret.png": picture(seed=3)})
    (root / "loop").symlink_to(root, target_is_directory=True)
    (root / "away").symlink_to(outside, target_is_directory=True)
    (root / "link.png").symlink_to(outside / "secret.png")
    (root / "gone.png").symlink_to(outside / "gone.png")
    Path(os.fsdecode(os.fsencode(root) + b"/\xff\xfe.png")).write_bytes(picture(seed=4))
    os.mkfifo(root / "pipe.png")
    (root / "zero.png").symlink_to("/dev/zero")
    warnings: list[str] = []
    split = Folder(path=str(root)).read(replace(how, warn=warnings.append))
    assert count(split) == 5  # links are followed, each real folder once
    assert "1 links to folders that are read already" in notes.text
    assert "2 sockets" in notes.text
    assert warnings[0] == "1 links lead nowhere: what they stood for is missing"


@pytest.mark.parametrize("files", [{}, {"a.txt": b"x"}, {"sub/deep/.x": b""}])
def test_nothing_to_read(files: dict[str, bytes], write: Write, how: Reading) -> None:
    source = Folder(path=str(write("data", files)))
    with pytest.raises(DataError, match="no pictures in"):
        source.read(how)
    report = inspect(source, how)
    assert report.count == 0
    assert report.split is None


def test_a_missing_folder(how: Reading, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folder"):
        Folder(path=str(tmp_path / "gone")).read(how)


@pytest.mark.parametrize("top", ["", "set/"])
def test_a_zip_as_stylegan_wants_it(top: str, picture: Make, how: Reading, tmp_path: Path, zipped: Zipper) -> None:
    files = {f"{top}0000{i % 2}/img{i}.png": picture(seed=i) for i in range(6)}
    pairs = [[name.removeprefix(top), i // 2] for i, name in enumerate(files)]
    path = zipped({**files, f"{top}dataset.json": json.dumps({"labels": pairs}).encode()}, tmp_path / "x.zip")
    split = Zip(path=str(path)).read(how)
    assert split.train.classes == ("0", "1", "2")


def test_progress_reaches_the_end(classes: dict[str, bytes], write: Write, how: Reading) -> None:
    seen: list[tuple[str, int, int]] = []
    Folder(path=str(write("pets", classes))).read(replace(how, progress=lambda *args: seen.append(args)))
    assert {what for what, _, _ in seen} == {"looking at the files", "decoding"}
    assert seen[-1] == ("decoding", 20, 20)


def test_a_picture_that_could_not_be_read_once_is_not_broken_for_good(
    picture: Make, write: Write, how: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = picture(size=(64, 64))[:5000]
    files = {f"{i}.png": picture(seed=i, size=(64, 64)) for i in range(4)} | {"cut.png": cut, "notes.txt": b"x"}
    source = Folder(path=str(write("data", files)))
    real = os.open

    def open_(path: str, *rest: int, **more: int) -> int:
        if str(path).endswith(("0.png", "notes.txt")):
            raise OSError(errno.EMFILE, "Too many open files")
        return real(path, *rest, **more)

    monkeypatch.setattr(os, "open", open_)
    with pytest.raises(DataError, match=r"1 of 5 .* 0\.png: Too many open files"):
        source.read(how)
    assert set(inspect(source, how).broken) == {"0.png", "cut.png"}
    monkeypatch.setattr(os, "open", real)
    assert set(inspect(source, how).broken) == {"cut.png"}
    split = source.replace(skip_broken=True).read(how)
    assert count(split) == 4


def test_a_zip_that_could_not_be_read_once(
    classes: dict[str, bytes], how: Reading, tmp_path: Path, zipped: Zipper, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Zip(path=str(zipped(classes, tmp_path / "x.zip")))

    def failing(*_: object) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(zipfile.ZipExtFile, "read", failing)
        with pytest.raises(DataError, match="Input/output error"):
            source.read(how)
    assert count(source.read(how)) == 20


@pytest.mark.parametrize("side", [512, 1024])
def test_large_pictures(
    side: int, picture: Make, write: Write, how: Reading, notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "MAPPED_FROM", 2**20)
    files = {f"{i}.jpg": picture(size=(side, side), kind="JPEG", seed=i) for i in range(4)}
    source = Folder(path=str(write("data", files)))
    whole = find.read(source, replace(how, holdout=0, validation=0)).train
    assert whole.images.shape == (4, 3, side, side)
    assert isinstance(whole.images, np.memmap)
    pixels = {np.asarray(Image.open(io.BytesIO(data))).transpose(2, 0, 1).tobytes() for data in files.values()}
    assert {x.tobytes() for x in whole.images} == pixels
    batch = Loader(whole, 0, torch.device("cpu"), torch.float32).batch(4, 4)
    assert {x.tobytes() for x in to_uint8(batch["real"])} == pixels
    for asked in (1024, 512, 96):
        split = find.read(source, replace(how, size=(asked, asked)))
        assert split.train.images.shape[1:] == (3, asked, asked)
        assert (count(split), len(split.validation), len(split.test)) == (4, 1, 1)
