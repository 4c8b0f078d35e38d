"""Which folders are the two domains of a translation, and which part of a split: the layouts that people have.

trainA/ trainB/ (valA/ valB/ testA/ testB/), also train_A/ train_B/       A/train/ B/train/, also train/A/ train/B/
A/ B/ (without parts)                                                     train/ val/ test/ of pictures that hold A and B side by side
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

PARTS = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
_PART = {name: part for part, names in PARTS.items() for name in names}
_JOINED = re.compile(rf"({'|'.join(_PART)})[ _-]?([ab])", re.IGNORECASE)
_DOMAINS, _LETTERS = ("a", "b"), ("A", "B")


@dataclass(frozen=True)
class Side:
    """Where a picture belongs."""

    part: str  # "train", "validation" or "test"
    domain: str  # "a" or "b"; of pictures that hold both: empty
    key: str  # its name in the domain, without suffix: pairs have the same


def common(names: Sequence[str]) -> int:
    """How many folders all names begin with."""
    folders = [name.split("/")[:-1] for name in names]
    n = 0
    while (
        folders and all(len(f) > n for f in folders) and len({f[n] for f in folders}) == 1 and not _of(folders[0][n:])
    ):
        n += 1
    return n


def _of(folders: Sequence[str]) -> tuple[str, str, int] | None:
    """Part, domain, and how many folders say so; None if they do not."""
    first = folders[0].lower() if folders else ""
    second = folders[1].lower() if len(folders) > 1 else ""
    if match := _JOINED.fullmatch(first):
        return _PART[match[1].lower()], match[2].lower(), 1
    if folders and folders[0] in _LETTERS:  # small ones are names of classes
        return (_PART[second], first, 2) if second in _PART else ("train", first, 1)
    return (_PART[first], second, 2) if first in _PART and second in _DOMAINS else None


def domains(names: Sequence[str]) -> dict[str, Side]:
    """Sort pictures into two domains.

    Args:
        names: paths inside a folder or an archive.

    Returns:
        Where each of them belongs that is in one of the folders above; both domains occur, or nothing is returned. Nor is it where A and
        B, by nothing but their letters, are among other folders: those are classes.
    """
    n, out = common(names), {}
    firsts = {folders[0] for name in names if (folders := name.split("/")[n:-1])}
    if {*_LETTERS} < firsts:
        return {}
    for name in names:
        folders = name.split("/")[n:-1]
        if found := _of(folders):
            key = "/".join([*folders[found[2] :], PurePosixPath(name).stem])
            out[name] = Side(found[0], found[1], key)
    return out if {side.domain for side in out.values()} == set(_DOMAINS) else {}


def side_by_side(names: Sequence[str]) -> dict[str, Side]:
    """Where pictures that hold A and B side by side belong: by the folders train, val and test, if there are any."""
    n, out = common(names), {}
    for name in names:
        folders = name.split("/")[n:-1]
        part = _PART.get(folders[0].lower()) if folders else None
        key = "/".join([*(folders[1:] if part else folders), PurePosixPath(name).stem])
        out[name] = Side(part or "train", "", key)
    return out
