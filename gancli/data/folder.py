"""`folder`: pictures in a folder; subfolders are classes, unless a labels file says more. Hidden files are left out, links not followed."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from gancli.core.errors import CheckpointError, DataError
from gancli.core.files import read_capped
from gancli.data.collection import LARGEST, Entry, FileCollection
from gancli.data.decode import BrokenImageError
from gancli.data.pictures import Pictures

if TYPE_CHECKING:
    from collections.abc import Iterator


class Folder(Pictures):
    name = "folder"

    @classmethod
    def claims(cls, path: Path) -> bool:
        return path.is_dir()

    def files(self) -> FileCollection:
        return FolderCollection(Path(self.path))


class FolderCollection(FileCollection):
    """The regular files below a folder."""

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise DataError(f"no folder {root}", "name a folder that holds pictures")
        self.root, self.where = root, str(root)
        self.links, self.other = 0, 0
        self.entries = sorted(self._walk(str(root), ""), key=lambda entry: entry.name)
        self.notes = [f"{self.links} links are not followed"] if self.links else []
        if self.other:
            self.notes.append(f"{self.other} sockets, pipes or devices are left out")

    def _walk(self, folder: str, inside: str) -> Iterator[Entry]:
        waiting = [(folder, inside)]
        while waiting:
            folder, inside = waiting.pop()
            try:
                with os.scandir(folder) as found:
                    for item in found:
                        if item.name.startswith("."):
                            continue
                        status = item.stat(follow_symlinks=False)
                        if stat.S_ISLNK(status.st_mode):
                            self.links += 1
                        elif stat.S_ISDIR(status.st_mode):
                            waiting.append((item.path, f"{inside}{item.name}/"))
                        elif stat.S_ISREG(status.st_mode):
                            yield Entry(inside + item.name, status.st_size, status.st_mtime_ns)
                        else:
                            self.other += 1
            except OSError as error:
                raise DataError(f"{folder} cannot be read: {error.strerror}", "check who may read it") from None

    def read(self, name: str, most: int = LARGEST) -> bytes:
        try:
            return read_capped(self.root / name, most, follow=False)
        except CheckpointError as error:
            if not isinstance(error.__cause__, OSError):
                raise BrokenImageError(f"the file is larger than {most // 2**20} MB") from None
            self.unread = True
            raise BrokenImageError(error.__cause__.strerror or "cannot be read") from None
