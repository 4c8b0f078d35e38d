"""Tables of text beside pictures: rows of column and value, from CSV with any separator, JSON and JSON lines.

They are read as a stream under caps, so that no table takes much memory or time, whatever it holds.
"""

from __future__ import annotations

import codecs
import csv
import itertools
from typing import TYPE_CHECKING, Any

from gancli.core.errors import DataError
from gancli.data import jsonrows
from gancli.data.decode import BrokenImageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from gancli.data.collection import FileCollection

    IsFile = Callable[[Any], bool]

LARGEST, PER_PICTURE = 32 * 2**20, 4096  # bytes
LARGEST_LINE = 2**20  # characters
MOST_COLUMNS = 4096
MORE_ROWS = 100_000  # than eight for each picture
LINES = 4  # of a row: a quoted cell may have several
MORE_CELLS = 1_000_000  # than those of eight rows for each picture
LOOKED_AT = 20  # lines, for the separator
SEPARATORS = (",", ";", "\t", "|", None)  # None: blanks
SUFFIXES = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson")
REMEDY = "a line per picture: file,label or file,attribute,... in labels.csv"

Row = dict[str, Any]


def read(files: FileCollection, name: str, where: str, pictures: int, is_file: IsFile) -> Iterator[Row]:
    """The rows of a table.

    Args:
        files: that it is among.
        name: of the file; its suffix is one of `SUFFIXES`.
        where: it is, for messages.
        pictures: their number, which bounds that of the rows.
        is_file: whether a cell names a picture; a first line with such a cell is no header.

    Raises:
        DataError: it cannot be read, or is more than a table of so many pictures can be.
    """
    chunks = files.chunks(name, LARGEST + PER_PICTURE * pictures, 2**16)
    most, most_cells = 8 * pictures + MORE_ROWS, 8 * MOST_COLUMNS * pictures + MORE_CELLS
    cells = 0
    try:
        for number, row in enumerate(_rows(chunks, name, where, is_file, LINES * most), 1):
            cells += len(row)
            if cells > most_cells:
                raise DataError(f"{where} has more than {most_cells:,} cells, for {pictures:,} pictures", REMEDY)
            if number > most:
                raise DataError(f"{where} has more than {most:,} rows, for {pictures:,} pictures", REMEDY)
            if len(row) > MOST_COLUMNS:
                raise DataError(f"{where} has more than {MOST_COLUMNS:,} columns", REMEDY)
            yield row
    except BrokenImageError as error:
        raise DataError(f"{where} cannot be read: {error}", REMEDY) from None
    except UnicodeDecodeError:
        raise DataError(f"{where} is not UTF-8 text", "save it as UTF-8") from None
    except jsonrows.JsonError as error:
        form = '{"labels": [[file, class or list of numbers], ...]}'
        raise DataError(f"{where} is not JSON of a known form: {error}", form) from None
    except csv.Error as error:
        raise DataError(f"{where}: {error}", REMEDY) from None


def _rows(chunks: Iterable[bytes], name: str, where: str, is_file: IsFile, lines: int) -> Iterator[Row]:
    if name.lower().endswith((".jsonl", ".ndjson")):
        return jsonrows.lines(chunks)
    if name.lower().endswith(".json"):
        return jsonrows.rows(chunks)
    return _csv(_lines(chunks, where, lines), where, is_file)


def _lines(chunks: Iterable[bytes], where: str, most: int) -> Iterator[str]:
    """Lines with their ends, at most so many."""
    decoder, rest, count = codecs.getincrementaldecoder("utf-8-sig")(), "", 0
    for chunk in itertools.chain(chunks, [b""]):
        text = rest + decoder.decode(chunk, not chunk)
        whole = text.splitlines(keepends=True) if "\r" in text else text.split("\n")
        if "\r" not in text:
            whole = [f"{line}\n" for line in whole[:-1]] + whole[-1:]
        rest = whole.pop() if chunk and whole else ""
        count += len(whole)
        if count > most:
            raise DataError(f"{where} has more than {most:,} lines", REMEDY)
        if max(map(len, [rest, *whole])) > LARGEST_LINE:
            raise DataError(f"{where} has a line of more than {LARGEST_LINE:,} characters", REMEDY)
        yield from whole


def _csv(lines: Iterator[str], where: str, is_file: IsFile) -> Iterator[Row]:
    first = [line for line in itertools.islice(lines, LOOKED_AT) if line.strip()]
    separator = _separator(first, is_file)
    rows = _split(itertools.chain(first, lines), separator)
    cells: list[str] = next(rows, [])
    if len(cells) == 1 and cells[0].isdigit():  # CelebA: the number of the pictures
        cells = next(rows, [])
    second = next(rows, [])
    if separator is None and len(cells) + 1 == len(second):  # CelebA: no name for the column of files
        cells = ["", *cells]
    if max(len(cells), len(second)) < 2:
        raise DataError(f"{where} has no header with at least two columns", REMEDY)
    if len(cells) > MOST_COLUMNS:
        raise DataError(f"{where} has more than {MOST_COLUMNS:,} columns", REMEDY)
    rest: Iterable[list[str]] = [second] if second else []
    if any(map(is_file, cells)):
        rest, cells = [cells, *rest], [str(i) for i in range(len(cells))]
    names = _unlike(cells)
    for number, row in enumerate(itertools.chain(rest, rows), 2):
        if len(row) != len(names):
            raise DataError(f"{where}: line {number} has {len(row)} columns, not {len(names)}", REMEDY)
        yield dict(zip(names, row, strict=True))


def _separator(lines: list[str], is_file: IsFile) -> str | None:
    """The one that cuts all lines into equally many columns, at least two; where there are several, one that gives names of files."""
    best: tuple[bool, int, str | None] = (False, 1, ",")
    for separator in SEPARATORS:
        if separator is None and best[1] > 1:
            break
        try:
            table = list(_split(iter(lines), separator))
        except csv.Error:
            continue
        body = table[2:] or table[1:] or table  # a header may be shorter, and CelebA's has a line before it
        widths = {len(row) for row in body}
        if len(widths) == 1 and (width := widths.pop()) > 1:
            best = max(best, (any(map(is_file, body[0])), width, separator), key=lambda found: found[:2])
    return best[2]


def _split(lines: Iterator[str], separator: str | None) -> Iterator[list[str]]:
    """Cells of lines that are not empty, without the blanks around them."""
    if separator is None:
        return (line.split() for line in lines if line.strip())
    rows = csv.reader(lines, delimiter=separator, strict=True, skipinitialspace=True)
    return ([cell.strip() for cell in row] for row in rows if any(row))


def _unlike(names: list[str]) -> list[str]:
    """Names of columns, of which no two are the same."""
    seen: set[str] = set()
    out = []
    for i, name in enumerate(names):
        out.append(f"{name or 'column'} {i}" if name in seen or not name else name)
        seen.add(out[-1])
    return out
