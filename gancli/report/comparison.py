"""Several runs' scores side by side, with the best of each marked, and what differs between their configurations below."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from gancli.core.printable import printable
from gancli.evaluation.contracts import Score
from gancli.evaluation.results import in_order
from gancli.report.console import Console
from gancli.report.scores import BETTER, compared, legend, number
from gancli.report.text import distinct

MOST = 8  # keys of the configurations that are shown
CLEAR = 2.0  # joint standard errors by which the best must be ahead
SIGN = {"lower": 1.0, "higher": -1.0}


def best(scores: Mapping[str, Score]) -> str | None:
    """The run that is ahead of every other by more than two joint standard errors. None where there is none, or no error is known."""
    sign = SIGN.get(next(iter(scores.values())).better)
    known = {name: s for name, s in scores.items() if s.error is not None and math.isfinite(s.value + s.error)}
    if sign is None or len(known) < max(2, len(scores)):
        return None
    (name, first), *others = sorted(known.items(), key=lambda item: sign * item[1].value)
    ahead = (sign * (s.value - first.value) > CLEAR * math.hypot(s.error or 0, first.error or 0) for _, s in others)
    return name if all(ahead) else None


def show(
    console: Console, rows: list[dict[str, Any]], p: Mapping[str, Any], different: dict[str, dict[str, Any]]
) -> bool:
    """Print the comparison, a column for each run, if all of them fit the terminal; returns whether they do.

    Args:
        console: to print to.
        rows: as `compare` gives them, with "better", "best" and "steps".
        p: the protocol, which all runs share.
        different: keys of the configurations that differ, and their values in each run.
    """
    order = in_order(row["score"] for row in rows)
    rows = sorted(rows, key=lambda row: order.index(row["score"]))
    names = list(rows[0]["steps"])
    shown = dict(list(different.items())[:MOST])
    labels = ["step", *(row["score"] for row in rows), *shown]
    arrows = ["", *(BETTER.get(row["better"], "") for row in rows), *("" for _ in shown)]
    references = ["", *(number(row["reference"]) for row in rows), *("" for _ in shown)]
    told = [dict(zip(names, distinct([of.get(name) for name in names], 24), strict=True)) for of in shown.values()]
    columns = {}
    for name in names:
        step = rows[0]["steps"][name]
        scores = [_told(row["runs"][name], row["best"] == name) for row in rows]
        values = [texts[name] for texts in told]
        columns[name] = [f"{step:,}" if isinstance(step, int) else "–", *_cells(scores), *values]
    fixed = max(map(len, labels)) + max(map(len, ("reference", *references))) + 7
    cell = max(len(text) for column in columns.values() for text in column)
    heads = {name: _folded(printable(name), cell) for name in names}
    each = max(cell, *(len(line) for head in heads.values() for line in head.split("\n"))) + 2
    if len(names) > max(2, (console.width - fixed) // each):
        return False
    console.say(compared(p), "bold")
    console.say("")
    table = [list(cells) for cells in zip(labels, arrows, references, *columns.values(), strict=True)]
    bold = {(i + 1, 3 + k) for i, row in enumerate(rows) for k, name in enumerate(names) if row["best"] == name}
    console.sheet(["score", "", "reference", *heads.values()], table, (2,), bold)
    console.say("")
    console.say(legend())
    if len(names) > 1:
        console.say("* is the best, by more than two joint standard errors of sampling; other seeds may differ.")
        more = len(different) - len(shown)
        console.say(
            f"Below the scores: what differs between the configurations{f', and {more} keys more' if more else ''}."
            if shown
            else "The configurations do not differ."
        )
    return True


def _told(score: Mapping[str, Any], best: bool) -> tuple[str, str, bool]:
    return number(score["value"]), number(score["error"]), best


def _cells(scores: list[tuple[str, str, bool]]) -> list[str]:
    """Value, error and mark, each below the other's."""
    of_value = max(len(value) for value, _, _ in scores)
    of_error = max(len(error) for _, error, _ in scores)
    errors = [" " * (of_error + 1) if error == "–" else f"±{error:<{of_error}}" for _, error, _ in scores]
    cells = zip(scores, errors, strict=True)
    return [f"{value:>{of_value}} {error}{'*' if mark else ' '}" for (value, _, mark), error in cells]


def _folded(name: str, width: int) -> str:
    """A name on several lines, each up to a dash, a dot or a slash where it can be."""
    pieces = re.findall(r"[^-./_]*[-./_]?", name)
    lines = [""]
    for piece in pieces:
        lines = [*lines[:-1], lines[-1] + piece] if len(lines[-1] + piece) <= width else [*lines, piece]
    return "\n".join(line for line in lines if line)
