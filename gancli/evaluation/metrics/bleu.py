"""BLEU of samples against held-out lines, the reverse, and self-BLEU (1802.01886), all for n-grams up to 2, 3, 4 and 5.

    bleu-n            mean sentence BLEU of the samples, all held-out lines are references: quality
    reverse-bleu-n    mean sentence BLEU of the held-out lines, all samples are references: variety
    self-bleu-n       mean sentence BLEU of the samples, all other samples are references: lack of variety

Sentence BLEU has equal weights and adds .1 to numerators of 0 (method 1 of Chen and Cherry 2014, as NLTK). Values grow with the number
of references. BLEU rewards short and safe lines, self-BLEU rewards noise: they are to be read together, as a curve over temperature.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import ClassVar

import numpy as np
from pydantic import Field

from gancli.core.samples import Samples
from gancli.core.text import TextSamples
from gancli.evaluation.contracts import Inputs, Metric, Score
from gancli.evaluation.lines import Rows, Text
from gancli.evaluation.metrics.resampling import standard_error

ORDERS = (2, 3, 4, 5)
EPSILON = 0.1  # of smoothing
KINDS = {
    "bleu": ("samples", "held-out lines", "reference"),
    "reverse-bleu": ("held-out lines", "samples", "reference"),
    "self-bleu": ("samples", "other samples", "reference"),
}


class References:
    """Lines that others are compared with: of each n-gram, how often it occurs at most in a line, and in which.

    Args:
        rows: units of each line.
    """

    def __init__(self, rows: Rows) -> None:
        self.lengths = Counter(map(len, rows))
        self._sorted = sorted(self.lengths)
        self._most: dict[tuple[str, ...], tuple[int, int, int]] = {}  # most often, by which line, most in any other
        for number, row in enumerate(rows):
            for gram, n in _counts(row).items():
                best, line, other = self._most.get(gram, (0, -1, 0))
                self._most[gram] = (n, number, best) if n > best else (best, line, max(other, n))

    def most(self, gram: tuple[str, ...], without: int | None = None) -> int:
        """How often an n-gram occurs at most in a line; `without`: in any line but this."""
        best, line, other = self._most.get(gram, (0, -1, 0))
        return other if line == without else best

    def closest(self, length: int, without: bool = False) -> int:
        """The length of a line that is closest to a length, the shorter of two; `without`: one line of this length does not count."""
        if self.lengths[length] > int(without):
            return length
        at = bisect_left(self._sorted, length)
        near = self._sorted[max(0, at - 1) : at + 2]
        return min((n for n in near if n != length), key=lambda n: (abs(n - length), n), default=length)


def sentence_bleu(row: list[str], references: References, without: int | None = None) -> np.ndarray:
    """Sentence BLEU for n-grams up to each of `ORDERS`.

    Args:
        row: units of the line.
        references: other lines.
        without: the number of this line among the references, which then does not count.

    Returns:
        float64 [4].
    """
    hits, counts = np.zeros(max(ORDERS)), _counts(row)
    for gram, n in counts.items():
        hits[len(gram) - 1] += min(n, references.most(gram, without))
    if not row or hits[0] == 0:
        return np.zeros(len(ORDERS))
    sizes = np.maximum(len(row) - np.arange(max(ORDERS)), 1)
    logs = np.log(np.where(hits > 0, hits, EPSILON) / sizes)
    closest = references.closest(len(row), without is not None)
    brevity = min(0.0, 1 - closest / len(row))
    return np.array([np.exp(logs[:n].mean() + brevity) for n in ORDERS])


def _counts(row: list[str]) -> Counter[tuple[str, ...]]:
    return Counter(tuple(row[i : i + n]) for n in range(1, max(ORDERS) + 1) for i in range(len(row) - n + 1))


class BLEU(Metric):
    name = "bleu"
    accepts: ClassVar[type[Samples]] = TextSamples
    gives = tuple(f"{kind}-{n}" for kind in KINDS for n in ORDERS)
    space = "ngrams"
    rank = 20
    scores_baselines = True
    most: int = Field(1_000, ge=2, description="lines of each side, at most")

    def compute(self, inputs: Inputs) -> dict[str, Score]:
        text = Text(inputs)
        fake, real = text.fake[: self.most], text.real[: self.most]
        samples, data = References(fake), inputs.shared_by_reals("bleu references", lambda: References(real))
        values = {
            "bleu": np.stack([sentence_bleu(row, data) for row in fake]),
            "reverse-bleu": np.stack([sentence_bleu(row, samples) for row in real]),
            "self-bleu": np.stack([sentence_bleu(row, samples, i) for i, row in enumerate(fake)]),
        }
        out = {}
        for kind, (lines, others, better) in KINDS.items():
            for i, n in enumerate(ORDERS):
                of, references = (len(real if "held" in name else fake) for name in (lines, others))
                meaning = f"BLEU-{n} of {of:,} {lines} against {references:,} {others}"
                found = values[kind][:, i]
                error = standard_error(found)
                out[f"{kind}-{n}"] = Score(float(found.mean()), meaning, better, error, "analytic, over lines")  # type: ignore[arg-type]
        return out
