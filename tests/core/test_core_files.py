"""Atomic writing, and reading no more than expected. What the run folder needs of it is in tests/runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gancli.core import files
from gancli.core.errors import CheckpointError
from gancli.core.files import atomic_file, read_capped, write_atomic


def test_replacing_shows_the_old_file_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "some" / "where" / "x"
    with atomic_file(path) as file:
        file.write(b"first")
        assert not path.exists()
    with atomic_file(path) as file:
        file.write(b"half")
        assert path.read_bytes() == b"first"
    assert [(p.name, p.read_bytes()) for p in path.parent.iterdir()] == [("x", b"half")]


def test_replacing_that_fails_changes_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"before")
    with pytest.raises(TypeError), atomic_file(tmp_path / "x") as file:
        file.write("no bytes")  # type: ignore[arg-type]
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("x", b"before")]


def test_two_may_replace_a_file_at_once(tmp_path: Path) -> None:
    with atomic_file(tmp_path / "x") as a, atomic_file(tmp_path / "x") as b:
        a.write(b"a")
        b.write(b"b")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("x", b"a")]


@pytest.mark.parametrize("synced", [False, True])
def test_replace_syncs_where_it_is_to(synced: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    monkeypatch.setattr(files.os, "fsync", calls.append)
    write_atomic(tmp_path / "x", b"con", memoryview(b"tent"), synced=synced)
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("x", b"content")]
    assert len(calls) == (2 if synced else 0)  # the file and its folder


@pytest.mark.timeout(10)
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_not_read_nor_waited_for(make, tmp_path: Path) -> None:
    make(tmp_path / "x")
    with pytest.raises(CheckpointError, match="is not a file"):
        read_capped(tmp_path / "x", 10)


def test_links(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"content")
    (tmp_path / "link").symlink_to(tmp_path / "x")
    assert read_capped(tmp_path / "link", 10) == b"content"
    with pytest.raises(CheckpointError) as refused:
        read_capped(tmp_path / "link", 10, follow=False)
    assert isinstance(refused.value.__cause__, OSError)


def test_what_is_not_there_and_what_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="No such file") as refused:
        read_capped(tmp_path / "x", 10)
    assert isinstance(refused.value.__cause__, OSError)
    with pytest.raises(CheckpointError, match="null"):
        read_capped(Path("a\0b"), 10)
