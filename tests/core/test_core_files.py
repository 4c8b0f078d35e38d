"""Atomic writing, and reading no more than expected. What the run folder needs of it is in tests/runs."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gancli.core import files
from gancli.core.descriptors import open_named
from gancli.core.errors import CheckpointError
from gancli.core.files import Folder, atomic_file, read_capped, write_atomic


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


# Folders that others may write to


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file of somebody else."""
    path = tmp_path / "other" / "secret"
    path.parent.mkdir()
    path.write_bytes(b"private")
    path.chmod(0o600)
    return path


USES: dict[str, Callable[[Folder, str], object]] = {
    "read": lambda folder, name: folder.read(name, 100),
    "write": lambda folder, name: folder.write(name, b"mine"),
    "create": lambda folder, name: folder.create(name, b"mine"),
    "append": lambda folder, name: folder.append(name, b"mine"),
    "lines": lambda folder, name: list(folder.lines(name)),
    "sync": lambda folder, name: folder.sync(name),
    "lock": lambda folder, name: os.close(folder.opened(name, os.O_RDWR | os.O_CREAT)),
}


@pytest.mark.timeout(10)
@pytest.mark.parametrize("kind", ["link", "dangling", "pipe", "device"])
@pytest.mark.parametrize("use", USES)
def test_links_pipes_and_devices_are_refused(use: str, kind: str, secret: Path, tmp_path: Path) -> None:
    path = tmp_path / "x"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to({"link": secret, "dangling": tmp_path / "new", "device": Path("/dev/zero")}[kind])
    with pytest.raises((CheckpointError, OSError)) as refused:
        USES[use](Folder(tmp_path), "x")
    assert f"{path}" in str(refused.value)
    assert ("is not a file" if kind == "pipe" else "is a link") in str(refused.value)
    assert secret.read_bytes() == b"private"
    assert not (tmp_path / "new").exists()
    assert path.is_symlink() == (kind != "pipe")


@pytest.mark.parametrize("use", USES)
def test_no_folder_inside_may_be_a_link(use: str, secret: Path, tmp_path: Path) -> None:
    (tmp_path / "inner").symlink_to(secret.parent)
    with pytest.raises((CheckpointError, OSError), match="is a link"):
        USES[use](Folder(tmp_path) / "inner", "secret")
    with pytest.raises(OSError, match="is a link"):
        (Folder(tmp_path) / "inner" / "more").make(parents=True)
    assert [p.name for p in secret.parent.iterdir()] == ["secret"]
    assert secret.read_bytes() == b"private"


def test_links_are_followed_in_the_path_that_the_user_named(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "runs").symlink_to(tmp_path / "disk")
    Folder(tmp_path / "runs").write("x", b"content")
    assert (tmp_path / "disk" / "x").read_bytes() == b"content"


def test_only_files_are_removed_and_not_through_links(secret: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(secret)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    Folder(tmp_path).remove(["link", "folder", "file", "missing"])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "link", "other"]
    assert not Folder(tmp_path).remove_empty()
    (tmp_path / "inner").symlink_to(secret.parent)
    with pytest.raises(OSError, match="is a link"):
        (Folder(tmp_path) / "inner").remove(["secret"])
    assert secret.exists()


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o664])
def test_a_replaced_file_keeps_its_permissions(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(b"old")
    path.chmod(mode)
    write_atomic(path, b"new")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", mode)


def test_a_new_file_has_those_of_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_atomic(tmp_path / "x", b"new")
    finally:
        os.umask(before)
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o640


def test_a_file_of_another_user_is_replaced_by_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"planted")
    path.chmod(0o666)
    planted = path.stat().st_ino
    monkeypatch.setattr("gancli.core.descriptors.os.geteuid", lambda: 12345)
    write_atomic(path, b"new")
    assert path.stat().st_ino != planted
    assert not path.stat().st_mode & 0o002


def test_appending_spares_the_other_names_of_a_file(secret: Path, tmp_path: Path) -> None:
    (tmp_path / "log.txt").hardlink_to(secret)
    Folder(tmp_path).append("log.txt", b"line\n")
    assert secret.read_bytes() == b"private"
    assert (tmp_path / "log.txt").read_bytes() == b"privateline\n"


def test_a_file_of_another_user_is_not_read_where_it_must_be_mine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"content")
    assert Folder(tmp_path).read("x", 10, mine=True) == b"content"
    path.chmod(0o666)
    with pytest.raises(CheckpointError, match="another user"):
        Folder(tmp_path).read("x", 10, mine=True)
    path.chmod(0o600)
    monkeypatch.setattr("gancli.core.descriptors.os.geteuid", lambda: 12345)
    with pytest.raises(CheckpointError, match="another user"):
        Folder(tmp_path).read("x", 10, mine=True)


@pytest.mark.timeout(20)
def test_a_file_of_holes_and_endless_lines(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with path.open("wb") as file:
        file.truncate(10 << 30)
    with pytest.raises(CheckpointError, match="holes"):
        Folder(tmp_path).read("x", 1 << 40)
    os.truncate(path, 0)
    path.write_bytes(bytes(3 << 20))
    with pytest.raises(CheckpointError, match="has a line of more than"):
        list(Folder(tmp_path).lines("x"))
    path.write_bytes(b"".join(b"%d\n" % i for i in range(1000)))
    assert list(Folder(tmp_path).lines("x", last=9)) == [b"998\n", b"999\n"]


def test_a_write_that_the_system_takes_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda handle, content: real(handle, content[:3]))
    Folder(tmp_path).write("x", b"some", memoryview(b" content"))
    Folder(tmp_path).append("x", b", and more")
    assert (tmp_path / "x").read_bytes() == b"some content, and more"


def test_an_append_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").write_bytes(b"line\n")
    real = os.write

    def half(handle: int, content: bytes) -> int:
        real(handle, content[:2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(OSError, match="No space"):
        Folder(tmp_path).append("x", b"more\n")
    assert (tmp_path / "x").read_bytes() == b"line\n"


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="no /proc")
def test_files_that_seem_empty_are_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1234")
    (tmp_path / "link").symlink_to("a")
    with open_named(tmp_path / "link") as file:
        assert file.read() == b"1234"
    (tmp_path / "empty").touch()
    (tmp_path / "kernel").symlink_to("/proc/self/maps")
    os.mkfifo(tmp_path / "pipe")
    for name, said in {
        "empty": "is empty",
        "kernel": "is empty",
        "pipe": "is not a file",
        "none": "No such file",
    }.items():
        with pytest.raises(OSError, match=said):
            open_named(tmp_path / name)
    assert read_capped(tmp_path / "kernel", 10) == read_capped(tmp_path / "empty", 10) == b""
