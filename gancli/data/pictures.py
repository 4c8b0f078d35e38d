"""What `folder` and `zip` share: pictures of any size and mode -> arrays, decoded once and kept in the cache.

The size is the one asked for, else the pictures' own if they are all of one size, else a square: the median of their shorter sides,
rounded down to a multiple of 8, at least 8 and at most 64. No side is longer than 1,024 unless it is asked for. The channels are those
asked for, else 1 if all pictures are grey, else 3. The cache keeps the pictures in the order of `holdout.arranged`, so that training,
validation and test set are views.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from pathlib import Path
from statistics import median_low
from typing import ClassVar

import numpy as np
from pydantic import Field

from gancli.core.data import Reading, Source, Split
from gancli.core.errors import DataError
from gancli.data import cache, decode, holdout, labels, recognized, remarks, values
from gancli.data.collection import GROUP, TINY, FileCollection, Scan, each, keep, scan, shown
from gancli.data.decode import Background
from gancli.data.images import ImageDataset

LISTED = 20  # broken files named in an error
LONGEST = 1024  # pixels of a side, unless more are asked for
Item = tuple[str, int]  # a file, and which of its images


class Pictures(Source, ABC):
    """Base of the sources that read picture files."""

    options: ClassVar[tuple[str, ...]] = ("range", "labels", "unlabeled", "frames")
    path: str = Field(description="where the pictures lie")
    skip_broken: bool = Field(False, description="leave broken pictures out instead of stopping")
    truncated: bool = Field(False, description="read pictures that are cut short as far as they go")
    background: Background = Field("white", description="what is seen behind transparent pixels")

    @abstractmethod
    def files(self) -> FileCollection:
        """The files.

        Raises:
            DataError: there is nothing that can be read.
        """

    def survey(self, how: Reading) -> tuple[FileCollection, Scan]:
        """The files and what was found in them, broken pictures included; nothing is decoded.

        Raises:
            DataError: there is nothing that can be read.
        """
        files = self.files()
        return files, scan(files, how, self.truncated)

    def read(self, how: Reading) -> Split[ImageDataset]:
        """The pictures, decoded.

        Raises:
            DataError: there is no picture, or a broken one (all of them listed) unless `skip_broken`.
        """
        return self.scanned(how)[0]

    def scanned(self, how: Reading) -> tuple[Split[ImageDataset], Scan]:
        """As `read`, with what was found in the files, also while decoding them."""
        files, found = self.survey(how)
        for note in files.notes:
            how.note(note)
        for warning in files.warnings:
            how.warn(warning)
        with decode.lenient(self.truncated):
            return self._read(files, found, how)

    def _read(self, files: FileCollection, found: Scan, how: Reading) -> tuple[Split[ImageDataset], Scan]:
        self._check(files, found)
        known = labels.known(files, found.names, how)
        used = found.take(known.keep.tolist())
        size, channels = chosen_size(used, how), chosen_channels(used, how)
        index, items = self._items(files, used, how)
        beside, ranges, doubts = known.known.take(index), *self._ranges(files, used, how)
        beside = replace(beside, parts=None) if how.whole else beside
        order = holdout.arranged(len(items), beside.labels, beside.parts)
        broken: dict[str, str] = {}

        def fill(out: np.ndarray) -> None:
            broken.update(_decode(files, [items[i] for i in order], out, self.background, ranges, how))
            if broken:
                raise _BrokenError

        key = cache.key_of(
            *("pictures", 2, found.content, sorted(found.broken), size, channels, self.background, self.truncated),
            {kind: (own.low, own.high) for kind, own in ranges.items()},
            *(holdout.key(known.keep[index][order]), how.frames),
        )
        try:
            images = cache.array(how, key, (len(order), channels, *size), fill)
        except _BrokenError:
            found = found.without(broken)
            keep(files, found, how, self.truncated)
            return self._read(files, found, how)
        others = remarks.others(files, found, known.read)
        for note in (*known.notes, *remarks.notes(others, found, used, size)):
            how.note(note)
        for warning in (*known.warnings, *(doubts or remarks.dark(images)), *remarks.warnings(others, used, size)):
            how.warn(warning)
        how.files([f"{name}#{frame}" if frame else name for name, frame in (items[i] for i in order)])
        return holdout.split(images, beside, order, how), found

    def names(self, how: Reading) -> Split[ImageDataset]:
        """The files of the images that `read` gives: the same split, whose images are numbers of `files()`, int64 [N, 1, 1, 1].

        Raises:
            DataError: as `read`.
        """
        files, found = self.survey(how)
        self._check(files, found)
        known = labels.known(files, found.names, how)
        index, items = self._items(files, found.take(known.keep.tolist()), how)
        beside = known.known.take(index)
        beside = replace(beside, parts=None) if how.whole else beside
        order = holdout.arranged(len(items), beside.labels, beside.parts)
        place = {entry.name: i for i, entry in enumerate(files.entries)}
        numbers = np.array([place[items[i][0]] for i in order], np.int64)
        return holdout.split(numbers[:, None, None, None], beside, order, how)

    def _items(self, files: FileCollection, used: Scan, how: Reading) -> tuple[np.ndarray, list[Item]]:
        """All images that are used, and the numbers of their files: with `frames=all` each of a file that holds several."""
        several = [i for i, more in enumerate(used.several) if more]
        counts = np.ones(len(used.names), np.int64)
        if several and how.frames == "first":
            how.warn(
                f"{len(several):,} files hold several images, of which the first is used ({shown(used.names[several[0]])})"
                "  ->  --set data.frames=all"
            )
        elif several:
            counts[several] = each(
                lambda i: _count(files, used.names[i]), several, "counting images", how, files.threads(TINY)
            )
        index = np.repeat(np.arange(len(counts)), counts)
        return index, [(name, k) for name, n in zip(used.names, counts, strict=True) for k in range(n)]

    def _ranges(self, files: FileCollection, used: Scan, how: Reading) -> tuple[dict[str, values.Range], list[str]]:
        """The range of each kind of numbers, told from all pictures of the kind; and what is doubtful."""
        ranges, doubts = dict(decode.DEFAULT), []
        for kind in sorted(set(used.kinds)):
            if isinstance(how.range, tuple):
                ranges[kind] = values.Range(*how.range)
            elif kind != "bytes" or how.range == "auto":
                names = [name for name, own in zip(used.names, used.kinds, strict=True) if own == kind]
                found, dtype = _measured(files, used.content, names, how)
                if not found.count:
                    continue  # all are broken, which decoding says
                choice = values.choose(found, dtype, how.range, f"the pictures in {files.where}")
                ranges[kind] = choice.range
                doubts += [choice.warning] if choice.warning else []
                how.note(f"{len(names):,} pictures are {choice.said}")
        return ranges, doubts

    def _check(self, files: FileCollection, found: Scan) -> None:
        if found.broken and not self.skip_broken:
            listed = [f"{shown(name)}: {why}" for name, why in sorted(found.broken.items())[:LISTED]]
            more = [f"and {len(found.broken) - LISTED} more"] if len(found.broken) > LISTED else []
            cause = (
                f"{len(found.broken)} of {len(found.broken) + len(found.names)} pictures in {files.where} are broken: "
            )
            raise DataError(cause + "; ".join(listed + more), "mend or remove them, or leave them out: --skip-broken")
        if not found.names:
            kinds = ", ".join(decode.FORMATS)
            other = len(files.entries) - len(found.broken)
            passed = f" ({other} files of other kinds)" if other else ""
            remedy = recognized.hint(Path(self.path)) or f"it must hold files in one of these formats: {kinds}"
            if found.broken:
                raise DataError(f"none of {len(found.broken):,} pictures in {files.where} can be read", remedy)
            raise DataError(f"no pictures in {files.where}{passed}", remedy)


class _BrokenError(Exception):
    """Pictures turned out to be broken while decoding."""


def chosen_size(found: Scan, how: Reading) -> tuple[int, int]:
    """(height, width) by the rule above."""
    if how.size is not None:
        return how.size
    if len(set(found.sizes)) == 1:
        height, width = found.sizes[0]
        less = min(1.0, LONGEST / max(height, width))
        return max(1, round(height * less)), max(1, round(width * less))
    side = min(64, max(8, median_low(min(size) for size in found.sizes) // 8 * 8))
    return side, side


def chosen_channels(found: Scan, how: Reading) -> int:
    return how.channels or (1 if all(found.grey) else 3)


def _count(files: FileCollection, name: str) -> int:
    try:
        return decode.frames(files.read(name))
    except decode.BrokenImageError:
        return 1  # decoding it says why


def _measured(
    files: FileCollection, content: str, names: list[str], how: Reading
) -> tuple[values.Stats, np.dtype[np.generic]]:
    """Least and greatest number of pictures, remembered in the cache; those that are broken are found when they are decoded."""
    key = cache.key_of("values", 1, content, names)
    kept = cache.recall(how, key)
    if kept is not None:
        try:
            return values.Stats(*kept["stats"]), np.dtype(str(kept["dtype"]))
        except (KeyError, TypeError, ValueError):
            pass

    def one(name: str) -> tuple[values.Stats, np.dtype[np.generic]]:
        try:
            return decode.measure(files.read(name))
        except decode.BrokenImageError:
            return values.Stats(), np.dtype(np.uint8)

    found = each(one, names, "looking at the values", how, files.threads(TINY))
    stats, dtype = values.total(s for s, _ in found), max((d for _, d in found), key=lambda d: d.itemsize)
    cache.remember(how, key, {"stats": [stats.low, stats.high, stats.negative, stats.count], "dtype": dtype.str})
    return stats, dtype


def _decode(
    files: FileCollection,
    items: list[Item],
    out: np.ndarray,
    background: Background,
    ranges: dict[str, values.Range],
    how: Reading,
) -> dict[str, str]:
    """Decode all of them into out, uint8 [N, C, H, W]; returns the broken ones with the reasons."""
    channels, size = out.shape[1], (out.shape[2], out.shape[3])

    def one(i: int) -> str:
        if i % GROUP == 0:
            cache.release(out)
        try:
            name, frame = items[i]
            out[i] = decode.decode(files.read(name), channels, size, background, ranges, frame)
        except decode.BrokenImageError as error:
            return str(error)
        return ""

    reasons = each(one, range(len(items)), "decoding", how, files.threads(TINY))
    return {name: why for (name, _), why in zip(items, reasons, strict=True) if why}
