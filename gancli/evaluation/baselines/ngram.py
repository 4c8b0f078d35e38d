"""`ngram`: lines sampled from interpolated Kneser-Ney n-gram models of the training lines, of several orders."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from gancli.core.samples import Samples
from gancli.core.seeds import derive
from gancli.core.text import TextSamples, units
from gancli.data.tokens import Vocabulary
from gancli.evaluation.contracts import Progress, silent
from gancli.evaluation.generative import Generative
from gancli.evaluation.ngrams import KneserNey, orders


class Ngram(Generative):
    name = "ngram"
    accepts: ClassVar[type[Samples]] = TextSamples

    def samples(self, train: Samples, n: int, seed: int, progress: Progress = silent) -> dict[str, Samples]:
        assert isinstance(train, TextSamples)
        rows = [units(line, train.words) for line in train.lines]
        vocabulary = Vocabulary.of_lines(rows, train.words, 1)
        tokens = vocabulary.encode(rows, max(map(len, rows), default=0) + 1)
        out: dict[str, Samples] = {}
        known = orders(train.words)
        for done, order in enumerate(known):
            progress("n-gram models", done, len(known))
            random = np.random.Generator(np.random.PCG64(derive(seed, self.name, order)))
            made = KneserNey(tokens, len(vocabulary.words), order).sample(n, random)
            out[f"{order}-gram"] = TextSamples(vocabulary.decode(made), words=train.words)
        progress("n-gram models", len(known), len(known))
        return out
