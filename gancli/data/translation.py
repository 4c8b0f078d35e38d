"""`translation`: pictures of two domains, in a folder or a zip: pairs, if their names say so, or two independent sets.

The layouts are those of `data/sides.py`. Pictures are paired by their names without suffix, never by their order. All are brought to one
size; the channels of each domain are its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from gancli.core.data import Dataset, Reading, Source, Split
from gancli.core.errors import DataError
from gancli.data import cache, decode, holdout, remarks, sides
from gancli.data.collection import GROUP, TINY, FileCollection, Scan, each, scan, shown
from gancli.data.decode import Background
from gancli.data.domains import DomainsDataset
from gancli.data.folder import FolderCollection
from gancli.data.images import ImageDataset
from gancli.data.pairs import PairDataset
from gancli.data.pictures import chosen_size
from gancli.data.sides import PARTS, Side
from gancli.data.zipped import ZipCollection

LISTED = 5  # names in a message
MOST_UNLIKE = 0.5  # share of the smaller domain's names that must have a partner for pairs


def folders_of(path: Path) -> list[str] | None:
    """Names in a zip archive, or in the two upper levels of a folder a name for each folder; None if it is neither."""
    try:
        if path.suffix.lower() == ".zip" and path.is_file():
            found = path.stat()
            return _members(path, found.st_ino, found.st_size, found.st_mtime_ns)
        if path.is_dir():
            return [f"{p.relative_to(path)}/x" for depth in ("*", "*/*") for p in path.glob(depth) if p.is_dir()]
    except (DataError, OSError):
        return None
    return None


@lru_cache(1)  # several sources ask in turn
def _members(path: Path, *_state: int) -> list[str]:
    return [entry.name for entry in ZipCollection(path).entries]


class Translation(Source):
    name = "translation"
    path: str = Field(description="folder or zip")
    layout: Literal["folders", "side-by-side"] = Field(
        "folders", description="folders of the domains A and B, or pictures that hold A and B side by side"
    )
    paired: bool | None = Field(
        None, description="pairs, by name; default: if at least half of the names occur in both"
    )
    skip_broken: bool = Field(False, description="leave broken pictures out instead of stopping")
    background: Background = Field("white", description="what is seen behind transparent pixels")

    @classmethod
    def claims(cls, path: Path) -> int:
        names = folders_of(path)
        if names is None:
            return 0
        return 2 if sides.domains(names) else -1

    def files(self) -> FileCollection:
        """The files. Raises DataError if they cannot be read."""
        path = Path(self.path)
        return ZipCollection(path) if path.suffix.lower() == ".zip" else FolderCollection(path)

    def survey(self, how: Reading) -> tuple[FileCollection, Scan, dict[str, Side]]:
        """The files, what was found in them, and where the pictures belong. Raises DataError if there are no two domains."""
        files = self.files()
        found = scan(files, how)
        if self.layout == "side-by-side":
            return files, found, sides.side_by_side(found.names)
        belong = sides.domains(found.names)
        if not belong:
            raise DataError(
                f"{files.where} has no two domains of pictures",
                "put them into trainA and trainB, or A/train and B/train; pictures that hold both: gan train --layout side-by-side",
            )
        return files, found, belong

    def read(self, how: Reading) -> Split[Any]:
        files, found, belong = self.survey(how)
        self._check(files, found)
        for warning in files.warnings:
            how.warn(warning)
        size = self._size(found, belong, how)
        read = _Reading(files, found, belong, size, self.background, how)
        of = read.halves if self.layout == "side-by-side" else read.part
        parts = {part: of(part) for part in PARTS}
        return _split({part: self._joined(part, *both, how) for part, both in parts.items()}, how)

    def _check(self, files: FileCollection, found: Scan) -> None:
        if found.broken and not self.skip_broken:
            listed = "; ".join(f"{shown(name)}: {why}" for name, why in sorted(found.broken.items())[:LISTED])
            raise DataError(
                f"{len(found.broken)} pictures in {files.where} are broken: {listed}",
                "mend or remove them, or leave them out: --skip-broken",
            )

    def _size(self, found: Scan, belong: Mapping[str, Side], how: Reading) -> tuple[int, int]:
        """(height, width) of a picture of one domain."""
        both = self.layout == "side-by-side"
        sizes = [(h, w // 2 if both else w) for n, (h, w) in zip(found.names, found.sizes, strict=True) if n in belong]
        size = chosen_size(replace(found, sizes=sizes), how)
        unlike = Counter(sizes)
        if set(unlike) != {size}:
            said = ", ".join(f"{h}x{w} ({n})" for (h, w), n in unlike.most_common(3))
            more = ", ..." if len(unlike) > 3 else ""
            how.note(f"pictures of {said}{more} are {remarks.becomes(set(unlike), size)} (height x width)")
        return size

    def _joined(self, part: str, a: _Domain, b: _Domain, how: Reading) -> PairDataset | DomainsDataset:
        """The pictures of a part, as pairs or as two sets. Raises DataError if pairs are asked for and there are none."""
        both = sorted(a.keys.keys() & b.keys.keys())
        fewer = min(len(a.keys), len(b.keys))
        pairs = self.paired if self.paired is not None else bool(fewer) and len(both) >= MOST_UNLIKE * fewer
        if part != "train" and not fewer:
            pairs = True  # nothing, of either kind
        if not pairs:
            if both and self.paired is None:
                how.note(
                    f"{part}: {len(both)} names occur in A and B; to train on these: --set data.source.paired=true"
                )
            return DomainsDataset(a.data, b.data)
        if fewer and not both:
            ends = [shown(next(iter(domain.keys))) for domain in (a, b)]
            raise DataError(
                f"{part}: no picture of A has the name of one of B ({ends[0]}, {ends[1]})",
                "give pairs the same name, or train on two domains: --set data.source.paired=false",
            )
        for letter, domain in (("A", a), ("B", b)):
            alone = sorted(domain.keys.keys() - set(both))
            if alone:
                listed = ", ".join(map(shown, alone[:LISTED])) + (", ..." if len(alone) > LISTED else "")
                how.note(f"{part}: {len(alone)} pictures of {letter} have no partner and are left out: {listed}")
        index = [np.array([domain.keys[key] for key in both], np.int64) for domain in (a, b)]
        return PairDataset(a.data.take(index[0], how), b.data.take(index[1], how))


def _split(parts: dict[str, PairDataset | DomainsDataset], how: Reading) -> Split[Any]:
    """Training, validation and test set; a test set is taken from the training set where there is none."""
    train: Dataset = parts["train"]
    test, validation = (_alike(parts[name], train) for name in ("test", "validation"))
    n = holdout.held_out(len(train), how.holdout)
    if not len(test) and n and len(train):
        by = holdout.order(len(train), train.strata)
        train, test = train.take(np.sort(by[:-n]), how), train.take(np.sort(by[-n:]), how)
        how.note(f"held out as the test set: {n:,} of {n + len(train):,}")
    return Split(train, test, validation)


def _alike(part: PairDataset | DomainsDataset, train: Dataset) -> Dataset:
    """A part as data of the training set's kind: pairs can be seen as two domains; nothing else can."""
    if type(part) is type(train):
        return part
    if not len(part):
        return train.take(slice(0, 0))
    if isinstance(part, PairDataset):
        return DomainsDataset(part.source, part.target)
    raise DataError(
        "the training pictures are pairs by their names, and those of another part are not",
        "give them the same names, or train on two domains: --set data.source.paired=false",
    )


