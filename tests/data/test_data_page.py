"""Each row of the tables in docs/data.md is what happens."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gancli.core.errors import GanError
from gancli.data.decode import FORMATS
from tests.data.conftest import Read, pics
from tests.data.page_arrays import ARRAYS, VALUES
from tests.data.page_rows import FOLDERS, NAMED, ODD_PICTURES
from tests.data.page_tables import ODD_TABLES, TABLES

PAGE = Path(__file__).parents[2] / "docs" / "data.md"
KINDS = {"J2K": "JPEG2000"}
SECTIONS: dict[str, dict[str, Callable[[Path, Any], None]]] = {
    "--data": NAMED, "files": FOLDERS, "table": TABLES, "array": ARRAYS, "values": VALUES,
}  # fmt: skip


def rows(head: str) -> list[list[str]]:
    """The rows of the tables whose first head is this."""
    found: list[list[str]] = []
    for table in re.findall(r"(?:^\|.*\n)+", PAGE.read_text(), re.M):
        first, _, *lines = [
            [c.strip().replace("`", "") for c in line.strip("|\n").split(" | ")] for line in table.splitlines()
        ]
        if first[0].strip() == head:
            found += lines
    return [[cell.strip() for cell in row] for row in found]


def all_rows() -> list[tuple[str, str]]:
    odd = [("odd", row[0]) for row in rows("what is odd")]
    return [(head, row[0]) for head in SECTIONS for row in rows(head)] + odd


@pytest.mark.parametrize(("head", "row"), all_rows(), ids=lambda v: v)
def test_row(head: str, row: str, read: Callable[..., Read], tmp_path: Path) -> None:
    known = {**ODD_PICTURES, **ODD_TABLES} if head == "odd" else SECTIONS[head]
    assert row in known, f"docs/data.md says {row!r}, and no test of it is in page_rows.py"
    known[row](tmp_path, read)


def test_every_test_is_a_row() -> None:
    told = {row for _, row in all_rows()}
    known = {row for tests in (*SECTIONS.values(), ODD_PICTURES, ODD_TABLES) for row in tests}
    assert known == told


@pytest.mark.parametrize("row", rows("format"), ids=lambda row: row[0])
def test_formats(row: list[str], read: Callable[..., Read], tmp_path: Path) -> None:
    kind, suffixes = row[0].replace(" ", "").replace("PNM", "PPM"), row[1].split()
    assert kind in FORMATS
    want = read(pics(tmp_path / "plain", 8)).train
    for suffix in suffixes:
        folder = tmp_path / suffix[1:]
        folder.mkdir()
        for file in sorted((tmp_path / "plain").iterdir()):
            image = Image.open(file)
            image = image.convert("L") if suffix == ".pgm" else image.convert("1") if suffix == ".pbm" else image
            image.save(folder / (file.stem + suffix), kind)
        assert len(read(folder).train) == len(want)
        if kind in ("PNG", "BMP", "TIFF", "TGA"):
            assert read(folder).train.fingerprint == want.fingerprint
    assert len(rows("format")) == len(FORMATS)


def test_the_same_pictures_in_every_form_are_the_same_data(read: Callable[..., Read], tmp_path: Path) -> None:
    """Folders of classes with parts, tables of three kinds, zips, .npz and .npy: one fingerprint for each part."""
    forms = tmp_path / "forms"
    labels, parts = [("cat", "dog", "10")[i % 3] for i in range(30)], ["train" if i < 20 else "test" for i in range(30)]
    for i, (label, part) in enumerate(zip(labels, parts, strict=True)):
        for place in (
            f"classes/{part}/{label}",
            f"turned/{label}/{part}",
            f"top/set/{part}/{label}",
            "csv",
            "jsonl",
            f"own/{part}",
        ):
            pics(forms / place, 1, first=i)
    rows_ = [(f"{i:04d}.png", label, part) for i, (label, part) in enumerate(zip(labels, parts, strict=True))]
    (forms / "csv/labels.csv").write_text("\n".join(["file;class;split", *(";".join(row) for row in rows_)]))
    lines = [json.dumps({"file_name": a, "label": b, "subset": c}) for a, b, c in rows_]
    (forms / "jsonl/metadata.jsonl").write_text("\n".join(lines))
    for part in ("train", "test"):
        text = "\n".join(["image,category", *(f"{a.removesuffix('.png')},{b}" for a, b, c in rows_ if c == part)])
        (forms / "own" / part / "metadata.csv").write_text(text)
    links = forms / "links"
    links.mkdir()
    (links / "train").symlink_to(forms / "classes/train")
    (links / "test").symlink_to(forms / "classes/test")
    for name in ("classes", "csv"):
        with zipfile.ZipFile(forms / f"{name}.zip", "w") as archive:
            for path in sorted((forms / name).rglob("*.*")):
                archive.write(path, path.relative_to(forms / name))
    images = np.stack([np.asarray(Image.open(forms / "csv" / row[0])) for row in rows_])
    arrays: dict[str, Any] = {}
    for part in ("train", "test"):
        at = [i for i, own in enumerate(parts) if own == part]
        arrays |= {f"x_{part}": images[at], f"y_{part}": np.array(labels)[at]}
    np.savez(forms / "a.npz", **arrays)
    (forms / "npy").mkdir()
    for name, array in arrays.items():
        np.save(forms / "npy" / f"{name}.npy", array)
    want = read(forms / "classes")
    assert len(want.test) == 10
    for path in sorted(forms.iterdir()):
        found = read(path)
        for part in ("train", "validation", "test"):
            assert getattr(found, part).fingerprint == getattr(want, part).fingerprint, (path.name, part)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("https://example.org/a.zip", "download it"), ("a.tar.gz", "tar xf"), ("a.rar", "unpack it"),
        ("a.mp4", "ffmpeg"), ("a.pt", "pickle"), ("a.png", "is one picture"),
    ],
)  # fmt: skip
def test_what_is_not_read_says_what_to_do(
    name: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gancli.data.find import source_for

    monkeypatch.chdir(tmp_path)
    if "://" not in name:
        Path(name).write_bytes(b"x")
    with pytest.raises(GanError, match=says):
        source_for(name)


def test_files_of_a_known_data_set_are_recognized(read: Callable[..., Read], tmp_path: Path) -> None:
    raw = tmp_path / "sets/MNIST/raw"
    raw.mkdir(parents=True)
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (raw / f"{name}-ubyte").write_bytes(b"")
    for place in (raw, raw.parent, raw.parents[1]):
        with pytest.raises(GanError, match=f"name mnist, with --data-dir {tmp_path}/sets"):
            read(place)
    (tmp_path / "sets/other").mkdir()
    with pytest.raises(GanError, match="one of these formats"):
        read(tmp_path / "sets/other")
