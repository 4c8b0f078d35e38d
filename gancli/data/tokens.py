"""Sequences of tokens, as a dataset: text."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np
import torch

from gancli.core.data import Batch, Dataset, Window
from gancli.core.specs import Tokens
from gancli.core.text import TextSamples
from gancli.data import cache

if TYPE_CHECKING:
    from gancli.core.data import Reading


@dataclass(frozen=True)
class Vocabulary:
    """What the tokens stand for. Token 0 is the padding, and stands for nothing."""

    words: tuple[str, ...]  # by token; characters, parts of words, or words
    separator: str = ""  # between two of them in a line: " " for words

    def decode(self, tokens: np.ndarray) -> tuple[str, ...]:
        """The lines of tokens [N, L]."""
        return tuple(self.separator.join(self.words[token] for token in row[row > 0]) for row in tokens)


@dataclass(frozen=True)
class TokenDataset(Dataset):
    """Lines of text as tokens, and a label of each, if there are any. Batches have the fields `tokens` and `label`."""

    tokens: np.ndarray  # uint16 or another type of whole number, [N, L], each 0 .. words of the vocabulary - 1
    vocabulary: Vocabulary
    labels: np.ndarray | None = None  # int64 [N]
    classes: tuple[str, ...] = ()  # names, by label

    @property
    def spec(self) -> Tokens:
        return Tokens(length=self.tokens.shape[1], vocabulary=len(self.vocabulary.words), classes=len(self.classes))

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

    def samples(self) -> TextSamples:
        return TextSamples(self.vocabulary.decode(self.tokens), self.labels)

    @property
    def strata(self) -> np.ndarray | None:
        return self.labels
