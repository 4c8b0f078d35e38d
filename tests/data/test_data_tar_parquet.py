"""Tar archives and Parquet files as hubs keep them: pictures, labels and parts come back; hostile ones are refused in one line."""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gancli.core import registry
from gancli.core.data import Reading, Source, Split
from gancli.core.errors import DataError
from gancli.data import find, parquet, tarred
from tests.conftest import Gan

SIDE = 8


def picture(i: int) -> np.ndarray:
    """A picture that is different from all others, uint8 [SIDE, SIDE]."""
    return np.random.Generator(np.random.PCG64(i)).integers(0, 256, (SIDE, SIDE), np.uint8)


def png(i: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture(i)).save(out, "PNG")
    return out.getvalue()


def write_tar(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def read(path: Path, place: Path) -> tuple[Split[Any], list[str]]:
    said: list[str] = []
    how = Reading(place, place, download=False, note=said.append, warn=said.append)
    source = registry.build("data", find.source_for(str(path)))
    assert isinstance(source, Source)
    return find.read(source, how), said


def pairs_of(*parts: Any) -> dict[int, str | None]:
    """The number of each picture -> its class."""
    known = {picture(i).tobytes(): i for i in range(100)}
    out: dict[int, str | None] = {}
    for part in parts:
        for k, image in enumerate(part.images):
            label = None if part.labels is None else part.classes[part.labels[k]]
            out[known[image.tobytes()]] = label
    return out


def everything(split: Split[Any]) -> dict[int, str | None]:
    return pairs_of(split.train, split.validation, split.test)


SAMPLES = 24


def kinds() -> dict[str, Callable[[Path], Path]]:
    names = ["owl", "cat"]
    rows = [{"image": {"bytes": png(i), "path": f"{i}.png"}, "label": i % 2} for i in range(SAMPLES)]
    features = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}, "image": {"_type": "Image"}}}}

    def cls(place: Path) -> Path:
        members = {}
        for i in range(SAMPLES):
            members |= {f"a/{i:03d}.png": png(i), f"a/{i:03d}.cls": names[i % 2].encode()}
        return write_tar(place / "it.tar", members)

    def as_json(place: Path) -> Path:
        members = {}
        for i in range(SAMPLES):
            members |= {
                f"{i:03d}.json": json.dumps({"label": names[i % 2], "caption": [1]}).encode(),
                f"{i:03d}.png": png(i),
            }
        return write_tar(place / "it.tar", members)

    def folders(place: Path) -> Path:
        return write_tar(place / "it.tar", {f"{names[i % 2]}/{i}.png": png(i) for i in range(SAMPLES)})

    def arrow(place: Path) -> Path:
        pa = pytest.importorskip("pyarrow")
        from pyarrow import parquet as pq

        table = pa.Table.from_pylist(rows).replace_schema_metadata({"huggingface": json.dumps(features)})
        pq.write_table(table, place / "it.parquet", row_group_size=5)
        return place / "it.parquet"

    def bare(place: Path) -> Path:
        pa = pytest.importorskip("pyarrow")
        from pyarrow import parquet as pq

        table = pa.table({"png": [png(i) for i in range(SAMPLES)], "label": [names[i % 2] for i in range(SAMPLES)]})
        pq.write_table(table, place / "it.parquet")
        return place / "it.parquet"

    return {"cls": cls, "json": as_json, "folders": folders, "parquet": arrow, "parquet-bytes": bare}


@pytest.mark.parametrize("kind", kinds())
def test_pictures_and_labels_come_back(kind: str, tmp_path: Path) -> None:
    split, _ = read(kinds()[kind](tmp_path), tmp_path / "cache")
    assert everything(split) == {i: ("owl", "cat")[i % 2] for i in range(SAMPLES)}
    again, _ = read(tmp_path / ("it.parquet" if "parquet" in kind else "it.tar"), tmp_path / "cache")
    np.testing.assert_array_equal(again.train.images, split.train.images)


