"""What can be said of lines without a model: how many are unique, how many are copies of training lines, how near these are.

    unique          share of distinct lines among the samples
    copies          share of samples that are training lines
    copied-span     mean length, in units, of the longest part of a sample that a training line contains
    nearest-line    mean edit distance to the nearest training line, as a share of the length
    valid-words     share of words that training lines contain
    length-jsd      Jensen-Shannon divergence of the lengths

The reference of all but the last is that of held-out lines: what lines have in common with the training set that were not copied.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from gancli.core.samples import Samples
from gancli.core.text import TextSamples
from gancli.evaluation.contracts import Inputs, Metric, Score
from gancli.evaluation.lines import Rows, Text
from gancli.evaluation.metrics.jsd import divergence
from gancli.evaluation.metrics.resampling import binomial, standard_error

WORD = 64  # units of a line that are compared with others; bits of an integer
OVER = "analytic, over lines"


class Lines(Metric):
    name = "lines"
    accepts: ClassVar[type[Samples]] = TextSamples
    gives = ("unique", "copies", "copied-span", "nearest-line", "valid-words", "length-jsd")
    space = "lines"
    rank = 30
    headlines = ("unique", "copies")
    scores_baselines = True
    compared: int = Field(100, ge=1, description="samples of which the nearest training line is searched")

    def compute(self, inputs: Inputs) -> dict[str, Score]:
        text = Text(inputs)
        return {**self._scores(text, text.fake, inputs), "length-jsd": _lengths(text)}

    def baselines(self, inputs: Inputs) -> dict[str, dict[str, Score]]:
        text = Text(inputs)
        real = self._scores(text, text.real, inputs)
        real["length-jsd"] = _lengths(Text(inputs.reference))
        return {"reference": real, **{name: self.compute(other) for name, other in inputs.baselines.items()}}

    def _scores(self, text: Text, rows: Rows, inputs: Inputs) -> dict[str, Score]:
        separator = " " if text.words else ""
        lines, train = ([separator.join(row) for row in some] for some in (rows, text.train))
        known = inputs.shared_by_reals("text set", lambda: set(train))
        words = inputs.shared_by_reals("text of words", lambda: {w for line in train for w in line.split()})
        whole = inputs.shared_by_reals("text as one", lambda: "\n".join(f"{separator}{x}{separator}" for x in train))
        some = rows[: self.compared]
        spans = np.array([longest_span(row, whole, separator) for row in some], np.float64)
        near = inputs.shared_by_reals("text nearest", lambda: Nearest(text.train))
        apart = np.array([near(row) / max(1, len(row)) for row in some])
        copied = np.array([line in known for line in lines])
        valid = np.array([np.mean([w in words for w in line.split()] or [False]) for line in lines])
        n = len(lines)
        unique, copies = len(set(lines)) / max(1, n), float(copied.mean())
        return {
            "unique": Score(unique, f"share of distinct lines among {n:,}", "higher", binomial(unique, n), "binomial"),
            "copies": Score(copies, "share of samples that are training lines", "reference", binomial(copies, n), "binomial"),
            "copied-span": Score(
                float(spans.mean()), "units of the longest part that a training line contains", "reference",
                standard_error(spans), OVER,
            ),
            "nearest-line": Score(
                float(apart.mean()), "edit distance to the nearest training line, as a share of the length", "reference",
                standard_error(apart), OVER,
            ),
            "valid-words": Score(
                float(valid.mean()), "share of words that training lines contain", "reference", standard_error(valid), OVER
            ),
        }  # fmt: skip


def _lengths(text: Text) -> Score:
    size = max(map(len, (*text.fake, *text.real)), default=0) + 1
    fake, real = (np.bincount([len(row) for row in rows], minlength=size) for rows in (text.fake, text.real))
    return Score(divergence(fake, real), "divergence of the lengths of lines", "lower")


def longest_span(row: list[str], whole: str, separator: str) -> int:
    """The units of the longest part of a line that a text contains.

    Args:
        row: units of the line.
        whole: the text; of words, with a space before and after each.
        separator: between units.
    """
    best, end = 0, 0
    for first in range(len(row)):
        end = max(end, first + best + 1)
        while end <= len(row) and f"{separator}{separator.join(row[first:end])}{separator}" in whole:
            best = end - first
            end += 1
        if len(row) - first - 1 <= best:
            break
    return best


class Nearest:
    """The edit distance (Levenshtein) to the nearest of many lines, by the bit-parallel algorithm of Myers (1999), all lines at once.

    Args:
        rows: units of each line; no more than 64 of a line are compared.
    """

    def __init__(self, rows: Rows) -> None:
        names = sorted({unit for row in rows for unit in row})
        self._numbers = {name: i for i, name in enumerate(names)}
        self._size = np.array([min(len(row), WORD) for row in rows])
        order = np.argsort(-self._size, kind="stable")
        self._size = self._size[order]
        self._rows = np.full((len(rows), max(1, int(self._size.max(initial=0)))), len(names), np.int64)
        for i, at in enumerate(order.tolist()):
            row = rows[at][:WORD]
            self._rows[i, : len(row)] = [self._numbers[unit] for unit in row]

    def __call__(self, row: list[str]) -> int:
        """The distance of a line."""
        row = row[:WORD]
        m = len(row)
        if not m:
            return int(self._size.min(initial=WORD))
        masks = np.zeros(len(self._numbers) + 1, np.uint64)
        for i, unit in enumerate(row):
            if unit in self._numbers:
                masks[self._numbers[unit]] |= np.uint64(1 << i)
        one, last = np.uint64(1), np.uint64(1 << (m - 1))
        pv = np.full(len(self._rows), np.uint64(2**64 - 1))
        mv = np.zeros(len(self._rows), np.uint64)
        score = np.full(len(self._rows), m)
        for j in range(self._rows.shape[1]):
            n = int(np.searchsorted(-self._size, -j, side="left"))  # lines that are longer than j
            p, q = pv[:n], mv[:n]
            eq = masks[self._rows[:n, j]]
            xv, xh = eq | q, (((eq & p) + p) ^ p) | eq
            ph, mh = q | ~(xh | p), p & xh
            score[:n] += ((ph & last) > 0).astype(np.int64) - ((mh & last) > 0)
            ph, mh = (ph << one) | one, mh << one
            pv[:n], mv[:n] = mh | ~(xv | ph), ph & xv
        return int(score.min())
