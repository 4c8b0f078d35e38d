"""Many files that take their places in a folder together, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from gancli.core.descriptors import temporary_name
from gancli.core.errors import CheckpointError, UsageError
from gancli.core.files import Folder

MOST_PINNED = 200  # folders that are held open


@contextmanager
def together(out: Path) -> Iterator[Callable[[str, bytes], None]]:
    """A function that puts files into a folder: all of them in the end, or none.

    Raises:
        UsageError: the folder has another file of a name.
    """
    new = not out.exists()
    Folder(out).make(parents=True)
    try:
        with Folder(out).pinned() as top, _Staged(top) as staged:
            yield staged.put
            staged.move()
    finally:
        if new:
            Folder(out).remove_empty()


class _Staged(ExitStack):
    """New files of a folder, in a folder inside it until all are there; what was not moved is removed in the end."""

    def __init__(self, top: Folder) -> None:
        super().__init__()
        self._top, self._staged = top, top / temporary_name()
        self._inner: dict[str, tuple[Folder, Folder, list[str]]] = {}  # name of a folder within, or "": old, new, files

    def put(self, name: str, content: bytes) -> None:
        """Write a file. Raises UsageError if there is another of the name."""
        inner, _, file = name.rpartition("/")
        if inner not in self._inner:
            new = self._staged / inner if inner else self._staged
            new.make(parents=True)
            pinned = self.enter_context(new.pinned()) if len(self._inner) < MOST_PINNED else new
            self._inner[inner] = (self._top / inner if inner else self._top, pinned, [])
        old, new, files = self._inner[inner]
        if old.stat(file) is not None and not _holds(old, file, content):
            raise UsageError(f"{self._top.path} holds other samples, such as {old.path / file}", "name another --out")
        new.create(file, content, synced=False)
        files.append(file)

    def move(self) -> None:
        """Move all files to their places."""
        for old, new, files in self._inner.values():
            old.make()
            new.move(files, old)

    def __exit__(self, *error: Any) -> bool | None:
        for _, new, files in self._inner.values():
            with suppress(OSError):
                new.remove(files)
        for inner in [*filter(None, self._inner), ""]:
            (self._staged / inner if inner else self._staged).remove_empty()
        return super().__exit__(*error)


def _holds(folder: Folder, name: str, content: bytes) -> bool:
    """Whether a file has this content."""
    try:
        return folder.read(name, len(content)) == content
    except CheckpointError:
        return False
