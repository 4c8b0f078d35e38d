"""Two domains in all layouts that people have; pairs by name, never by order."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gancli.core.data import Reading
from gancli.core.errors import DataError
from gancli.data import find, sides
from gancli.data.domains import DomainsDataset
from gancli.data.pairs import PairDataset
from gancli.data.translation import Translation
from tests.conftest import Gan
from tests.data.conftest import Notes

Write = Callable[[str, dict[str, bytes]], Path]
LAYOUTS = {
    "trainA": ("trainA/{}", "trainB/{}", "testA/{}", "testB/{}"),
    "train_A": ("train_A/{}", "train_B/{}", "test_A/{}", "test_B/{}"),
    "A/train": ("A/train/{}", "B/train/{}", "A/test/{}", "B/test/{}"),
    "train/A": ("train/A/{}", "train/B/{}", "test/A/{}", "test/B/{}"),
    "inside": ("maps/trainA/{}", "maps/trainB/{}", "maps/testA/{}", "maps/testB/{}"),
}


def plain(value: int, mode: str = "RGB", size: tuple[int, int] = (16, 16), kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, value if mode == "L" else (value,) * len(mode)).save(out, kind)
    return out.getvalue()


def pairs(layout: str, n: int = 12) -> dict[str, bytes]:
    """A is gray with value i, B color with value 255 - i, in another order on disk."""
    a, b, test_a, test_b = LAYOUTS[layout]
    out = {a.format(f"{i:02d}.png"): plain(i, "L") for i in range(n)}
    out |= {b.format(f"{i:02d}.bmp"): plain(255 - i, kind="BMP") for i in reversed(range(n))}
    out |= {test_a.format(f"t{i}.png"): plain(i, "L") for i in range(4)}
    return out | {test_b.format(f"t{i}.png"): plain(255 - i) for i in range(4)}


def read(path: Path, how: Reading, **options: object) -> object:
    source = Translation(path=str(path), **options)  # type: ignore[arg-type]
    return find.read(source, how)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("packed", [False, True])
def test_layouts(
    layout: str, packed: bool, how: Reading, write: Write, zipped: Callable[..., Path], tmp_path: Path
) -> None:
    files = pairs(layout)
    path = zipped(files, tmp_path / "maps.zip") if packed else write("maps", files)
    assert find.source_for(str(path))["name"] == "translation"
    split = read(path, replace(how, validation=0.25))
    assert isinstance(split.train, PairDataset)  # type: ignore[attr-defined]
    assert [len(part) for part in (split.train, split.validation, split.test)] == [9, 3, 4]  # type: ignore[attr-defined]
    for part in (split.train, split.validation, split.test):  # type: ignore[attr-defined]
        a, b = part.source.images, part.target.images
        assert a.shape[1:] == (1, 16, 16)
        assert b.shape[1:] == (3, 16, 16)
        assert np.array_equal(a[:, 0, 0, 0].astype(int) + b[:, 0, 0, 0], np.full(len(a), 255))


def test_side_by_side(how: Reading, write: Write) -> None:
    files = {}
    for i in range(12):
        both = np.zeros((16, 32, 3), np.uint8)
        both[:, :16], both[:, 16:] = i, 255 - i
        out = io.BytesIO()
        Image.fromarray(both).save(out, "PNG")
        files[f"{'train' if i < 9 else 'test'}/{i}.png"] = out.getvalue()
    path = write("facades", files)
    assert find.source_for(str(path))["name"] == "folder"
    assert find.source_for(str(path), {"layout"})["name"] == "translation"
    split = read(path, replace(how, validation=0.2), layout="side-by-side")
    assert [len(part) for part in (split.train, split.validation, split.test)] == [7, 2, 3]  # type: ignore[attr-defined]
    a, b = split.train.source.images, split.train.target.images  # type: ignore[attr-defined]
    assert a.shape == b.shape == (7, 3, 16, 16)
    assert np.array_equal(a + b, np.full_like(a, 255))


def test_unmatched_names_are_left_out_and_named(how: Reading, notes: Notes, write: Write) -> None:
    files = pairs("trainA") | {"trainA/alone.png": plain(0, "L"), "trainB/other.png": plain(0)}
    split = read(write("maps", files), replace(how, validation=0))
    assert len(split.train) == 12  # type: ignore[attr-defined]
    assert "1 pictures of A have no partner and are left out: alone" in notes.text
    assert "other" in notes.text


def test_two_domains(how: Reading, notes: Notes, write: Write) -> None:
    files = {f"trainA/a{i}.png": plain(i) for i in range(20)} | {f"trainB/b{i}.png": plain(i) for i in range(30)}
    path = write("unpaired", files)
    split = read(path, replace(how, validation=0.1))
    assert isinstance(split.train, DomainsDataset)  # type: ignore[attr-defined]
    assert [len(x) for x in (split.train.a, split.train.b)] != [20, 30]  # type: ignore[attr-defined]  # some are held out
    assert "held out as the test set" in notes.text
    with pytest.raises(DataError, match="no picture of A has the name"):
        read(path, how, paired=True)
    assert isinstance(read(write("p", pairs("trainA")), how, paired=False).train, DomainsDataset)  # type: ignore[attr-defined]


def test_what_cannot_be_meant_is_refused(how: Reading, notes: Notes, write: Write) -> None:
    with pytest.raises(DataError, match="trainA and trainB"):
        read(write("one", {"trainA/x.png": plain(0)}), how)
    twice = pairs("trainA") | {"trainA/00.jpg": plain(0, kind="JPEG")}
    with pytest.raises(DataError, match="occur twice in A: 00"):
        read(write("twice", twice), how)
    broken = pairs("trainA") | {"trainB/03.bmp": b"BMxx"}
    with pytest.raises(DataError, match=r"trainB/03\.bmp"):
        read(write("broken", broken), how)
    assert len(read(write("broken", broken), replace(how, validation=0), skip_broken=True).train) == 11  # type: ignore[attr-defined]
    assert "have no partner" in notes.text


def test_unlike_sizes_are_said(how: Reading, notes: Notes, write: Write) -> None:
    files = pairs("trainA") | {"trainB/03.bmp": plain(252, size=(24, 20), kind="BMP")}
    read(write("maps", files), how)
    assert "20x24 (1)" in notes.text


def test_which_folders_are_domains() -> None:
    assert sides.domains(["trainA/x.png", "trainB/y/x.png"])["trainB/y/x.png"] == sides.Side("train", "b", "y/x")
    assert sides.domains(["m/VAL b/x.png", "m/val_A/x.png"])["m/VAL b/x.png"] == sides.Side("validation", "b", "x")
    assert not sides.domains(["cat/1.png", "dog/2.png"])
    assert not sides.domains(["trainA/1.png", "trainA/2.png"])


def test_gan_data_says_what_is_there(gan: Gan, write: Write, tmp_path: Path) -> None:
    path = write("maps", pairs("trainA") | {"trainA/alone.png": plain(0, "L")})
    said = gan("data", path, "--preview", tmp_path / "pairs.png")
    assert said.code == 0, said.err
    assert "pairs of images 1x16x16 and 3x16x16" in said.out
    assert "alone" in said.out
    with Image.open(tmp_path / "pairs.png") as preview:
        assert preview.size[0] > 100
    wide = write("wide", {f"{i}.png": plain(i, size=(32, 16)) for i in range(12)})
    assert "--layout side-by-side" in gan("data", wide).err
    said = gan("data", wide, "--layout", "side-by-side", "--json")
    assert said.code == 0, said.err
    assert said.json()["shape"] == [3, 16, 16]
    said = gan("train", "--data", wide, "--layout", "side-by-side", "--dry-run", "--max-steps", "1", "--json")
    assert said.code == 0, said.err
    assert said.json()["config"]["preset"] == "pix2pix"
