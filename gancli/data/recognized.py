"""Known data sets by their files, where a user names the folder and not the data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gancli.core import registry
from gancli.core.data import Reading, Source

if TYPE_CHECKING:
    from collections.abc import Iterator

ABOVE = 3  # folders above the one that is named, which may be that of all data sets


def hint(path: Path) -> str:
    """How to name what lies in a folder, if these are the files of a known data set; empty if they are not.

    Args:
        path: a folder that holds no pictures.
    """
    found = next(_known(path), None)
    return "" if found is None else f"these are the files of {found[0]}: name {found[0]}, with --data-dir {found[1]}"


def _known(path: Path) -> Iterator[tuple[str, Path]]:
    for place in (path, *path.parents)[: ABOVE + 1]:
        for name, part in registry.parts("data").items():
            if not issubclass(part, Source) or not (own := part.folder):
                continue
            inside = path.relative_to(place)
            if inside in (Path(own), *Path(own).parents) and part().present(Reading(place, place)):
                yield name, place
