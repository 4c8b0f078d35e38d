"""`folder`: pictures in a folder; subfolders are classes, unless a labels file says more. Hidden files are left out.

Links to files and folders are followed, since people make selections by links; each real folder is read once.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from gancli.core.errors import DataError
from gancli.data.collection import Entry, FileCollection, hidden, same_name
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
        self._dead, self._again, self._other = 0, 0, 0
        self.entries = sorted(self._walk(str(root)), key=lambda entry: (same_name(entry.name), entry.name))
        self.notes = [f"{self._other} sockets, pipes or devices are left out"] if self._other else []
        self.warnings = []
        if self._dead:
            self.warnings.append(f"{self._dead} links lead nowhere: what they stood for is missing")
        if self._again:
            self.notes.append(f"{self._again} links to folders that are read already are left out")

    def _walk(self, root: str) -> Iterator[Entry]:
        """All files; what lies in the folder itself first, so that it has its own name, then what links lead to."""
        waiting, linked = [(root, "")], list[tuple[str, str]]()
        seen: set[tuple[int, int]] = set()
        while waiting or linked:
            folder, inside = waiting.pop() if waiting else linked.pop(0)
            try:
                status = os.stat(folder)  # noqa: PTH116 - of many thousands of names
                if (status.st_dev, status.st_ino) in seen:
                    self._again += 1
                    continue
                seen.add((status.st_dev, status.st_ino))
                with os.scandir(folder) as found:
                    for item in sorted(found, key=lambda item: item.name):
                        if hidden(item.name):
                            continue
                        entry = self._entry(item, inside)
                        if entry is not None:
                            yield entry
                        elif item.is_dir():
                            (linked if item.is_symlink() else waiting).append((item.path, f"{inside}{item.name}/"))
            except OSError as error:
                raise DataError(f"{folder} cannot be read: {error.strerror}", "check who may read it") from None

    def _entry(self, item: os.DirEntry[str], inside: str) -> Entry | None:
        """A regular file, or a link to one."""
        try:
            status = item.stat()
        except OSError:
            self._dead += 1
            return None
        if stat.S_ISREG(status.st_mode):
            return Entry(inside + item.name, status.st_size, status.st_mtime_ns)
        self._other += not stat.S_ISDIR(status.st_mode)
        return None

    def open(self, name: str) -> IO[bytes]:
        try:
            handle = os.open(self.root / name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe must not block
        except OSError as error:
            raise BrokenImageError(self.reason(error)) from None
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise BrokenImageError("not a file")
        return os.fdopen(handle, "rb")

    def reason(self, error: Exception) -> str:
        if not isinstance(error, OSError):
            raise error
        self.unread = True
        return error.strerror or "cannot be read"


def file_names(root: Path) -> Iterator[str]:
    """Names of the files below a folder, level by level, however deep it is. Links to folders are not followed."""
    waiting = deque([str(root)])
    while waiting:
        with suppress(OSError), os.scandir(waiting.popleft()) as found:
            for entry in found:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif entry.is_file():
                    yield entry.name
