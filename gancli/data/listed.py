"""A collection whose pictures have facts of their own, which are read as if they stood in a table beside them."""

from __future__ import annotations

import csv
import io
import zlib
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import IO

from gancli.data.collection import Entry, FileCollection, same_name

TABLE = "labels.csv"
MOST_COLUMNS = 64
LONGEST = 1000  # characters of a value
Facts = Mapping[str, str]  # column -> value


class ListedCollection(FileCollection):
    """Members of an archive or a table, and what is known of each."""

    def listed(self, members: Sequence[Entry], facts: Mapping[str, Facts]) -> None:
        """Set the entries.

        Args:
            members: files.
            facts: what is known of some of them, by name.
        """
        self.table = b"" if not any(facts.values()) else written(facts)
        entries = [*members, *([Entry(TABLE, len(self.table), zlib.crc32(self.table))] if self.table else [])]
        self.entries = sorted(entries, key=lambda entry: (same_name(entry.name), entry.name))

    def open(self, name: str) -> IO[bytes]:
        if name == TABLE and self.table:
            return io.BytesIO(self.table)
        return self.member(name)

    @abstractmethod
    def member(self, name: str) -> IO[bytes]:
        """Open a member. Raises BrokenImageError."""


def written(facts: Mapping[str, Facts]) -> bytes:
    """The table as CSV: a row for each file, with the columns that any has."""
    columns = list(dict.fromkeys(key for known in facts.values() for key in known))[:MOST_COLUMNS]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["file", *columns])
    for name, known in facts.items():
        writer.writerow([name, *(known.get(column, "") for column in columns)])
    return out.getvalue().encode()


def plain(value: object) -> str | None:
    """A value of a cell; None for what is no short text or number."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, int | float | str) and len(text := str(value)) <= LONGEST and text.isprintable():
        return text
    return None
