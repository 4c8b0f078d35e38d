"""What the folders of a data set mean: parts of a split (train/, val/, test/), or classes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

TRAIN, VALIDATION, TEST, OUTSIDE = 0, 1, 2, -1
_NAMES = {
    TRAIN: ("train", "training", "trn"),
    VALIDATION: ("val", "valid", "validation", "dev", "eval"),
    TEST: ("test", "testing", "tst"),
}
_PART = {name: part for part, names in _NAMES.items() for name in names}


def part_of(name: str) -> int | None:
    """Which part of a split a folder or a word in a table means, in any spelling (Train, test_set, 1-training); None: none."""
    plain = re.sub(r"[^a-z]", "", name.lower())
    return _PART.get(re.sub(r"(?<=.)(set|data|dataset|images?|imgs?|split|folder)$", "", plain))


@dataclass(frozen=True)
class Layout:
    """The paths of pictures without the folders that mean a part or hold everything."""

    inner: list[list[str]]  # folders and name of each picture
    top: str  # the folders that everything lies in, with "/" at the end; often empty
    parts: np.ndarray | None = None  # int64 [N]: TRAIN, VALIDATION, TEST or OUTSIDE; None: no such folders
    folders: tuple[str, ...] = ()  # that mean a part, below `top`


def layout(names: Sequence[str]) -> Layout:
    """The layout of pictures of these paths."""
    paths = [name.split("/") for name in names]
    at = 0
    while paths and all(len(path) > at + 1 for path in paths) and len({path[at] for path in paths}) == 1:
        at += 1  # all pictures lie in one folder: look inside it
    top = "".join(f"{part}/" for part in paths[0][:at]) if paths else ""
    inner = [path[at:] for path in paths]
    for level in (0, 1):  # train/cat/1.png, or cat/train/1.png
        folders = {path[level] for path in inner if len(path) > level + 1}
        meant = {name: part_of(name) for name in folders}
        known = {part for part in meant.values() if part is not None}
        if TRAIN in known and len(known) > 1 and (level == 0 or None not in meant.values()):
            codes = [meant[path[level]] if len(path) > level + 1 else None for path in inner]
            parts = np.array([OUTSIDE if code is None else code for code in codes], np.int64)
            bare = [
                path if part == OUTSIDE else path[:level] + path[level + 1 :]
                for path, part in zip(inner, parts, strict=True)
            ]
            return Layout(bare, top, parts, tuple(sorted(n for n, part in meant.items() if part is not None)))
    return Layout(inner, top)
