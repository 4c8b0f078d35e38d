"""Which picture a cell of a table means.

Tables are made elsewhere: names have backslashes, folders that are not there, accents in another form, another suffix or none. A cell
means the picture of the same path; else the one picture, if there is just one, that is alike in ever less.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from gancli.data.collection import named_as_image, same_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LONGEST = 1024  # characters of a path
SEVERAL = -1


class Names:
    """Pictures by name.

    Args:
        paths: of the pictures, from where the table lies.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = [same_name(path) for path in paths]

    @cached_property
    def _tiers(self) -> list[tuple[Callable[[str], str], dict[str, int]]]:
        ways = (str, _bare, _last, lambda path: _bare(_last(path)), lambda path: _bare(_last(path)).lower())
        return [(way, self._by(way)) for way in ways]

    def _by(self, way: Callable[[str], str]) -> dict[str, int]:
        found: dict[str, int] = {}
        for i, path in enumerate(self.paths):
            key = way(path)
            found[key] = SEVERAL if key in found else i
        return found

    def __call__(self, cell: Any) -> int | None:
        """The number of the picture that is meant; `SEVERAL` where it may be more than one; None where it is none."""
        if isinstance(cell, bool) or not isinstance(cell, str | int) or len(text := str(cell)) > LONGEST:
            return None
        path = same_name(text.strip().replace("\\", "/")).removeprefix("./")
        several = None
        for way, known in self._tiers if path else ():
            number = known.get(way(path))
            if number is not None and number != SEVERAL:
                return number
            several = several if number is None else SEVERAL
        return several

    def one(self, cell: Any) -> bool:
        """Whether it means a picture."""
        return self(cell) not in (None, SEVERAL)


def _bare(path: str) -> str:
    """Without the suffix of a picture."""
    return path.rpartition(".")[0] if named_as_image(path) or path.lower().endswith(".npy") else path


def _last(path: str) -> str:
    return path.rpartition("/")[2]
