"""JSON read a piece at a time: the rows of a labels file, without ever holding more of it than one row.

Rows are taken from any of these forms, which people really have:
    {"labels": [[file, value], ...]}     StyleGAN; also under other names, and with tables in the place of pairs
    {file: value, ...}                   a value is a class, a list of numbers, or a table
    {class: [file, ...], ...}
    [[file, value], ...] or [{...}, ...]
"""

from __future__ import annotations

import codecs
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LARGEST_ROW = 2**20  # characters
DEEPEST = 8  # containers within each other
SMALL = 256  # characters that a row is first looked for in
BLANK = re.compile(r"[ \t\n\r]*")
CONTAINERS = ("labels", "images", "annotations", "data", "items", "rows", "samples", "files")
FILE, VALUE = "file", "value"  # columns of rows without names

Row = dict[str, Any]


class JsonError(ValueError):
    """What is wrong with the text."""


class _Text:
    """The text of which as much is held as is needed next."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks, self._utf8 = iter(chunks), codecs.getincrementaldecoder("utf-8-sig")()
        self._text, self._at, self._ended = "", 0, False
        self._json = json.JSONDecoder(parse_constant=str)

    def _fill(self, wanted: int) -> None:
        """Hold that many characters from here on, if there are so many."""
        parts, held = [self._text[self._at :]], len(self._text) - self._at
        while held < wanted and not self._ended:
            chunk = next(self._chunks, b"")
            self._ended = not chunk
            parts.append(self._utf8.decode(chunk, self._ended))
            held += len(parts[-1])
        self._text, self._at = "".join(parts), 0

    def peek(self) -> str:
        """The next character that is not blank; empty at the end."""
        while True:
            match = BLANK.match(self._text, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if self._ended:
                return ""
            self._fill(SMALL)

    def take(self, wanted: str) -> bool:
        """Go past a character, if it is the next."""
        found = self.peek() == wanted
        self._at += found
        return found

    def expect(self, wanted: str) -> None:
        """Go past a character. Raises JsonError if another is the next."""
        if not self.take(wanted):
            raise JsonError(f"{self.peek() or 'the end'!r} in the place of {wanted!r}")

    def value(self) -> Any:
        """The next value, whatever it is. Raises JsonError if it is none, or too long."""
        self.peek()
        size = SMALL
        while True:
            if len(self._text) - self._at < size and not self._ended:
                self._fill(size)
            piece = self._text[self._at : self._at + size]
            last = self._ended and len(piece) == len(self._text) - self._at
            try:
                value, end = self._json.raw_decode(piece)
                if end < len(piece) or last:
                    self._at += end
                    return value
            except (ValueError, RecursionError) as error:
                if last or isinstance(error, RecursionError):
                    raise JsonError(str(error)) from None
            if size >= LARGEST_ROW:
                raise JsonError(f"a value of more than {LARGEST_ROW:,} characters")
            size *= 8


def rows(chunks: Iterable[bytes]) -> Iterator[Row]:
    """The rows of a JSON text.

    Args:
        chunks: of its bytes, UTF-8.

    Returns:
        Tables of column and value. `{"labels": null}` has none.

    Raises:
        JsonError: the text is no JSON, or no table of files.
        UnicodeDecodeError: it is no UTF-8.
    """
    text = _Text(chunks)
    if text.take("["):
        yield from _list(text)
    elif text.take("{"):
        yield from _table(text)
    else:
        raise JsonError("neither a list nor a table")
    if text.peek():
        raise JsonError("more text behind the end")


def lines(chunks: Iterable[bytes]) -> Iterator[Row]:
    """The rows of JSON lines: one table a line. Raises as `rows`."""
    text = _Text(chunks)
    while text.peek():
        yield from _row(text.value())


def _list(text: _Text) -> Iterator[Row]:
    if text.take("]"):
        return
    while True:
        yield from _row(text.value())
        if text.take("]"):
            return
        text.expect(",")


def _table(text: _Text, depth: int = 0) -> Iterator[Row]:
    if depth > DEEPEST:
        raise JsonError("tables are nested too deeply")
    if text.take("}"):
        return
    while True:
        key = text.value()
        if not isinstance(key, str):
            raise JsonError(f"{key!r} in the place of a name")
        text.expect(":")
        if key.lower() in CONTAINERS and text.take("["):
            yield from _list(text)
        elif key.lower() in CONTAINERS and text.take("{"):
            yield from _table(text, depth + 1)
        else:
            yield from _of_key(key, text.value())
        if text.take("}"):
            return
        text.expect(",")


def _of_key(key: str, value: Any) -> Iterator[Row]:
    """`{key: value}`: of a file, or of a class and its files."""
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        yield from ({FILE: item, VALUE: key} for item in value)
    elif isinstance(value, dict):
        yield {FILE: key, **_flat(value)}
    else:
        yield {FILE: key, VALUE: value}


def _row(value: Any) -> Iterator[Row]:
    if isinstance(value, dict):
        yield _flat(value)
    elif isinstance(value, list) and len(value) == 2 and isinstance(value[0], str):
        yield {FILE: value[0], VALUE: value[1]}
    else:
        raise JsonError("not a list of [file, value] or of tables")


def _flat(value: dict[str, Any]) -> Row:
    """Tables in a table become columns with a dot in their names."""
    out: Row = {}
    for key, part in value.items():
        out |= {f"{key}.{k}": v for k, v in part.items()} if isinstance(part, dict) else {key: part}
    return out
