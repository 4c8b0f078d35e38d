"""Standard output: results, as one JSON object or as tables and lines. Messages go to standard error (`console.py`)."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from rich.console import Console as Rich
from rich.console import ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from gancli.core.printable import printable
from gancli.report.text import lines


@dataclass(frozen=True)
class _Printable:
    """A table whose cells are printable, wherever their texts are from."""

    table: Table

    def __rich_console__(self, console: Rich, options: ConsoleOptions) -> RenderResult:
        for text, style, control in console.render(self.table, options):
            yield Segment(text if control else printable(text, breaks=True), style, control)


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
            text = "".join(f"{k:<{width}}  {lines(v)}\n" for k, v in value.items())
            sys.stdout.write(re.sub(r" +\n", "\n", text))

    def dump(self, value: Any) -> None:
        """Print JSON."""
        sys.stdout.write(json.dumps(value) + "\n")

    @property
    def width(self) -> int:
        """Columns of the terminal."""
        return Rich().width

    @property
    def wide(self) -> bool:
        """Whether a line holds more than a table of numbers."""
        return self.width >= 110

    def table(self, table: Table) -> None:
        """Print a table."""
        Rich(soft_wrap=False, highlight=False).print(_Printable(table))

    def say(self, text: str, style: str = "") -> None:
        """Print a line."""
        out = Rich(highlight=False, emoji=False)
        out.print(printable(text), style=style, markup=False, soft_wrap=not out.is_terminal)

    def sheet(
        self,
        heads: list[str],
        rows: list[list[str]],
        right: Collection[int] = (),
        bold: Collection[tuple[int, int]] = (),
    ) -> None:
        """Print a table of text; `right` columns are aligned right, `bold` cells are bold."""
        table = Table(box=None, pad_edge=False, header_style="bold")
        for i, head in enumerate(heads):
            words = [word for row in rows for word in row[i].split()]
            least = max(map(len, (*words, *head.split())), default=0)
            side = "right" if i in right else "left"
            table.add_column(Text(head), justify=side, style="" if i else "cyan", min_width=least, no_wrap=not i)  # type: ignore[arg-type]
        for i, row in enumerate(rows):
            table.add_row(*(Text(cell, "bold" if (i, j) in bold else "") for j, cell in enumerate(row)))
        self.table(table)
