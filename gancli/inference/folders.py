"""Pictures that a model is applied to, and where the outputs go: files, folders, zips, standard input and output."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from gancli.core.errors import CheckpointError, DataError, UsageError
from gancli.core.files import read_capped
from gancli.data import decode
from gancli.data.collection import LARGEST, FileCollection
from gancli.data.decode import BrokenImageError
from gancli.data.folder import FolderCollection
from gancli.data.whole import FORMS
from gancli.data.zipped import ZipCollection

PIPE = "-"


@dataclass(frozen=True)
class Item:
    """A picture's file."""

    name: str  # the path inside its folder or archive
    read: Callable[[], bytes]  # raises BrokenImageError
    path: Path | None = None  # where it lies, if it is a file

    @property
    def stem(self) -> str:
        """The name without suffix, and with the folders."""
        return str(PurePosixPath(self.name).with_suffix(""))


def items(places: Sequence[str]) -> list[Item]:
    """The pictures that a user names.

    Args:
        places: files, folders, zips, or "-" for standard input.

    Raises:
        DataError: there is nothing of a name, or no picture.
    """
    out = [item for place in places for item in _of(place)]
    if not out:
        raise DataError(f"no pictures in {', '.join(places)}", f"name files in one of {', '.join(decode.FORMATS)}")
    return out


def _of(place: str) -> list[Item]:
    if place == PIPE:
        return [Item("picture.png", sys.stdin.buffer.read)]
    path = Path(place)
    if path.is_dir():
        return _members(FolderCollection(path), path)
    if path.suffix.lower() == ".zip" and path.is_file():
        return _members(ZipCollection(path), None)
    if not path.exists():
        raise DataError(f"there is no {place}", "name a file, a folder, a .zip, or - for standard input")
    return [Item(path.name, lambda: _content(path), path)]


def _content(path: Path) -> bytes:
    try:
        return read_capped(path, LARGEST)
    except CheckpointError as error:
        raise BrokenImageError(error.cause.removeprefix(f"{path}: ").removeprefix(f"{path} ")) from None


def _members(files: FileCollection, root: Path | None) -> list[Item]:
    """What looks like a picture by its suffix."""

    def item(name: str) -> Item:
        return Item(name, lambda: files.read(name), None if root is None else root / name)

    names = (entry.name for entry in files.entries)
    return [item(name) for name in names if PurePosixPath(name).suffix.lower() in decode.SUFFIXES]


@dataclass(frozen=True)
class Place:
    """Where outputs go: a folder, one file, or standard output."""

    out: str
    suffix: str = ".png"  # of the files of a folder

    @property
    def is_pipe(self) -> bool:
        """Whether it is standard output."""
        return self.out == PIPE

    def is_folder(self, several: bool) -> bool:
        """Whether it is a folder: it exists as one, ends with a slash, or has no suffix of a picture."""
        path = Path(self.out)
        return not self.is_pipe and (
            several or self.out.endswith("/") or path.is_dir() or path.suffix.lower() not in FORMS
        )

    def files(self, wanted: Sequence[Item], endings: Sequence[str]) -> list[list[Path]]:
        """The files of each item, one for each ending of its name.

        Args:
            wanted: what the model is applied to.
            endings: such as "" or "-0", "-1", for several outputs.

        Raises:
            UsageError: an output would overwrite an input or another output, or cannot be written.
        """
        several = len(wanted) * len(endings) > 1
        if self.is_pipe and several:
            raise UsageError("standard output takes one picture", "--out FOLDER")
        if several and Path(self.out).suffix.lower() in FORMS and not Path(self.out).is_dir():
            raise UsageError(f"--out {self.out} is one file, and there are several outputs", "name a folder")
        if self.is_pipe or not self.is_folder(several):
            out = [[Path(self.out)]]
        else:
            count = Counter(item.stem for item in wanted)
            stems = [item.stem if count[item.stem] == 1 else item.name for item in wanted]
            out = [[Path(self.out) / f"{stem}{end}{self.suffix}" for end in endings] for stem in stems]
        self._check(wanted, out)
        return out

    def _check(self, wanted: Sequence[Item], out: Sequence[Sequence[Path]]) -> None:
        every = Counter(path for paths in out for path in paths)
        twice = next((path for path, n in every.items() if n > 1), None)
        if twice is not None:
            raise UsageError(f"two inputs would be written to {twice}", "apply to one folder at a time")
        inputs = {item.path.resolve() for item in wanted if item.path is not None}
        over = next((path for path in every if not self.is_pipe and path.resolve() in inputs), None)
        if over is not None:
            raise UsageError(f"{over} is an input, which is never overwritten", "choose another --out")
