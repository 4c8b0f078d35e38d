"""A collection of files, in a folder or in a zip, and what a scan of all of them finds.

The scan reads each file once: its BLAKE2b, and the header of what looks like a picture. It is kept in the cache under the files' names,
sizes and times, unless the disk or the rights kept a file from being read, which may pass. `content` depends on names and bytes alone, so
touching a file changes nothing but the time that the next scan takes.
"""

from __future__ import annotations

import hashlib
import threading
import unicodedata
import warnings
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from posixpath import splitext
from typing import IO, TYPE_CHECKING, Any, TypeVar

from gancli.core.host import cores
from gancli.core.printable import printable
from gancli.data import cache, decode
from gancli.data.decode import BrokenImageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gancli.core.data import Reading

LARGEST = 256 * 2**20  # bytes of a picture's file
WHOLE = 16 * 2**20  # bytes; larger files are read one at a time
BLOCK = 2048  # files handed out at a time
GROUP = 16  # files of a thread at a time
SMALL = 2**16  # bytes of a file; smaller ones are looked at faster in one thread than in several
TINY = 2**12  # bytes; smaller ones are decoded faster in one thread

_SYSTEM = ("__MACOSX", "Thumbs.db", "desktop.ini", "lost+found", "System Volume Information", "Icon\r")
_one_whole = threading.Lock()

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
    entries: list[Entry]  # sorted by name, hidden files left out
    notes: list[str]  # what else a user should know
    warnings: list[str]  # what was probably meant to be read and is not
    unread = False  # whether the disk or the rights kept a file from being read

    @abstractmethod
    def open(self, name: str) -> IO[bytes]:
        """Open a file.

        Args:
            name: of one of the entries.

        Raises:
            BrokenImageError: it cannot be opened.
        """

    def threads(self, least: int) -> int:
        """One per core if the files have at least this number of bytes on average, else one: threads only wait for each other."""
        return cores() if sum(entry.size for entry in self.entries) >= least * len(self.entries) else 1

    @abstractmethod
    def reason(self, error: Exception) -> str:
        """Why reading an open file failed. Any other exception than those that reading can raise is raised again."""

    def chunks(self, name: str, most: int, step: int = 2**20) -> Iterator[bytes]:
        """A file's bytes, a part at a time.

        Args:
            name: of one of the entries.
            most: bytes that it may have.
            step: bytes at a time.

        Raises:
            BrokenImageError: they cannot be read, or are more than `most`.
        """
        done = 0
        with self.open(name) as file:
            while True:
                try:
                    part = file.read(step)
                except Exception as error:  # noqa: BLE001 - `reason` raises those that are bugs
                    raise BrokenImageError(self.reason(error)) from None
                if part is None:  # of the kernel's, which would have to be waited for
                    raise BrokenImageError("not a file that has an end")
                done += len(part)
                if done > most:
                    raise BrokenImageError(f"the file is larger than {most // 2**20} MB")
                if not part:
                    return
                yield part

    def read(self, name: str, most: int = LARGEST) -> bytes:
        """All of a file's bytes, as `chunks` gives them."""
        return b"".join(self.chunks(name, most))


@dataclass(frozen=True)
class Scan:
    """What a collection holds. All lists are of the pictures whose header can be read."""

    content: str
    names: list[str]
    sizes: list[tuple[int, int]]  # (height, width)
    grey: list[bool]
    kinds: list[str]  # of their numbers, as in `decode.Header`
    several: list[bool]  # whether the file holds more than one image
    broken: dict[str, str] = field(default_factory=dict)  # name -> reason

    def take(self, keep: Sequence[int]) -> Scan:
        """Some of the pictures."""
        lists = ("names", "sizes", "grey", "kinds", "several")
        some: dict[str, Any] = {name: [getattr(self, name)[i] for i in keep] for name in lists}
        return replace(self, **some)

    def without(self, broken: dict[str, str]) -> Scan:
        """The same after some pictures turned out to be broken."""
        kept = self.take([i for i, name in enumerate(self.names) if name not in broken])
        return replace(kept, broken={**self.broken, **broken})


def same_name(name: str) -> str:
    """A name in the one form that is compared: accents composed (NFC)."""
    return unicodedata.normalize("NFC", name)


def hidden(part: str) -> bool:
    """Whether a file or folder of that name is left out: hidden, or made by macOS, Windows or a NAS for itself."""
    return part.startswith((".", "@ea", "#recycle", "$RECYCLE")) or part in _SYSTEM


