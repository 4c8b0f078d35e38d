"""Jensen-Shannon divergence of the n-grams of samples and of held-out lines, n = 1 to 4 (1704.00028, section 5.3), base 2.

It depends on the number of samples, so the reference has as many. An n-gram counts within a line; the end of a line is a token.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from gancli.core.samples import Samples
from gancli.core.text import TextSamples
from gancli.evaluation.contracts import Chart, Inputs, Metric, Score
from gancli.evaluation.lines import Text
from gancli.evaluation.metrics.resampling import GROUPS, HOW, groups_of, jackknife

LARGEST = 4
CHART = Chart("n-gram JSD", "blue: samples, gray: real lines")


class JSD(Metric):
    name = "jsd"
    accepts: ClassVar[type[Samples]] = TextSamples
    gives = tuple(f"jsd-{n}" for n in range(1, LARGEST + 1))
    space = "ngrams"
    rank = 14
    scores_baselines = True
    charts: ClassVar[dict[str, Chart]] = dict.fromkeys(gives, CHART)

    def compute(self, inputs: Inputs) -> dict[str, Score]:
        text = Text(inputs)
        fake, real = text.tokens(text.fake), text.tokens(text.real)
        out = {}
        for n in range(1, LARGEST + 1):
            a, b = tallies(fake, real, n, len(text.vocabulary.words))
            meaning = f"divergence of {n}-grams, {len(fake):,} samples, {len(real):,} held-out lines"
            error = jackknife(lambda k, a=a, b=b: _without(a, b, k), min(len(fake), len(real)))  # type: ignore[misc]
            out[f"jsd-{n}"] = Score(divergence(a.sum(0), b.sum(0)), meaning, "lower", error, HOW)
        return out


def tallies(fake: np.ndarray, real: np.ndarray, n: int, vocabulary: int) -> tuple[np.ndarray, np.ndarray]:
    """How often each n-gram occurs in each group of lines.

    Args:
        fake: tokens [N, L], 0 at the end of each line and after it.
        real: tokens [M, L'].
        n: of the n-grams.
        vocabulary: number of tokens.

    Returns:
        Of both sides, [G, K] for the K n-grams that occur.
    """
    found = [_grams(side, n, vocabulary) for side in (fake, real)]
    _, numbers = np.unique(np.concatenate([keys for keys, _ in found]), axis=0, return_inverse=True)
    size, cut = int(numbers.max(initial=0)) + 1, len(found[0][0])
    out = []
    for (_, line), own, side in zip(found, (numbers[:cut], numbers[cut:]), (fake, real), strict=True):
        group = groups_of(len(side))[line]
        out.append(np.bincount(group * size + own, minlength=GROUPS * size).reshape(GROUPS, size))
    return out[0], out[1]


def _grams(tokens: np.ndarray, n: int, vocabulary: int) -> tuple[np.ndarray, np.ndarray]:
    """Keys of all n-grams, int64 [P], and their lines [P]."""
    size = np.minimum((tokens > 0).sum(1) + 1, tokens.shape[1])
    line, place = np.nonzero(np.arange(tokens.shape[1]) < size[:, None] - (n - 1))
    key = np.zeros(len(line), np.int64)
    for k in range(n):  # of more than 55,000 tokens, 4-grams wrap around: some keys then mean two of them
        key = key * (vocabulary + 1) + tokens[line, place + k]
    return key, line


def divergence(a: np.ndarray, b: np.ndarray) -> float:
    """The Jensen-Shannon divergence of two distributions given by counts [K], in bits."""
    p, q = (c / max(1, c.sum()) for c in (a, b))
    middle = (p + q) / 2

    def relative(x: np.ndarray) -> float:
        there = x > 0
        return float((x[there] * np.log2(x[there] / middle[there])).sum())

    return (relative(p) + relative(q)) / 2


def _without(a: np.ndarray, b: np.ndarray, group: int) -> float:
    return divergence(a.sum(0) - a[group], b.sum(0) - b[group])
