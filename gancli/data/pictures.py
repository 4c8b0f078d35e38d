"""What `folder` and `zip` share: pictures of any size and mode -> arrays, decoded once and kept in the cache.

The size is the one asked for, else the pictures' own if they are all of one size, else a square: the median of their shorter sides,
rounded down to a multiple of 8, at least 8 and at most 64. The channels are those asked for, else 1 if all pictures are grey, else 3.
The cache keeps the pictures in the order of `holdout.order`, so that training, validation and test set are views.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from statistics import median_low

import numpy as np
from pydantic import Field

from gancli.core.data import Reading, Source, Split
from gancli.core.errors import DataError
from gancli.data import cache, decode, holdout, labels
from gancli.data.collection import GROUP, FileCollection, Scan, each, keep, scan, shown
from gancli.data.decode import Background
from gancli.data.images import ImageDataset

LISTED = 20  # broken files named in an error


class Pictures(Source, ABC):
    """Base of the sources that read picture files."""

    path: str = Field(description="where the pictures lie")
    skip_broken: bool = Field(False, description="leave broken pictures out instead of stopping")
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
        return files, scan(files, how)

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
        return self._read(files, found, how)

    def _read(self, files: FileCollection, found: Scan, how: Reading) -> tuple[Split[ImageDataset], Scan]:
        self._check(files, found)
        known, notes = labels.known(files, found.names)
        size, channels = chosen_size(found, how), chosen_channels(found, how)
        order = holdout.order(len(found.names), known.labels)
        broken: dict[str, str] = {}

        def fill(out: np.ndarray) -> None:
            broken.update(_decode(files, [found.names[i] for i in order], out, self.background, how))
            if broken:
                raise _BrokenError

        key = cache.key_of(
            "pictures", 1, found.content, sorted(found.broken), size, channels, self.background, holdout.key(order)
        )
        try:
            images = cache.array(how, key, (len(order), channels, *size), fill)
        except _BrokenError:
            found = found.without(broken)
            keep(files, found, how)
            return self._read(files, found, how)
        for note in notes:
            how.note(note)
        self._say(found, size, how)
        return holdout.split(images, known, order, how), found

    def _check(self, files: FileCollection, found: Scan) -> None:
        if found.broken and not self.skip_broken:
            listed = [f"{shown(name)}: {why}" for name, why in sorted(found.broken.items())[:LISTED]]
            more = [f"and {len(found.broken) - LISTED} more"] if len(found.broken) > LISTED else []
            cause = (
                f"{len(found.broken)} of {len(found.broken) + len(found.names)} pictures in {files.where} are broken: "
            )
            raise DataError(
                cause + "; ".join(listed + more),
                "mend or remove them, or leave them out with --set data.source.skip_broken=true",
            )
        if not found.names:
            kinds = ", ".join(decode.FORMATS)
            other = f" ({found.ignored} files of other kinds)" if found.ignored else ""
            raise DataError(
                f"no pictures in {files.where}{other}", f"it must hold files in one of these formats: {kinds}"
            )

    def _say(self, found: Scan, size: tuple[int, int], how: Reading) -> None:
        if found.ignored:
            how.note(f"files that are no pictures: {found.ignored}")
        if found.broken:
            how.note(f"broken pictures left out: {len(found.broken)}")
        sizes = set(found.sizes)
        if sizes != {size}:
            what = "of different sizes" if len(sizes) > 1 else "{1} x {0}".format(*next(iter(sizes)))
            how.note(f"the pictures are {what}; they are cut and scaled to {size[1]} x {size[0]}")


class _BrokenError(Exception):
    """Pictures turned out to be broken while decoding."""


def chosen_size(found: Scan, how: Reading) -> tuple[int, int]:
    """(height, width) by the rule above."""
    if how.size is not None:
        return how.size
    if len(set(found.sizes)) == 1:
        return found.sizes[0]
    side = min(64, max(8, median_low(min(size) for size in found.sizes) // 8 * 8))
    return side, side


def chosen_channels(found: Scan, how: Reading) -> int:
    return how.channels or (1 if all(found.grey) else 3)


def _decode(
    files: FileCollection, names: list[str], out: np.ndarray, background: Background, how: Reading
) -> dict[str, str]:
    """Decode all of them into out, uint8 [N, C, H, W]; returns the broken ones with the reasons."""
    channels, size = out.shape[1], (out.shape[2], out.shape[3])

    def one(i: int) -> str:
        if i % GROUP == 0:
            cache.release(out)
        try:
            out[i] = decode.decode(files.read(names[i]), channels, size, background)
        except decode.BrokenImageError as error:
            return str(error)
        return ""

    reasons = each(one, range(len(names)), "decoding", how)
    return {name: why for name, why in zip(names, reasons, strict=True) if why}
