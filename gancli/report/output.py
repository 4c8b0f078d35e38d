"""Standard output: results, as one JSON object or as tables and lines. Messages go to standard error (`console.py`)."""

from __future__ import annotations

import json
import re
import sys
import textwrap
from collections.abc import Collection, Sequence
from typing import Any

from rich.console import Console as Rich
from rich.table import Table
from rich.text import Text

from gancli.core.printable import printable
from gancli.core.text import JOINER
from gancli.report.text import encodable, lines

PROSE = 30  # characters that prose in a column needs at least
GAP = 2  # between columns


class Output:
    """The results of a command.

    Args:
        json: print JSON instead of tables.
        rank: of several ranks only the first, 0, prints results.
    """

    def __init__(self, json: bool = False, rank: int = 0) -> None:
        self.json, self.rank = json, rank

    def result(self, value: dict[str, Any], only_json: bool = False) -> None:
        """Print a result: one JSON object, or lines."""
        if self.rank:
            return
        if self.json:
            self.dump(value)
        elif not only_json:
            width = max(map(len, value), default=0)
            text = "".join(f"{printable(k):<{width}}  {lines(v)}\n" for k, v in value.items())
            sys.stdout.write(re.sub(r" +\n", "\n", text))

    def dump(self, value: Any) -> None:
        """Print JSON."""
        sys.stdout.write(json.dumps(value) + "\n")

    def print_lines(self, texts: Sequence[str]) -> None:
        """Print samples of text, a line each. Nothing in them acts on the terminal; joined emoji stay joined."""
        for text in texts:
            shown = JOINER.join(self._shown(part) for part in text.split(JOINER))
            sys.stdout.write(f"{encodable(shown, self.encoding)}\n")

    @property
    def width(self) -> int:
        """Columns of the terminal."""
        return Rich().width

    @property
    def encoding(self) -> str | None:
        """The encoding of standard output."""
        return getattr(sys.stdout, "encoding", None)

    def _shown(self, text: str, breaks: bool = False) -> str:
        """A text without control characters, in the characters of the stream."""
        return encodable(printable(text, breaks), self.encoding)

    def say(self, text: str, style: str = "") -> None:
        """Print a line."""
        out = Rich(highlight=False, emoji=False)
        out.print(self._shown(text), style=style, markup=False, soft_wrap=not out.is_terminal)

    def sheet(
        self,
        heads: list[str],
        rows: list[list[str]],
        right: Collection[int] = (),
        bold: Collection[tuple[int, int]] = (),
        leave_out: Sequence[int] = (),
    ) -> None:
        """Print a table of text. Nothing in it is ever cut: in a narrow terminal columns are left out, or rows become blocks.

        Args:
            heads: of the columns.
            rows: of cells.
            right: columns that are aligned right.
            bold: cells that are bold, as (row, column).
            leave_out: columns that need not be shown, the first first. Prose in them gets at least 30 columns.
        """
        cells = [[self._shown(cell, breaks=not i) for cell in row] for i, row in enumerate((heads, *rows))]
        least = [self._least([row[i] for row in cells], i, i in leave_out) for i in range(len(heads))]
        kept = list(range(len(heads)))
        for column in leave_out:
            if _width(least, kept) > self.width:
                kept.remove(column)
        if _width(least, kept) > self.width:
            self._blocks(cells[0], cells[1:])
            return
        widths = self._widths(cells, least, kept)
        table = Table(box=None, pad_edge=False, header_style="bold")
        for i in kept:
            side: Any = "right" if i in right else "left"
            table.add_column(Text(cells[0][i]), justify=side, style="" if i else "cyan", width=widths[i], no_wrap=not i)
        for number, row in enumerate(cells[1:]):
            table.add_row(*(Text(row[i], "bold" if (number, i) in bold else "") for i in kept))
        Rich(soft_wrap=False, highlight=False).print(table)

    @staticmethod
    def _least(cells: list[str], column: int, optional: bool) -> int:
        """The characters that a column needs: those of its longest word, of the first column those of its longest cell."""
        longest = max(len(line) for cell in cells for line in cell.split("\n"))
        if not column:
            return longest
        words = max((len(word) for cell in cells for word in cell.split()), default=0)
        return max(words, min(longest, PROSE)) if optional else words

    def _widths(self, cells: list[list[str]], least: list[int], kept: list[int]) -> list[int]:
        """The widths of columns: those of their longest lines, the widest prose shortened until the table fits."""
        widths = [max(len(line) for row in cells for line in row[i].split("\n")) for i in range(len(least))]
        while _width(widths, kept) > self.width:
            widest = max(kept, key=lambda i: (widths[i] > least[i], widths[i]))
            widths[widest] = max(least[widest], widths[widest] - 1)
        return widths

    def _blocks(self, heads: list[str], rows: list[list[str]]) -> None:
        """A table that is too wide: of each row its first cell, and below it the others, each behind its head."""
        margin = 4 + max(map(len, heads[1:]), default=0)
        for first, *others in rows:
            self.say(first, "cyan")
            for head, cell in zip(heads[1:], others, strict=True):
                if cell:
                    lines = textwrap.wrap(cell, max(20, self.width - margin), break_long_words=False)
                    name = head.replace("\n", "")
                    for i, line in enumerate(lines):
                        self.say(f"  {'' if i else name:<{margin - 4}}  {line}")


def _width(least: Sequence[int], kept: Sequence[int]) -> int:
    return sum(least[i] for i in kept) + GAP * (len(kept) - 1)
