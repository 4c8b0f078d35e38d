"""Zips: what points out of them, what lies about its size, what is no picture."""

from __future__ import annotations

import io
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from gancli.core.data import Reading
from gancli.core.errors import DataError
from gancli.data.zipped import Zip
from tests.data.conftest import Make, Zipper


@pytest.mark.parametrize("name", ["/etc/x.png", "../x.png", "a/../../x.png", "C:/x.png", "a\\..\\x.png"])
def test_members_that_point_out_are_refused(name: str, picture: Make, how: Reading, tmp_path: Path) -> None:
    path = tmp_path / "bad.zip"
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("x")
        info.filename = name
        archive.writestr(info, picture())
    before = sorted(tmp_path.parent.rglob("*"))
    with pytest.raises(DataError, match="points out"):
        Zip(path=str(path)).read(how)
    assert sorted(tmp_path.parent.rglob("*")) == before


def test_zip_bombs_are_refused(how: Reading, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zipped: Zipper) -> None:
    monkeypatch.setattr("gancli.data.zipped.RATIO_FROM", 2**20)
    path = zipped({"a.png": bytes(2**22)}, tmp_path / "bomb.zip")
    with pytest.raises(DataError, match="would unpack to"):
        Zip(path=str(path)).read(how)


def test_a_member_that_lies_about_its_size(picture: Make, how: Reading, tmp_path: Path, zipped: Zipper) -> None:
    path = zipped({"a.bmp": bytes(2**20), "b.png": picture()}, tmp_path / "lie.zip")
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02", 0, data.rindex(b"a.bmp"))
    data[at + 24 : at + 28] = (100).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"a\.bmp: damaged"):
        Zip(path=str(path)).read(how)


def test_encrypted_and_oddly_packed_members(picture: Make, how: Reading, tmp_path: Path, zipped: Zipper) -> None:
    path = zipped({"a.png": picture()}, tmp_path / "secret.zip")
    data = bytearray(path.read_bytes())
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match="encrypted"):
        Zip(path=str(path)).read(how)
    with pytest.raises(DataError, match="unusual"):
        Zip(path=str(zipped({"a.png": picture()}, tmp_path / "b.zip", zipfile.ZIP_BZIP2))).read(how)


def test_links_and_archives_in_a_zip(picture: Make, how: Reading, tmp_path: Path, zipped: Zipper) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("x.png", picture(seed=5))
    path = zipped({"a.png": picture(), "b.png": picture(seed=1), "inner.zip": inner.getvalue()}, tmp_path / "x.zip")
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo("link.png")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
        archive.writestr("__MACOSX/._a.png", "x")
    warnings: list[str] = []
    split = Zip(path=str(path)).read(replace(how, warn=warnings.append))
    assert len(split.train.images) + len(split.test.images) == 2
    assert warnings == [
        "1 links in the archive are not followed",
        "passed over: 1 .zip  ->  convert them to PNG or JPEG if they are to be read",
    ]


def test_many_links_in_a_zip_take_no_time(how: Reading, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for i in range(60_000):
            info = zipfile.ZipInfo(f"{i}.png")
            info.external_attr = 0o120777 << 16
            archive.writestr(info, "")
    begun = time.monotonic()
    with pytest.raises(DataError, match="no pictures"):
        Zip(path=str(tmp_path / "x.zip")).read(how)
    assert time.monotonic() - begun < 5


def test_backslashes_of_windows_are_slashes(picture: Make, how: Reading, tmp_path: Path, zipped: Zipper) -> None:
    files = {f"{k}\\{i}.png": picture(seed=i) for k in ("cat", "dog") for i in range(6)}
    path = zipped(files, tmp_path / "win.zip")
    assert Zip(path=str(path)).read(how).train.classes == ("cat", "dog")


@pytest.mark.parametrize("data", [b"", b"PK", b"ustar" * 100])
def test_what_is_no_zip(data: bytes, how: Reading, tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(data)
    with pytest.raises(DataError, match=r"not a whole zip|the file is empty"):
        Zip(path=str(tmp_path / "x.zip")).read(how)


def test_every_cut_of_a_zip(picture: Make, how: Reading, tmp_path: Path, zipped: Zipper) -> None:
    data = zipped({"a.png": picture(), "b.png": picture(seed=1)}, tmp_path / "x.zip").read_bytes()
    for end in range(0, len(data), 97):
        (tmp_path / "cut.zip").write_bytes(data[:end])
        with pytest.raises(DataError):
            Zip(path=str(tmp_path / "cut.zip")).read(how)
