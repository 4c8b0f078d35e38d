"""What the rows of docs/data.md say, as tests: row -> function of a folder and of what reads."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gancli.core import registry
from gancli.core.errors import DataError
from gancli.data import find
from tests.data.conftest import pics, save

Row = Callable[[Path, Any], None]


def _digits(place: Path, read: Any) -> None:
    assert find.source_for("digits") == {"name": "digits"}
    assert "digits" in registry.parts("data")


def _forms(name: str) -> Row:
    def test(place: Path, read: Any) -> None:
        root = pics(place / "set", 12)
        images = np.stack([np.asarray(Image.open(p)) for p in sorted(root.iterdir())])
        path = place / f"a{name}"
        if name == ".zip":
            with zipfile.ZipFile(path, "w") as archive:
                for file in root.iterdir():
                    archive.write(file, file.name)
        elif name == ".npz":
            np.savez(path, images=images)
        elif name == ".npy":
            np.save(path, images)
        elif name == "folder of .npy":
            path.mkdir()
            for i, image in enumerate(images):
                np.save(path / f"{i:02d}.npy", image)
        else:
            path = root
        assert read(path).train.fingerprint == read(root).train.fingerprint

    return test


def _archives(name: str) -> Row:
    """One archive, and a folder of two that together hold the same."""

    def write(path: Path, files: list[Path]) -> None:
        path.parent.mkdir(exist_ok=True)
        if name == ".tar":
            with tarfile.open(path, "w") as tar:
                for file in files:
                    tar.add(file, file.name)
        else:
            parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
            arrow = pytest.importorskip("pyarrow")
            rows = [{"image": {"bytes": file.read_bytes(), "path": file.name}} for file in files]
            parquet.write_table(arrow.Table.from_pylist(rows), path)

    def test(place: Path, read: Any) -> None:
        files = sorted(pics(place / "set", 12).iterdir())
        write(place / f"one{name}", files)
        for i, some in enumerate((files[:6], files[6:])):
            write(place / "several" / f"{i}{name}", some)
        want = read(place / "set").train.fingerprint
        for path in (f"one{name}", "several"):
            assert read(place / path).train.fingerprint == want

    return test


NAMED: dict[str, Row] = {
    "digits": _digits,
    ".tar, or a folder of them": _archives(".tar"),
    ".parquet, or a folder of them (or of data/*.parquet)": _archives(".parquet"),
} | {n: _forms(n) for n in ("folder", ".zip", ".npz", ".npy", "folder of .npy")}


# Odd pictures


def _sizes(place: Path, read: Any) -> None:
    pics(place / "set", 12, 40)
    pics(place / "set", 6, 70, first=20)
    found = read(place / "set")
    assert found.train.images.shape[1:] == (3, 40, 40)
    assert "different sizes; they are scaled to 40x40" in found.said
    assert read(place / "set", size=(48, 64)).train.images.shape[2:] == (48, 64)


def _turned(place: Path, read: Any) -> None:
    (place / "set").mkdir()
    for i in range(8):
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.fromarray(np.full((8, 20, 3), 9 * i, np.uint8)).save(place / "set" / f"{i}.jpg", exif=exif)
    assert read(place / "set").train.images.shape[1:] == (3, 20, 8)


def _transparent(place: Path, read: Any) -> None:
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:, 4:] = (200, 0, 0, 255)
    save(place / "set", [pixels, pixels[:, ::-1]] * 6)
    over, four = read(place / "set").train.images, read(place / "set", channels=4).train.images
    assert (over.shape[1], int(over[:, 1:].max())) == (3, 255)
    assert (four.shape[1], sorted(np.unique(four[:, 3]))) == (4, [0, 255])
    assert read(place / "set", channels=4, size=(4, 4)).train.images[:, 1:3].max() == 0, "no dark or white fringe"


def _palette(place: Path, read: Any) -> None:
    (place / "set").mkdir()
    for i, mode in enumerate(("P", "1", "CMYK") * 3):
        image = Image.fromarray(np.full((8, 8, 3), 25 * i, np.uint8)).convert(mode)
        image.save(place / "set" / f"{i}.tif")
    assert read(place / "set").train.images.shape[1:] == (3, 8, 8)


def _several(place: Path, read: Any) -> None:
    (place / "set").mkdir()
    for i in range(8):
        first, *rest = [Image.fromarray(np.full((8, 8), 30 * i + k, np.uint8)) for k in range(3)]
        first.save(place / "set" / f"{i}.tif", save_all=True, append_images=rest)
    found = read(place / "set", holdout=0, validation=0)
    assert (len(found.train), "--set data.frames=all" in found.said) == (8, True)
    assert len(read(place / "set", frames="all", holdout=0, validation=0).train) == 24


def _broken(place: Path, read: Any) -> None:
    root = pics(place / "set", 12, 64, suffix="jpg")
    whole = (root / "0000.jpg").read_bytes()
    (root / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"1 of 13 .*cut\.jpg.*--skip-broken"):
        read(root)
    source: Any = registry.build("data", {"name": "folder", "path": str(root)})
    how = find.Reading(place / "d", place / "c", holdout=0, validation=0)
    assert len(find.read(source.replace(skip_broken=True), how).train) == 12
    assert len(find.read(source.replace(truncated=True), how).train) == 13


def _alike(place: Path, read: Any) -> None:
    save(place / "set", [np.full((8, 8), 99, np.uint8)] * 9)
    assert "images are alike" in read(place / "set").said


ODD_PICTURES: dict[str, Row] = {
    "different sizes": _sizes, "turned by EXIF": _turned, "transparent": _transparent, "palette, 1 bit, CMYK": _palette,
    "several images in a file": _several, "broken or cut short": _broken, "all alike": _alike,
}  # fmt: skip


# Folders


def _folders(classes: tuple[str, ...], *places: str, test: bool = False, says: str = "") -> Row:
    def run(place: Path, read: Any) -> None:
        for i, name in enumerate(places):
            pics(place / "set" / name, 8, first=20 * i)
        found = read(place / "set")
        assert found.train.classes == classes
        assert (len(found.test) >= 8) == test
        assert says in found.said
        assert bool(found.warnings) == ("left out" in says or "not taken" in says or "differ in case" in says)

    return run


def _domains(place: Path, read: Any) -> None:
    for i, name in enumerate(("trainA", "trainB")):
        pics(place / "set" / name, 6, first=10 * i)
    assert find.source_for(str(place / "set"))["name"] == "translation"


def _links(place: Path, read: Any) -> None:
    root = pics(place / "away", 12)
    chosen = place / "chosen"
    chosen.mkdir()
    for name in ("one", "two"):
        (chosen / name).symlink_to(root)
    assert len(read(chosen, holdout=0, validation=0).train) == 12
    with zipfile.ZipFile(place / "a.zip", "w") as archive:
        link = zipfile.ZipInfo("b.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, str(root / "0000.png"))
    with pytest.raises(DataError):
        read(place / "a.zip")


def _hidden(place: Path, read: Any) -> None:
    for i, name in enumerate(("cat", "dog", "@eaDir", "__MACOSX", ".hidden")):
        pics(place / "set" / name, 8, first=10 * i)
    (place / "set/cat/Thumbs.db").write_bytes(b"x")
    found = read(place / "set")
    assert (found.train.classes, found.warnings) == (("cat", "dog"), [])


def _others(place: Path, read: Any) -> None:
    root = pics(place / "set", 12)
    (root / "a.heic").write_bytes(b"\0\0\0\x18ftypheic")
    (root / "notes.xml").write_text("<x/>")
    found = "\n".join(read(root).warnings)
    assert "passed over: 1 .heic" in found
    assert "passed over: notes.xml" in found


BOTH = ("cat", "dog")
FOLDERS: dict[str, Row] = {
    "a.png b.png": _folders((), ""),
    "cat/a.png dog/b.png": _folders(BOTH, *BOTH),
    "train/cat/a.png test/cat/b.png": _folders(
        BOTH, "train/cat", "train/dog", "test/cat", "test/dog", test=True, says="are parts of the split"
    ),
    "cat/train/a.png cat/test/b.png": _folders(BOTH, "cat/train", "dog/train", "cat/test", "dog/test", test=True),
    "Training/a.png Validation/b.png": _folders((), "Training", "Validation", says="are parts of the split"),
    "train/a.png test/b.png extra/c.png": _folders(
        (), "train", "test", "extra", test=True, says="8 pictures outside of test, train are left out"
    ),
    "a.png cat/b.png": _folders((), "", "cat", says="the subfolders are not taken as classes"),
    "set/cat/a.png set/dog/b.png": _folders(BOTH, "set/cat", "set/dog"),
    "trainA/a.png trainB/a.png": _domains,
    "10/a.png 9/b.png": _folders(("9", "10"), "10", "9"),
    "Cat/a.png cat/b.png": _folders(("Cat", "cat"), "Cat", "cat", says="differ in case or blanks only"),
    "links": _links,
    "@eaDir __MACOSX Thumbs.db .hidden": _hidden,
    "a.heic notes.xml beside pictures": _others,
}
