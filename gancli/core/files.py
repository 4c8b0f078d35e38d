"""Files on disk: the one reader and the one writer.

What somebody else may have made, or may write to, is reached through a `Folder`: run and model folders, the cache, outputs. Everything
is opened relative to the descriptor of its folder. No link is followed below the path that the user named, only regular files are
opened, and every read has an upper bound. A file is replaced by renaming a temporary file with a random name that did not exist
before; it keeps the permissions of the file that it replaces.

    folder = Folder(path) / "model"        # links in `path` are followed; "model" must be a folder and no link
    folder.read("config.json", 4 << 20)    # bytes
    folder.write("config.json", content)   # atomic; on the disk when it returns
    folder.append("log.txt", line)         # completely or not at all
    with folder.writing("a.npy") as file:  # atomic and incremental

`read_capped`, `write_atomic` and `atomic_file` are the same for the path of a single file, whose folder is the user's own.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import stat
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gancli.core import descriptors as fd
from gancli.core.errors import CheckpointError, reason_of

OWN_KINDS = ("file", "folder")  # of the entries of a folder, those that `gan` makes
MOST_NAMES = 200_000  # entries of a folder that is listed
LONGEST_LINE = 1 << 20  # bytes
LEFT = re.compile(r"\.gan-[0-9a-f]{16}\.part")  # a temporary file


@dataclass(frozen=True)
class Folder:
    """A folder and access to the files in it.

    Args:
        path: where it is.
        inside: how many components at the end of the path must not be links; 0: the user named it, and links are followed.
        top: the descriptor of the folder that many levels above, where `pinned` holds it.

    All methods raise OSError with the path as its `filename`, unless they say otherwise.
    """

    path: Path
    inside: int = 0
    top: int | None = None

    def __truediv__(self, name: str) -> Folder:
        """A folder inside this one, which must not be a link."""
        return Folder(self.path / name, self.inside + 1, self.top)

    @property
    def _parent(self) -> Folder:
        return Folder(self.path.parent, max(0, self.inside - 1), self.top if self.inside else None)

    @contextlib.contextmanager
    def pinned(self) -> Iterator[Folder]:
        """The same folder with its descriptor kept open, for many files."""
        with self.held() as folder:
            yield Folder(self.path, 0, folder)

    @contextlib.contextmanager
    def held(self) -> Iterator[int]:
        """The folder's descriptor, for as long as it is needed."""
        at = self.path.parents[self.inside - 1] if self.inside else self.path
        handle = os.open(at, fd.ENTER) if self.top is None else os.dup(self.top)
        try:
            for name in self.path.parts[len(at.parts) :]:
                at = at / name
                below = fd.entered(name, handle, at)
                os.close(handle)
                handle = below
            yield handle
        finally:
            os.close(handle)

    def exists(self) -> bool:
        """Whether there is such a folder, and no link where none may be."""
        try:
            with self.held():
                return True
        except (OSError, ValueError):
            return False

    def stat(self, name: str) -> os.stat_result | None:
        """What is called so in the folder, links not followed; None if there is nothing, or no folder."""
        try:
            with self.held() as folder:
                return os.stat(name, dir_fd=folder, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def entries(self) -> dict[str, str]:
        """All names in the folder, sorted, at most 200,000: "file", "folder", "link" or "pipe or device". None without a folder."""
        found: dict[str, str] = {}
        with contextlib.suppress(FileNotFoundError), self.held() as folder, os.scandir(folder) as entries:
            for entry in entries:
                file, inner = entry.is_file(follow_symlinks=False), entry.is_dir(follow_symlinks=False)
                kind = "file" if file else "folder" if inner else "link" if entry.is_symlink() else "pipe or device"
                found[entry.name] = kind
                if len(found) > MOST_NAMES:
                    raise OSError(errno.EOVERFLOW, f"holds more than {MOST_NAMES:,} files", str(self.path))
        return dict(sorted(found.items()))

    def names(self) -> list[str]:
        """As `entries`, the names alone."""
        return list(self.entries())

    def opened(self, name: str, flags: int, mode: int = 0o666, mine: bool = False) -> int:
        """The descriptor of a regular file, not of a link, a pipe or a device.

        Args:
            name: of the file.
            flags: of `os.open`.
            mode: permissions of a new file, before umask.
            mine: whether it must belong to this user and be writable by nobody else.
        """
        with self.held() as folder, fd.named(self.path / name):
            return fd.plain_file(name, folder, flags, mode, mine)

    @contextlib.contextmanager
    def open(self, name: str, mine: bool = False) -> Iterator[BinaryIO]:
        """A regular file to be read; `mine` as for `opened`. Large files that are nearly all holes are refused."""
        with os.fdopen(self.opened(name, os.O_RDONLY, mine=mine), "rb") as file:
            if fd.is_hollow(file.fileno()):
                raise fd.ForeignError(errno.EFBIG, "consists of holes", str(self.path / name))
            yield file

    def read(self, name: str, most: int, mine: bool = False) -> bytes:
        """The content of a regular file.

        Args:
            name: of the file.
            most: upper bound of its size in bytes.
            mine: as for `opened`.

        Raises:
            CheckpointError: it cannot be read, or is larger; `__cause__` is the OSError, if any.
        """
        path = self.path / name
        try:
            with self.open(name, mine) as file:
                size = os.fstat(file.fileno()).st_size
                if size > most:
                    raise CheckpointError(f"{path} is larger than the limit of {fd.amount(most)}")
                content = file.read(most + 1) if size else b""  # the kernel's own files may have no end
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{path}: {reason_of(error)}") from error
        if len(content) > most:
            raise CheckpointError(f"{path} grew while it was being read")
        return content

    def lines(self, name: str, last: int | None = None) -> Iterator[bytes]:
        """The lines of a file, one in memory at a time, each with its end; the last one may lack it.

        Args:
            name: of the file.
            last: read so many bytes at the end of the file only.

        Raises:
            CheckpointError: a line is longer than 1 MB; `__cause__` is None.
        """
        with self.open(name) as file:
            size = os.fstat(file.fileno()).st_size
            if last is not None and size > last:
                file.seek(size - last)
                file.readline(LONGEST_LINE)  # the rest of a line
            while line := file.readline(LONGEST_LINE + 1):
                if len(line) > LONGEST_LINE:
                    raise CheckpointError(f"{self.path / name} has a line of more than {fd.amount(LONGEST_LINE)}")
                yield line

    @contextlib.contextmanager
    def writing(self, name: str, synced: bool = False, mode: int = 0o666) -> Iterator[BinaryIO]:
        """Replace a file atomically and incrementally.

        Args:
            name: of the file.
            synced: whether to fsync file and folder.
            mode: permissions of a new file, before umask. A file that is replaced keeps its own.

        Yields:
            An empty file, open for reading and writing. It becomes the file at the end, or is removed if an exception is raised.
        """
        with self.held() as folder, fd.replacing(name, folder, self.path / name, synced, mode) as file:
            yield file

    def write(self, name: str, *pieces: bytes | memoryview, synced: bool = True) -> None:
        """Replace a file atomically: readers see the old or the new content.

        Args:
            name: of the file.
            pieces: its content, concatenated.
            synced: whether to fsync file and folder.
        """
        with self.writing(name, synced) as file:
            fd.write_all(file.fileno(), pieces)

    def create(self, name: str, *pieces: bytes | memoryview, synced: bool = True) -> None:
        """Write a new file, and fsync it; there must be nothing of that name."""
        handle = self.opened(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            fd.write_all(handle, pieces)
            if synced:
                os.fsync(handle)
        finally:
            os.close(handle)

    def append(self, name: str, content: bytes) -> None:
        """Append to a file, completely or not at all. A file with several names (hard links) is first replaced by a copy."""
        handle = self.opened(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        found = os.fstat(handle)
        try:
            if found.st_nlink > 1:
                with self.open(name) as old, self.writing(name) as new:
                    shutil.copyfileobj(old, new)
                    new.write(content)
            else:
                fd.write_all(handle, [content])
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(handle, found.st_size)
            raise
        finally:
            os.close(handle)

    def sync(self, name: str | None = None) -> None:
        """fsync a file; without a name the folder, which makes created and renamed files in it durable."""
        if name is None:
            with self.held() as folder:
                os.fsync(folder)
        else:
            with self.open(name) as file:
                os.fsync(file.fileno())

    def make(self, parents: bool = False) -> None:
        """Make the folder durably, if it does not exist; with `parents` those too."""
        if self.exists():
            return
        if parents and not self._parent.exists():
            self._parent.make(parents)
        with self._parent.held() as parent:
            try:
                os.mkdir(self.path.name, dir_fd=parent)
                os.fsync(parent)
            except FileExistsError:
                if not self.exists():  # a link, or no folder
                    with fd.named(self.path):
                        fd.check(os.stat(self.path.name, dir_fd=parent, follow_symlinks=False), stat.S_ISDIR, "folder")

    def rename(self, old: str, new: str) -> None:
        """Rename what is in the folder; a file called `new` is replaced."""
        with self.held() as folder:
            os.rename(old, new, src_dir_fd=folder, dst_dir_fd=folder)

    def move(self, names: Iterable[str], to: Folder) -> None:
        """Move what is in the folder to another one; files of the same names are replaced."""
        with self.held() as here, to.held() as there:
            for name in names:
                os.rename(name, name, src_dir_fd=here, dst_dir_fd=there)

    def remove(self, names: Iterable[str]) -> None:
        """Remove regular files of these names, where there are any; nothing else is touched."""
        with contextlib.suppress(FileNotFoundError), self.held() as folder:
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    if stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                        os.unlink(name, dir_fd=folder)

    def sweep(self) -> None:
        """Remove temporary files that killed writers left more than an hour ago."""
        with contextlib.suppress(OSError):
            for name in self.names():
                found = self.stat(name) if LEFT.fullmatch(name) else None
                if found is not None and found.st_uid == os.geteuid() and found.st_mtime < time.time() - 3600:
                    self.remove([name])

    def remove_empty(self) -> bool:
        """Remove the folder if nothing is in it, and say whether that worked."""
        try:
            with self._parent.held() as parent:
                os.rmdir(self.path.name, dir_fd=parent)
        except OSError:
            return False
        return True


def read_capped(path: Path, most: int, follow: bool = True) -> bytes:
    """Read a regular file.

    Args:
        path: the file.
        most: upper bound of its size in bytes.
        follow: whether it may be a symbolic link, as a path may be that the user named.

    Returns:
        Its content.

    Raises:
        CheckpointError: the file is missing, no regular file, or larger than `most`; `__cause__` is the OSError, if any.
    """
    try:
        there = Path(os.path.realpath(path)) if follow else path
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: {error}") from error
    return Folder(there.parent).read(there.name, most)


def write_atomic(path: Path, *pieces: bytes | memoryview, synced: bool = True) -> None:
    """Replace a file in an existing folder atomically: readers see the old or the new content.

    Args:
        path: the file. Links in its folder's path are followed; it must not be one itself.
        pieces: its content, concatenated.
        synced: whether to fsync file and folder.

    Raises:
        OSError: writing failed; `path` is unchanged.
    """
    Folder(path.parent).write(path.name, *pieces, synced=synced)


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Replace a file atomically and incrementally, without fsync. Its folder is made, if need be.

    Args:
        path: the file; as for `write_atomic`.

    Yields:
        An empty file to write to, which can be read, too. It replaces `path` at the end, or is removed if an exception is raised.

    Raises:
        OSError: the folder or file cannot be written.
    """
    Folder(path.parent).make(parents=True)
    with Folder(path.parent).writing(path.name) as file:
        yield file
