"""`folder`: pictures in a folder; subfolders are classes, unless a labels file says more. Hidden files are left out, links not followed."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from gancli.core.errors import DataError
from gancli.data.collection import LARGEST, Entry, Pile
from gancli.data.decode import BrokenImageError
from gancli.data.pictures import Pictures

if TYPE_CHECKING:
    from collections.abc import Iterator


class Folder(Pictures):
    name = "folder"

    @classmethod
    def claims(cls, path: Path) -> bool:
        return path.is_dir()

    def pile(self) -> Pile:
        return FolderPile(Path(self.path))


class FolderPile(Pile):
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
            handle = os.open(os.path.join(self.root, name), os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))  # noqa: PTH118
            with os.fdopen(handle, "rb") as file:
                data = file.read(most + 1)
        except OSError as error:
            self.unread = True
            raise BrokenImageError(error.strerror or "cannot be read") from None
        if len(data) > most:
            raise BrokenImageError(f"the file is larger than {most // 2**20} MB")
        return data
