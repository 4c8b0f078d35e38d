"""A collection of files, in a folder or in a zip, and what a scan of all of them finds.

The scan reads each file once: its BLAKE2b, and the header of what looks like a picture. It is kept in the cache under the files' names,
sizes and times, unless the disk or the rights kept a file from being read, which may pass. `content` depends on names and bytes alone, so
touching a file changes nothing but the time that the next scan takes.
"""

from __future__ import annotations

import hashlib
import warnings
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, TypeVar

from gancli.core.host import cores
from gancli.core.printable import printable
from gancli.data import cache, decode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gancli.core.data import Reading

LARGEST = 256 * 2**20  # bytes of a picture's file
LABELS = ("labels.csv", "labels.json", "dataset.json")
BLOCK = 2048  # files handed out at a time
GROUP = 16  # files of a thread at a time

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Entry:
    """A file by its path inside the collection, with "/" between its parts."""

    name: str
    size: int
    stamp: int  # changes when the file is written


class FileCollection(ABC):
    """Files that can be read by name."""

    where: str  # for messages
    entries: list[Entry]  # sorted by name, hidden files and links left out
    notes: list[str]  # what else a user should know
    unread = False  # whether the disk or the rights kept a file from being read

    @abstractmethod
    def read(self, name: str, most: int = LARGEST) -> bytes:
        """A file's bytes.

        Args:
            name: of one of the entries.
            most: bytes that it may have.

        Raises:
            BrokenImageError: they cannot be read, or are more than `most`.
        """


@dataclass(frozen=True)
class Scan:
    """What a collection holds. `names`, `sizes` (height, width) and `grey` are of the pictures whose header can be read."""

    content: str
    names: list[str]
    sizes: list[tuple[int, int]]
    grey: list[bool]
    broken: dict[str, str] = field(default_factory=dict)  # name -> reason
    ignored: int = 0  # files that are neither pictures nor labels

    def without(self, broken: dict[str, str]) -> Scan:
        """The same after some pictures turned out to be broken."""
        keep = [i for i, name in enumerate(self.names) if name not in broken]
        names, sizes, grey = ([part[i] for i in keep] for part in (self.names, self.sizes, self.grey))
        return Scan(self.content, names, sizes, grey, {**self.broken, **broken}, self.ignored)  # type: ignore[arg-type]


shown = printable  # a file's name


def scan(files: FileCollection, how: Reading) -> Scan:
    """What a collection holds, from the cache if no file has another size or time.

    Args:
        files: the collection.
        how: the cache's folder, and whom to tell the progress.

    Returns:
        What was found; pictures that cannot be read are listed in `broken`.
    """
    key = scan_key(files)
    kept = cache.recall(how, key)
    if kept is not None:
        try:
            return Scan(**{**kept, "sizes": [(int(h), int(w)) for h, w in kept["sizes"]]})
        except (TypeError, ValueError, KeyError):
            pass
    found = _scanned(files, how)
    keep(files, found, how)
    return found


def keep(files: FileCollection, found: Scan, how: Reading) -> None:
    """Keep a scan for the next time, if the next one would find the same."""
    if not files.unread:
        cache.remember(how, scan_key(files), asdict(found))


def scan_key(files: FileCollection) -> str:
    """The key of a scan in the cache."""
    return cache.key_of("scan", 2, files.where, [(entry.name, entry.size, entry.stamp) for entry in files.entries])


def each(work: Callable[[T], R], items: Sequence[T], what: str, how: Reading) -> list[R]:
    """Do some work on all items, in one thread per core. Pillow's warnings are not shown meanwhile.

    Args:
        work: the function.
        items: its arguments.
        what: it is called in the progress.
        how: whom to tell the progress.

    Returns:
        work(item) for all items, in their order.
    """
    out: list[R] = []

    def some(group: Sequence[T]) -> list[R]:
        return [work(item) for item in group]

    with warnings.catch_warnings(), ThreadPoolExecutor(cores()) as pool:
        warnings.simplefilter("ignore")
        for start in range(0, len(items), BLOCK):
            block = items[start : start + BLOCK]
            for results in pool.map(some, [block[i : i + GROUP] for i in range(0, len(block), GROUP)]):
                out += results
                how.progress(what, len(out), len(items))
    return out


def _scanned(files: FileCollection, how: Reading) -> Scan:
    def look(entry: Entry) -> tuple[str, decode.Header | str | None]:
        try:
            data = files.read(entry.name)
        except decode.BrokenImageError as error:
            return "", str(error) if _named_as_image(entry.name) else None
        digest = hashlib.blake2b(data, digest_size=20).hexdigest()
        if not (decode.looks_like_image(data[:16]) or _named_as_image(entry.name)):
            return digest, None
        try:
            return digest, decode.header(data)
        except decode.BrokenImageError as error:
            return digest, str(error)

    looks = each(look, files.entries, "looking at the files", how)
    names = [entry.name for entry in files.entries]
    contents = cache.key_of([(n, e.size, d) for n, e, (d, _) in zip(names, files.entries, looks, strict=True)])
    good = [(name, seen) for name, (_, seen) in zip(names, looks, strict=True) if isinstance(seen, decode.Header)]
    return Scan(
        contents,
        [name for name, _ in good],
        [(seen.height, seen.width) for _, seen in good],
        [seen.grey for _, seen in good],
        {name: seen for name, (_, seen) in zip(names, looks, strict=True) if isinstance(seen, str)},
        sum(seen is None and PurePosixPath(n).name not in LABELS for n, (_, seen) in zip(names, looks, strict=True)),
    )


def _named_as_image(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in decode.SUFFIXES
