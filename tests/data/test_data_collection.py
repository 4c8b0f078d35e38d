"""Collections of files: which are left out, and how many threads read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gancli.core.host import cores
from gancli.data.collection import left_out, suffix
from gancli.data.folder import FolderCollection


@pytest.mark.parametrize("name", [".a.png", "a/.b.png", ".git/a.png", "__MACOSX/a.png", "./.a/b.png", "a/Thumbs.db"])
def test_hidden_files_are_left_out(name: str) -> None:
    assert left_out(name)


@pytest.mark.parametrize("name", ["a.png", "./a.png", "a//b.png", "/a.png", "a./b..png"])
def test_others_are_not(name: str) -> None:
    assert not left_out(name)


@pytest.mark.parametrize(("name", "of"), [("a.b/C.PNG", ".png"), (".png", ""), ("a/b", ""), ("x.tar.gz", ".gz")])
def test_suffixes(name: str, of: str) -> None:
    assert suffix(name) == of


def test_small_files_are_read_in_one_thread(tmp_path: Path) -> None:
    for i in range(4):
        (tmp_path / f"{i}.png").write_bytes(bytes(1000))
    files = FolderCollection(tmp_path)
    assert (files.threads(1001), files.threads(1000)) == (1, cores())
