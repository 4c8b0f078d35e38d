"""What metrics of text have in common: the lines of a set, their units, and tokens of a vocabulary of the training lines."""

from __future__ import annotations

from typing import Any

import numpy as np

from gancli.core.text import TextSamples, units
from gancli.data.tokens import Vocabulary
from gancli.evaluation.contracts import Inputs, SampleSet
from gancli.evaluation.ngrams import KneserNey

CHUNK = 4096  # lines
LONG = 16  # characters from which on a line is long
Rows = list[list[str]]  # the units of each line


def lines_of(samples: SampleSet[Any]) -> list[str]:
    """All lines of a set."""
    return [line for chunk in samples.chunks(CHUNK) for line in chunk.lines]


def are_words(samples: SampleSet[Any]) -> bool:
    """Whether the units of a set are words."""
    head: TextSamples = samples.take(np.arange(min(1, len(samples))))
    return head.words


class Text:
    """The lines of the inputs of a metric, and their units; those of the data are the words of the training set.

    Args:
        inputs: of the metric.
    """

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs
        self.words: bool = inputs.shared_by_reals("text words", lambda: are_words(inputs.train))
        self.fake: Rows = inputs.shared("text fake", lambda: self._rows(lines_of(inputs.fake)))
        self.real: Rows = inputs.shared_by_reals("text real", lambda: self._rows(lines_of(inputs.real)))

    @property
    def train(self) -> Rows:
        """The training lines."""
        found: Rows = self._inputs.shared_by_reals("text train", lambda: self._rows(lines_of(self._inputs.train)))
        return found

    def _rows(self, lines: list[str]) -> Rows:
        return [units(line, self.words) for line in lines]

    @property
    def vocabulary(self) -> Vocabulary:
        """That of the training lines. Units that these do not contain are unknown."""
        made: Vocabulary = self._inputs.shared_by_reals(
            "text vocabulary", lambda: Vocabulary.of_lines(self.train, self.words, 1)
        )
        return made

    def tokens(self, rows: Rows) -> np.ndarray:
        """Tokens of lines, each with its end."""
        return self.vocabulary.encode(rows, max(map(len, rows), default=0) + 1)

    def model(self, rows: Rows, order: int) -> KneserNey:
        """An n-gram model of lines."""
        return KneserNey(self.tokens(rows), len(self.vocabulary.words), order)

    @property
    def order(self) -> int:
        """The order of the model that scores lines: 5 of characters, 6 of long lines of them, 3 of words."""
        long = sum(map(len, self.train)) >= LONG * len(self.train)
        return 3 if self.words else 6 if long else 5


def per_token(log: np.ndarray, tokens: np.ndarray) -> tuple[float, float]:
    """Negative log-likelihood per token.

    Args:
        log: log-likelihood of each line, in nats [N].
        tokens: of each line [N].

    Returns:
        The ratio of the sums, and its standard error over lines (delta method).
    """
    value = -log.sum() / tokens.sum()
    spread = -log - value * tokens
    return float(value), float(spread.std(ddof=1) / (tokens.mean() * np.sqrt(len(log)))) if len(log) > 1 else np.nan
