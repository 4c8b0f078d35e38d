"""Lines of text from files: plain text with a line per sample, JSON lines, CSV.

Everything is UTF-8, with or without a byte order mark. White space within a line counts as one space.
"""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path, PurePath
from typing import IO, Any

from gancli.core.descriptors import open_named
from gancli.core.errors import DataError
from gancli.core.printable import printable
from gancli.data.collection import Entry, FileCollection
from gancli.data.decode import BrokenImageError

LARGEST = 2**30  # bytes of a file
LONGEST = 2**24  # characters of a line
PLAIN = (".txt", ".text", ".lines")
JSON_LINES = (".jsonl", ".ndjson")
TABLES = {".csv": ",", ".tsv": "\t"}
SUFFIXES = (*PLAIN, *JSON_LINES, *TABLES)
TEXT_COLUMNS = ("text", "line", "sentence", "content")
LABEL_COLUMNS = ("label", "labels", "class", "category")
SPACE = re.compile(r"\s+")
MISSING = object()


@dataclass
class Lines:
    """Lines as they were read, without empty ones, and what belongs to each."""

    lines: list[str] = field(default_factory=list)
    labels: list[str | None] = field(default_factory=list)
    parts: list[int | None] = field(default_factory=list)  # of a split, by the file's name
    empty: int = 0

    def add(self, text: str, label: str | None, part: int | None) -> None:
        """Add a line, unless it is empty."""
        line = SPACE.sub(" ", text).strip()
        if not line:
            self.empty += 1
            return
        self.lines.append(line)
        self.labels.append(label)
        self.parts.append(part)


class OneFile(FileCollection):
    """A single file as a collection. Raises DataError if it cannot be read."""

    def __init__(self, path: Path) -> None:
        self._path, self.where, self.notes, self.warnings = path, str(path), [], []
        try:
            status = path.stat()
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}", "check the path") from None
        self.entries = [Entry(path.name, status.st_size, status.st_mtime_ns)]

    def open(self, name: str) -> IO[bytes]:  # noqa: ARG002
        try:
            return open_named(self._path)
        except OSError as error:
            raise BrokenImageError(self.reason(error)) from None

    def reason(self, error: Exception) -> str:
        if not isinstance(error, OSError):
            raise error
        return error.strerror or "cannot be read"


def read(files: FileCollection, name: str, column: str | None, label: str | None) -> Iterator[tuple[str, str | None]]:
    """The lines of a file, with their labels.

    Args:
        files: that it is among.
        name: of the file; its suffix is one of `SUFFIXES`.
        column: that holds the text, of JSON lines and tables; None: by its name.
        label: column that holds the class; None: by its name; "none": no labels.

    Yields:
        A line and its label, if it has one.

    Raises:
        DataError: it cannot be read, is not UTF-8 or JSON, or has no such column.
    """
    where = printable(name)
    try:
        pieces = _decoded(files.chunks(name, LARGEST), where)
        suffix = PurePath(name).suffix.lower()
        if suffix in JSON_LINES:
            yield from _objects(pieces, where, column, label)
        elif suffix in TABLES:
            yield from _rows(pieces, where, TABLES[suffix], column, label)
        else:
            for line in pieces:
                yield line, None
    except BrokenImageError as error:
        raise DataError(f"{where} cannot be read: {error}", "check the file") from None


def _decoded(chunks: Iterable[bytes], where: str) -> Iterator[str]:
    """Lines without their ends."""
    decoder, rest, done = codecs.getincrementaldecoder("utf-8-sig")(), "", 0
    for chunk in chain(chunks, [b""]):
        try:
            text = rest + decoder.decode(chunk, not chunk)
        except UnicodeDecodeError as error:
            line = done + chunk[: max(0, error.start)].count(b"\n") + 1
            raise DataError(
                f"{where} is not UTF-8 text, near line {line:,}", "save it as UTF-8: iconv -f latin1 -t utf-8 FILE"
            ) from None
        if "\0" in text:
            raise DataError(f"{where} is not text: it holds zero bytes", "name a file with a line per sample")
        *whole, rest = text.replace("\r\n", "\n").split("\n")
        if len(rest) > LONGEST:
            raise DataError(f"{where} has a line of more than {LONGEST:,} characters", "a line per sample")
        done += len(whole)
        yield from whole
    if rest:
        yield rest


def _objects(
    lines: Iterator[str], where: str, column: str | None, label: str | None
) -> Iterator[tuple[str, str | None]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{where}, line {number:,}: not JSON: {error}", "an object per line") from None
        if isinstance(row, str):
            row = {"text": row}
        if not isinstance(row, dict):
            raise DataError(f"{where}, line {number:,}: not an object", '{"text": "...", "label": "..."}')
        text = _cell(row, column, TEXT_COLUMNS, MISSING)
        if not isinstance(text, str):
            raise DataError(f"{where}, line {number:,}: there is no text in {_named(column)}", _there(row))
        yield text, _label(row, label)


def _rows(
    lines: Iterator[str], where: str, separator: str, column: str | None, label: str | None
) -> Iterator[tuple[str, str | None]]:
    try:
        reader = csv.DictReader((f"{line}\n" for line in lines), delimiter=separator, strict=True)
        for row in reader:
            text = _cell(row, column, TEXT_COLUMNS, MISSING)
            if text is MISSING:
                raise DataError(f"{where} has no {_named(column)}", _there(row))
            if None in row or None in row.values() or not isinstance(text, str):
                raise DataError(f"{where}: line {reader.line_num:,} does not have the columns of the first", "check it")
            yield text, _label(row, label)
    except csv.Error as error:
        raise DataError(f"{where}: {error}", "check the quotes and separators") from None


def _label(row: dict[str, Any], label: str | None) -> str | None:
    if label == "none":
        return None
    found = _cell(row, label, LABEL_COLUMNS, None)
    return None if found is None or found == "" else str(found)


def _cell(row: dict[str, Any], column: str | None, usual: Iterable[str], default: Any) -> Any:
    """The cell of a column, or of the first usual one that there is."""
    names = (column,) if column is not None else usual
    return next((row[name] for name in names if name in row), default)


def _named(column: str | None) -> str:
    return f"column {column!r}" if column is not None else f"column called {TEXT_COLUMNS[0]!r}"


def _there(row: dict[str, Any]) -> str:
    names = ", ".join(str(name) for name in list(row)[:20] if name is not None)
    return f"there are: {names}; --set data.source.column=NAME chooses one"