def test_parts_of_shards(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    for k, part in enumerate(("train-000", "train-001", "test-000")):
        members = {
            f"{i:03d}.{end}": png(10 * k + i) if end == "png" else b"7" for i in range(10) for end in ("png", "cls")
        }
        write_tar(tmp_path / "set" / f"{part}.tar", members)
    split, _ = read(tmp_path / "set", tmp_path / "cache")
    assert set(pairs_of(split.test)) == set(range(20, 30))
    assert set(everything(split)) == set(range(30))


def test_parts_of_parquet_files(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet as pq

    (tmp_path / "set/data").mkdir(parents=True)
    (tmp_path / "set/README.md").write_text("a data set")
    for k, part in enumerate(("train-00000-of-00002", "train-00001-of-00002", "test-00000-of-00001")):
        rows = [{"image": {"bytes": png(10 * k + i), "path": None}, "label": i % 2} for i in range(10)]
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "set/data" / f"{part}.parquet")
    split, _ = read(tmp_path / "set", tmp_path / "cache")
    assert set(pairs_of(split.test)) == set(range(20, 30))
    assert everything(split) == {i: str(i % 2) for i in range(30)}


def special(path: Path, **fields: Any) -> Path:
    with tarfile.open(path, "w") as tar:
        info = tarfile.TarInfo("a.png")
        for name, value in fields.items():
            setattr(info, name, value)
        tar.addfile(info, io.BytesIO(png(0)) if info.isreg() else None)
    return path


HOSTILE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "outside": (lambda p: write_tar(p / "x.tar", {"../../a.png": png(0)}), "points out of the archive"),
    "absolute": (lambda p: write_tar(p / "x.tar", {"/etc/a.png": png(0)}), "points out of the archive"),
    "device": (lambda p: special(p / "x.tar", type=tarfile.CHRTYPE), "is no plain file"),
    "pipe": (lambda p: special(p / "x.tar", type=tarfile.FIFOTYPE), "is no plain file"),
    "only a link": (lambda p: special(p / "x.tar", type=tarfile.SYMTYPE, linkname="/etc/passwd"), "no pictures in"),
    "twice": (lambda p: _twice(p / "x.tar"), "two files of the same name"),
    "noise": (lambda p: _bytes(p / "x.tar", b"\x01" * 5000), "not a whole tar archive"),
    "empty": (lambda p: _bytes(p / "x.tar", b""), "the file is empty"),
    "gzip": (lambda p: write_tar(p / "x.tar", {"a.png": png(0)}, "w:gz"), "compressed ones are not read"),
    "cut": (lambda p: _cut(write_tar(p / "x.tar", {"a.png": png(0) * 50})), "cut short"),
    "long class": (lambda p: write_tar(p / "x.tar", {"a.png": png(0), "a.cls": b"7" * (2**20 + 1)}), "larger than 1 MB"),
    "bad json": (lambda p: write_tar(p / "x.tar", {"a.png": png(0), "a.json": b"[" * 9999}), "must hold a class"),
    "parquet noise": (lambda p: _bytes(p / "x.parquet", b"PAR1" + b"\x07" * 5000 + b"PAR1"), "x.parquet cannot be read"),
    "parquet empty": (lambda p: _bytes(p / "x.parquet", b""), "x.parquet cannot be read"),
    "parquet cut": (lambda p: _cut(kinds()["parquet"](p)), "it.parquet cannot be read"),
    "parquet of words": (lambda p: _of_words(p / "x.parquet"), "has no column of pictures (it has a, b)"),
}  # fmt: skip


def _bytes(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _cut(path: Path) -> Path:
    return _bytes(path, path.read_bytes()[: len(path.read_bytes()) // 3])


def _twice(path: Path) -> Path:
    with tarfile.open(path, "w") as tar:
        for i in range(2):
            info = tarfile.TarInfo("a.png")
            info.size = len(png(i))
            tar.addfile(info, io.BytesIO(png(i)))
    return path


def _of_words(path: Path) -> Path:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet as pq

    pq.write_table(pa.table({"a": ["x"], "b": [1]}), path)
    return path


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_files_are_refused(case: str, tmp_path: Path) -> None:
    if "parquet" in case:
        pytest.importorskip("pyarrow")
    make, why = HOSTILE[case]
    with pytest.raises(DataError, match=re.escape(why)) as caught:
        read(make(tmp_path), tmp_path / "cache")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.rglob("*.png")) == []


def test_the_command_says_so_in_one_line(gan: Gan, tmp_path: Path) -> None:
    said = gan("data", write_tar(tmp_path / "x.tar", {"../a.png": png(0)}))
    assert (said.code, said.err.count("\n")) == (3, 1)


def test_bombs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet as pq

    bomb = tmp_path / "x.parquet"
    pq.write_table(pa.table({"image": [bytes(2**20)] * 8}), bomb, use_dictionary=False, compression="zstd")
    monkeypatch.setattr(parquet, "RATIO_FROM", 2**20)
    with pytest.raises(DataError, match="would unpack to"):
        read(bomb, tmp_path)
    pq.write_table(pa.table({"image": [bytes(2**20)] * 8}), bomb)  # one value, repeated: the metadata says 1 MB
    monkeypatch.setattr(parquet, "LARGEST_TOTAL", 4 * 2**20)
    with pytest.raises(DataError, match="holds more than"):
        read(bomb, tmp_path)
    monkeypatch.setattr(tarred, "MOST", 3)
    with pytest.raises(DataError, match="more than 3 members"):
        read(write_tar(tmp_path / "x.tar", {f"{i}.png": png(i) for i in range(5)}), tmp_path)


def test_a_row_without_a_picture_is_broken(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet as pq

    rows = [{"image": {"bytes": png(0), "path": None}}, {"image": {"bytes": None, "path": None}}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "x.parquet")
    with pytest.raises(DataError, match=r"1 of 2 pictures in .* are broken"):
        read(tmp_path / "x.parquet", tmp_path)


def test_without_pyarrow(gan: Gan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.parquet").write_bytes(b"PAR1")
    monkeypatch.setattr(parquet.importlib.util, "find_spec", lambda _name: None)  # type: ignore[attr-defined]
    said = gan("data", tmp_path / "x.parquet")
    assert (said.code, "pip install 'gancli[parquet]'" in said.err) == (3, True)