def left_out(name: str) -> bool:
    """Whether a file is left out because it, or a folder that it lies in, is `hidden`."""
    return any(hidden(part) for part in name.split("/") if part not in ("", "."))


def suffix(name: str) -> str:
    """The suffix of a file's name, in small letters: ".png". For very many names, which `pathlib` is slow with."""
    return splitext(name)[1].lower()


shown = printable  # a file's name


def scan(files: FileCollection, how: Reading, lenient: bool = False) -> Scan:
    """What a collection holds, from the cache if no file has another size or time.

    Args:
        files: the collection.
        how: the cache's folder, and whom to tell the progress.
        lenient: whether pictures that are cut short are read, which then are not remembered as broken.

    Returns:
        What was found; pictures that cannot be read are listed in `broken`.
    """
    key = scan_key(files, lenient)
    kept = cache.recall(how, key)
    if kept is not None:
        try:
            return Scan(**{**kept, "sizes": [(int(h), int(w)) for h, w in kept["sizes"]]})
        except (TypeError, ValueError, KeyError):
            pass
    found = _scanned(files, how)
    keep(files, found, how, lenient)
    return found


def keep(files: FileCollection, found: Scan, how: Reading, lenient: bool = False) -> None:
    """Keep a scan for the next time, if the next one would find the same."""
    if not files.unread:
        cache.remember(how, scan_key(files, lenient), asdict(found))


def scan_key(files: FileCollection, lenient: bool = False) -> str:
    """The key of a scan in the cache."""
    entries = [(entry.name, entry.size, entry.stamp) for entry in files.entries]
    return cache.key_of("scan", 3, files.where, entries, *(["lenient"] if lenient else []))


def each(work: Callable[[T], R], items: Sequence[T], what: str, how: Reading, threads: int) -> list[R]:
    """Do some work on all items. Pillow's warnings are not shown meanwhile.

    Args:
        work: the function.
        items: its arguments.
        what: it is called in the progress.
        how: whom to tell the progress.
        threads: how many work at the same time.

    Returns:
        work(item) for all items, in their order.
    """
    out: list[R] = []

    def some(group: Sequence[T]) -> list[R]:
        return [work(item) for item in group]

    with warnings.catch_warnings(), ThreadPoolExecutor(threads) as pool:
        warnings.simplefilter("ignore")
        run = pool.map if threads > 1 else map
        for start in range(0, len(items), BLOCK):
            block = items[start : start + BLOCK]
            for results in run(some, [block[i : i + GROUP] for i in range(0, len(block), GROUP)]):
                out += results
                how.progress(what, len(out), len(items))
    return out


def _scanned(files: FileCollection, how: Reading) -> Scan:
    def look(entry: Entry) -> tuple[str, decode.Header | str | None]:
        with _one_whole if entry.size > WHOLE else nullcontext():
            return _looked(files, entry)

    looks = each(look, files.entries, "looking at the files", how, files.threads(SMALL))
    names = [entry.name for entry in files.entries]
    contents = cache.key_of([(n, e.size, d) for n, e, (d, _) in zip(names, files.entries, looks, strict=True)])
    good = [(name, seen) for name, (_, seen) in zip(names, looks, strict=True) if isinstance(seen, decode.Header)]
    return Scan(
        contents,
        [name for name, _ in good],
        [(seen.height, seen.width) for _, seen in good],
        [seen.grey for _, seen in good],
        [seen.kind for _, seen in good],
        [seen.several for _, seen in good],
        {name: seen for name, (_, seen) in zip(names, looks, strict=True) if isinstance(seen, str)},
    )


def _looked(files: FileCollection, entry: Entry) -> tuple[str, decode.Header | str | None]:
    """A file's digest; and its header, or why it cannot be read, if it is a picture by content or name. Only pictures are held whole."""
    named, hasher = named_as_image(entry.name), hashlib.blake2b(digest_size=20)
    if entry.size > LARGEST:
        return "", f"the file is larger than {LARGEST // 2**20} MB" if named else None
    data = bytearray()
    try:
        for i, part in enumerate(files.chunks(entry.name, LARGEST)):
            hasher.update(part)
            if (i == 0 and (named or decode.looks_like_image(part[:16]))) or data:
                data += part
    except decode.BrokenImageError as error:
        return "", str(error) if named else None
    if not (data or named):
        return hasher.hexdigest(), None
    try:
        return hasher.hexdigest(), decode.header(bytes(data))
    except decode.BrokenImageError as error:
        return hasher.hexdigest(), str(error)


def named_as_image(name: str) -> bool:
    """Whether a file has the suffix of a format that is read."""
    return suffix(name) in decode.SUFFIXES
