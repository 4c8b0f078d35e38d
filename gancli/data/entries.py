"""What is in the cache: entries that can be listed, verified, and removed without harm, since all of it can be made again.

Only files with the names that `gan` gives are entries. Downloaded data sets, which are in the cache unless `--data-dir` names another
folder, are not.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gancli.core.errors import CheckpointError
from gancli.core.files import LEFT, Folder
from gancli.data.cache import digest

KINDS = {  # folder -> names of its entries, without suffix
    "arrays": re.compile(r"[0-9a-f]{40}\.(npy|json)"),
    "records": re.compile(r"[0-9a-f]{40}\.json"),
    "features": re.compile(r"[\w+-]{10,80}\.safetensors"),
    "classifier": re.compile(r"[0-9a-f-]{10,80}\.safetensors"),
    "baselines": re.compile(r"[0-9a-f]{32}\.json"),
}
BLOCK = 1 << 20
MOST = 1 << 32  # bytes of a record


@dataclass(frozen=True)
class Entry:
    """One or two files of the same stem."""

    folder: Folder
    names: tuple[str, ...]
    size: int  # bytes
    used: float  # seconds since 1970 when it was last read or written
    mine: bool  # whether it is this user's, and nobody else can write to it; others are never read

    @property
    def kind(self) -> str:
        """The folder's name."""
        return self.folder.path.name

    @property
    def name(self) -> str:
        """Kind and stem."""
        return f"{self.kind}/{self.names[0].partition('.')[0]}"

    def problem(self) -> str:
        """Why the entry would not be used, after reading all of it; "" if nothing is wrong."""
        if not self.mine:
            return "it belongs to, or can be written by, another user"
        try:
            for name in self.names:
                why = _problem(self.folder, name, self.names)
                if why:
                    return why
        except (CheckpointError, OSError, ValueError, KeyError, RecursionError) as error:
            return f"it cannot be read: {error}"
        return ""

    def remove(self) -> None:
        """Remove its files."""
        self.folder.remove(self.names)


def entries(cache_dir: Path) -> list[Entry]:
    """Everything in the cache, the least recently used first. Raises OSError if a folder of it cannot be read."""
    return sorted(_entries(cache_dir), key=lambda entry: (entry.used, entry.name))


def _entries(cache_dir: Path) -> Iterator[Entry]:
    for kind, pattern in KINDS.items():
        folder = Folder(cache_dir) / kind
        stems: dict[str, list[str]] = {}
        for name, what in folder.entries().items():
            if what == "file" and pattern.fullmatch(name):
                stems.setdefault(name.partition(".")[0], []).append(name)
        for names in stems.values():
            found = [s for name in names if (s := folder.stat(name)) is not None]
            if found:
                mine = all(s.st_uid == os.geteuid() and not s.st_mode & 0o022 for s in found)
                used = max(max(s.st_atime, s.st_mtime) for s in found)
                yield Entry(folder, tuple(names), sum(s.st_size for s in found), used, mine)


def _problem(folder: Folder, name: str, names: Iterable[str]) -> str:
    if name.endswith(".safetensors"):  # the digest of the rest is in front
        with folder.open(name, mine=True) as file:
            wanted, hasher = file.read(64), hashlib.sha256()
            while block := file.read(BLOCK):
                hasher.update(block)
        return "" if hasher.hexdigest().encode() == wanted else "it is damaged: its SHA-256 is another"
    if name.endswith(".json"):
        json.loads(folder.read(name, MOST, mine=True))
        array = f"{name.removesuffix('.json')}.npy"
        return "" if array in names or folder.path.name != "arrays" else "its array is missing"
    record = json.loads(folder.read(f"{name.removesuffix('.npy')}.json", MOST, mine=True))
    with folder.open(name, mine=True) as file:
        np.lib.format.read_magic(file)
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        whole = os.fstat(file.fileno()).st_size
        if whole != record["file_size"] or list(shape) != record["shape"]:
            return "it is damaged: its size is another"
        images = np.memmap(file, dtype, "r", file.tell(), shape)
        return "" if digest(images) == record["digest"] else "it is damaged: its digest is another"


def bound(cache_dir: Path, most: int) -> list[Entry]:
    """Remove the least recently used entries until the rest is no larger than `most` bytes. Returns what was removed."""
    there = [entry for entry in entries(cache_dir) if entry.mine]
    left, removed = sum(entry.size for entry in there), []
    for entry in there:
        if left <= most:
            break
        entry.remove()
        removed.append(entry)
        left -= entry.size
    return removed


def clear(cache_dir: Path) -> list[Entry]:
    """Remove all entries that are this user's, and temporary files that killed processes left. Returns what was removed."""
    removed = bound(cache_dir, -1)
    for kind in KINDS:
        folder = Folder(cache_dir) / kind
        folder.remove([name for name in folder.names() if LEFT.fullmatch(name)])
    return removed
