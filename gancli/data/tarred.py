"""`tar`: pictures in tar archives, one or a folder of them (WebDataset). Members are read in memory; nothing is ever extracted.

Of a sample `key.png`, the class may be in `key.cls`, and other facts in `key.json`. An archive of folders is laid out as `folder` wants
it. Several archives are parts of the split if they are called so (train-000.tar, val-000.tar).
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

from gancli.core.descriptors import open_named
from gancli.core.errors import DataError
from gancli.data.collection import LARGEST, Entry, FileCollection, hidden, left_out, named_as_image, shown, suffix
from gancli.data.decode import BrokenImageError
from gancli.data.layout import part_of
from gancli.data.listed import Facts, ListedCollection, plain
from gancli.data.pictures import Pictures

MOST = 20_000_000  # members
LARGEST_FACTS = 2**20  # bytes of a .cls or .json
LEAST_PARTS = 2  # archives
FACTS = (".cls", ".json")


class Tar(Pictures):
    name = "tar"

    @classmethod
    def claims(cls, path: Path) -> int:
        if path.is_file():
            return int(path.suffix.lower() == ".tar")
        return 3 if shards(path) else 0

    def files(self) -> FileCollection:
        return TarCollection(Path(self.path))


def shards(folder: Path) -> list[Path]:
    """The archives of a folder that holds no pictures beside them; none otherwise."""
    if not folder.is_dir():
        return []
    there = [p for p in folder.iterdir() if not hidden(p.name)]
    found = sorted(p for p in there if p.suffix.lower() == ".tar" and p.is_file())
    return [] if any(p.is_dir() or named_as_image(p.name) for p in there) else found


class TarCollection(ListedCollection):
    """The members of tar archives. Raises DataError if one is none, or has a member that pictures have no need of."""

    def __init__(self, path: Path) -> None:
        self.where, self.notes, self.warnings = str(path), [], []
        self.places: dict[str, tuple[Path, int, int]] = {}  # name -> archive, offset, size
        self._links = 0
        archives = shards(path) if path.is_dir() else [path]
        if not archives:
            raise DataError(f"no .tar in {path}", "name a folder of .tar archives")
        entries: list[Entry] = []
        facts: dict[str, dict[str, Any]] = {}
        for archive in archives:
            before = prefix(archive, len(archives))
            stamp = archive.stat().st_mtime_ns
            for member in self._members(archive):
                entry = self._entry(archive, member, before, stamp)
                if suffix(entry.name) in FACTS and not _is_table(entry.name):
                    facts.setdefault(key_of(entry.name), {}).update(self._facts(entry.name))
                else:
                    entries.append(entry)
        if self._links:
            self.warnings.append(f"{self._links} links in the archive are not followed")
        pictures = [entry.name for entry in entries if named_as_image(entry.name)]
        self._say_of_several(pictures)
        self.listed(entries, {name: facts[key] for name in pictures if (key := key_of(name)) in facts})

    def _members(self, archive: Path) -> Iterator[tarfile.TarInfo]:
        """The regular files of an archive that are not hidden."""
        try:
            size = archive.stat().st_size
            with open_named(archive) as file, tarfile.open(fileobj=file, mode="r:") as tar:
                for count, member in enumerate(tar):
                    tar.members = []  # type: ignore[attr-defined]  # else all stay in memory
                    self._check(archive, member, size, count)
                    if member.issym() or member.islnk():
                        self._links += 1
                    elif member.isreg() and not left_out(member.name):
                        yield member
        except (tarfile.TarError, ValueError, EOFError, OverflowError, RecursionError) as error:
            raise DataError(
                f"{archive} is not a whole tar archive: {error}", "make it again; compressed ones are not read: gunzip"
            ) from None
        except OSError as error:
            raise DataError(f"{archive} cannot be read: {error.strerror or error}") from None

    def _check(self, archive: Path, member: tarfile.TarInfo, size: int, count: int) -> None:
        path, name = PurePosixPath(member.name.replace("\\", "/")), shown(member.name)
        if path.is_absolute() or ".." in path.parts or member.name[1:2] == ":":
            raise DataError(f"{archive}: the member {name} points out of the archive", "make it again from plain names")
        if member.issparse() or member.ischr() or member.isblk() or member.isfifo():
            raise DataError(f"{archive}: {name} is no plain file", "make it again of plain files")
        if member.isreg() and (member.size < 0 or member.offset_data + member.size > size):
            raise DataError(f"{archive} is cut short: {name} is not whole", "fetch it again")
        if count >= MOST:
            raise DataError(f"{archive} has more than {MOST:,} members", "divide it")

    def _entry(self, archive: Path, member: tarfile.TarInfo, before: tuple[str, str], stamp: int) -> Entry:
        path = PurePosixPath(member.name.replace("\\", "/"))
        name = str(PurePosixPath(before[0]) / path.parent / f"{before[1]}{path.name}")
        if name in self.places:
            raise DataError(f"{archive} holds two files of the same name, {shown(name)}", "make it again")
        self.places[name] = (archive, member.offset_data, member.size)
        return Entry(name, member.size, stamp ^ member.offset_data)

    def _facts(self, name: str) -> Facts:
        """What `key.cls` or `key.json` says."""
        if self.places[name][2] > LARGEST_FACTS:
            raise DataError(f"{self.where}: {shown(name)} is larger than 1 MB", "it must hold a class or a JSON object")
        content = self.member(name).read()
        with contextlib.suppress(ValueError, RecursionError):
            if name.lower().endswith(".cls"):
                text = plain(content.decode().strip())
                return {} if text is None else {"label": text}
            found = json.loads(content)
            if isinstance(found, dict):
                return {str(k): text for k, v in found.items() if (text := plain(v)) is not None}
        raise DataError(f"{self.where}: {shown(name)} cannot be read", "it must hold a class or a JSON object")

    def _say_of_several(self, pictures: list[str]) -> None:
        several = sum(n > 1 for n in Counter(map(key_of, pictures)).values())
        if several:
            self.notes.append(f"{several:,} samples hold several pictures, of which each is used")

    def member(self, name: str) -> IO[bytes]:
        archive, offset, size = self.places[name]
        if size > LARGEST:
            raise BrokenImageError(f"the file is larger than {LARGEST // 2**20} MB")
        try:
            with open_named(archive) as file:
                content = os.pread(file.fileno(), size, offset)
        except OSError as error:
            raise BrokenImageError(self.reason(error)) from None
        if len(content) != size:
            raise BrokenImageError("cut short")
        return io.BytesIO(content)

    def reason(self, error: Exception) -> str:
        if not isinstance(error, OSError):
            raise error
        self.unread = True
        return error.strerror or "cannot be read"


def prefix(archive: Path, many: int) -> tuple[str, str]:
    """What comes before the names of an archive's members: a folder, if it is a part of the split, and a part of the name."""
    if many < LEAST_PARTS:
        return "", ""
    part = part_of(archive.stem)
    folder = {None: "", 0: "train", 1: "val", 2: "test"}[part]
    return folder, f"{archive.stem}."


def key_of(name: str) -> str:
    """The key of a sample: the path up to the last suffix."""
    return str(PurePosixPath(name).with_suffix(""))


def _is_table(name: str) -> bool:
    return PurePosixPath(name).name.lower() in ("dataset.json", "labels.json", "metadata.json")
