"""Sequences of tokens, as a dataset: text."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np
import torch

from gancli.core.data import Batch, Dataset, Window
from gancli.core.specs import Tokens
from gancli.core.text import TextSamples, units
from gancli.data import cache

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gancli.core.data import Reading

UNKNOWN = 1  # the token of units that are not in the vocabulary
UNKNOWN_WORD, UNKNOWN_CHARACTER = "<unk>", "\ufffd"
LONGEST = 64  # bytes of a unit; longer ones are unknown


@dataclass(frozen=True)
class Vocabulary:
    """What the tokens stand for. Token 0 is the end of a line and the padding after it, and stands for nothing."""

    words: tuple[str, ...]  # by token; characters, parts of words, or words
    separator: str = ""  # between two of them in a line: " " for words

    @classmethod
    def of_lines(cls, lines: Sequence[Sequence[str]], words: bool, least: int = 2) -> Vocabulary:
        """The vocabulary of lines.

        Args:
            lines: units of each training line.
            words: whether units are words.
            least: how often a unit has to occur; rarer ones are unknown.

        Returns:
            Token 0 is the end, token 1 unknown, then the units by their frequency.
        """
        counts = Counter(unit for line in lines for unit in line)
        unknown = UNKNOWN_WORD if words else UNKNOWN_CHARACTER
        found = (u for u, n in counts.items() if n >= least and u != unknown and len(u.encode()) <= LONGEST)
        known = sorted(found, key=lambda u: (-counts[u], u))
        return cls(("", unknown, *known), " " if words else "")

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The tokens by what they stand for."""
        return {word: i for i, word in enumerate(self.words) if i}

    def units(self, line: str) -> list[str]:
        """The units of a line: words if there is a separator, else characters."""
        return units(line, bool(self.separator))

    def encode(self, lines: Sequence[Sequence[str]], length: int) -> np.ndarray:
        """Tokens of lines.

        Args:
            lines: units of each line.
            length: of the sequences; longer lines are cut, shorter ones padded with 0.

        Returns:
            uint16, or uint32 for more than 65,536 tokens, [N, length].
        """
        numbers = self.numbers
        out = np.zeros((len(lines), length), np.uint16 if len(self.words) <= 2**16 else np.uint32)
        for row, line in zip(out, lines, strict=True):
            cut = [numbers.get(unit, UNKNOWN) for unit in line[:length]]
            row[: len(cut)] = cut
        return out

    def decode(self, tokens: np.ndarray) -> tuple[str, ...]:
        """The lines of tokens [N, L]."""
        return tuple(self.separator.join(self.words[token] for token in row[row > 0]) for row in tokens)


@dataclass(frozen=True)
class TokenDataset(Dataset):
    """Lines of text as tokens, and a label of each, if there are any. Batches have the fields `tokens` and `label`."""

    tokens: np.ndarray  # uint16 or another type of integer, [N, L], each 0 .. words of the vocabulary - 1
    vocabulary: Vocabulary
    labels: np.ndarray | None = None  # int64 [N]
    classes: tuple[str, ...] = ()  # names, by label

    @property
    def spec(self) -> Tokens:
        words, separator = self.vocabulary.words, self.vocabulary.separator
        classes = len(self.classes)
        return Tokens(
            length=self.tokens.shape[1], vocabulary=len(words), classes=classes, words=words, separator=separator
        )

    @cached_property
    def fingerprint(self) -> str:
        """Of tokens, labels and the vocabulary."""
        text = (self.vocabulary.words, self.vocabulary.separator)
        return cache.fingerprint("tokens", self.tokens.dtype.str, self.tokens, self.labels, self.classes, *text)

    def __len__(self) -> int:
        return len(self.tokens)

    def batch(self, window: Window) -> Batch:
        index = window.indices(len(self)).numpy()
        fields = {"tokens": torch.from_numpy(self.tokens[index].astype(np.int64))}
        if self.labels is not None:
            fields["label"] = torch.from_numpy(self.labels[index])
        return Batch(fields)

    def take(self, index: np.ndarray | slice, how: Reading | None = None) -> Self:  # noqa: ARG002 - tokens are small
        labels = None if self.labels is None else self.labels[index]
        return replace(self, tokens=self.tokens[index], labels=labels)

    @cached_property
    def _samples(self) -> TextSamples:
        return TextSamples(self.vocabulary.decode(self.tokens), self.labels, bool(self.vocabulary.separator))

    def samples(self) -> TextSamples:
        return self._samples

    @property
    def strata(self) -> np.ndarray | None:
        return self.labels