@dataclass(frozen=True)
class _Domain:
    """The pictures of a domain in a part, and their numbers by key."""

    data: ImageDataset
    keys: dict[str, int]


@dataclass(frozen=True)
class _Reading:
    """Decodes pictures, once, into the cache."""

    files: FileCollection
    found: Scan
    belong: Mapping[str, Side]
    size: tuple[int, int]
    background: Background
    how: Reading

    def part(self, part: str) -> tuple[_Domain, _Domain]:
        """The pictures of A and B."""
        a, b = (self._domain(part, domain) for domain in ("a", "b"))
        return a, b

    def halves(self, part: str) -> tuple[_Domain, _Domain]:
        """The left and the right halves of pictures that hold both."""
        names = self._names(part, "")
        images = self._decoded(names, self._channels(""), (self.size[0], 2 * self.size[1]))
        keys = self._keys(names, "")
        left, right = images[..., : self.size[1]], images[..., self.size[1] :]
        return _Domain(ImageDataset(np.ascontiguousarray(left)), keys), _Domain(
            ImageDataset(np.ascontiguousarray(right)), keys
        )

    def _domain(self, part: str, domain: str) -> _Domain:
        names = self._names(part, domain)
        images = self._decoded(names, self._channels(domain), self.size)
        return _Domain(ImageDataset(images), self._keys(names, domain))

    def _names(self, part: str, domain: str) -> list[str]:
        return [name for name, side in self.belong.items() if (side.part, side.domain) == (part, domain)]

    def _keys(self, names: Sequence[str], domain: str) -> dict[str, int]:
        keys = [self.belong[name].key for name in names]
        twice = [key for key, n in Counter(keys).items() if n > 1]
        if twice:
            raise DataError(
                f"{len(twice)} names occur twice in {domain.upper() or 'a part'}: {', '.join(map(shown, twice[:LISTED]))}",
                "a name without its suffix says which picture belongs to which: give each its own",
            )
        return {key: i for i, key in enumerate(keys)}

    def _channels(self, domain: str) -> int:
        """Those of all pictures of a domain, in all parts."""
        grey = dict(zip(self.found.names, self.found.grey, strict=True))
        own = [grey[name] for name, side in self.belong.items() if side.domain == domain]
        return self.how.channels or (1 if all(own) else 3)

    def _decoded(self, names: list[str], channels: int, size: tuple[int, int]) -> np.ndarray:
        """uint8 [N, C, H, W]. Raises DataError if a picture turns out to be broken."""

        def fill(out: np.ndarray) -> None:
            def one(i: int) -> str:
                if i % GROUP == 0:
                    cache.release(out)
                try:
                    out[i] = decode.decode(self.files.read(names[i]), channels, size, self.background)
                except decode.BrokenImageError as error:
                    return f"{shown(names[i])}: {error}"
                return ""

            said = each(one, range(len(names)), "decoding", self.how, self.files.threads(TINY))
            broken = [why for why in said if why]
            if broken:
                raise DataError(
                    f"{len(broken)} pictures are broken: {'; '.join(broken[:LISTED])}", "mend or remove them"
                )

        shape = (len(names), channels, *size)
        if not names:
            return np.zeros(shape, np.uint8)
        key = cache.key_of("translation", 1, self.found.content, names, shape, self.background)
        return cache.array(self.how, key, shape, fill)
