"""Interpolated Kneser-Ney n-gram models (Kneser and Ney 1995; Chen and Goodman 1999, equation 27) of lines of text.

    p_k(w | h) = max(c(h w) - d, 0) / c(h) + d N(h) / c(h) p_k-1(w | h')          p_0 = 1 / V

h' is h without its first token, c(h) the sum of c(h w) over w, and N(h) the number of w with c(h w) > 0. c counts occurrences in
the longest contexts and in those that begin a line, and in the others the number of tokens that precede h w.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

DISCOUNT = 0.75
END = 0  # token of the end of a line


@dataclass(frozen=True)
class _Level:
    """The contexts of one length, and the counts of what follows them."""

    contexts: np.ndarray  # int64 [C], sorted: number of the context one token shorter * (V + 1) + the token before it
    pairs: np.ndarray  # int64 [P], sorted: number of the context * V + token
    counts: np.ndarray  # float64 [P]
    total: np.ndarray  # float64 [C], c(h)
    kinds: np.ndarray  # float64 [C], N(h)
    first: np.ndarray  # int64 [C + 1], where the pairs of a context begin
    mass: np.ndarray  # float64 [P + 1], cumulative counts less discount


class KneserNey:
    """An n-gram model of lines.

    Args:
        tokens: integers [N, L], 0 at the end of each line and after it.
        vocabulary: number of tokens V.
        order: n, the tokens of an n-gram.
        discount: d.
    """

    def __init__(self, tokens: np.ndarray, vocabulary: int, order: int, discount: float = DISCOUNT) -> None:
        self.vocabulary, self.order, self.discount = vocabulary, order, discount
        self.length = tokens.shape[1]
        targets, before, place, _ = _positions(tokens, order, vocabulary)
        numbers = np.zeros(len(targets), np.int64)
        found: list[
            tuple[np.ndarray, np.ndarray, np.ndarray]
        ] = []  # contexts, number of each position, whether it has one
        for k in range(order):
            valid = place + 1 >= k  # the line before it is long enough, with its begin
            contexts = np.zeros(1, np.int64)
            if k:
                key = numbers * (vocabulary + 1) + before[:, k - 1]
                contexts, inverse = np.unique(key[valid], return_inverse=True)
                numbers = np.zeros(len(targets), np.int64)
                numbers[valid] = inverse
            found.append((contexts, numbers, valid))
        self.levels = [self._level(found, k, targets) for k in range(order)]

    def _level(self, found: list[tuple[np.ndarray, np.ndarray, np.ndarray]], k: int, targets: np.ndarray) -> _Level:
        contexts, numbers, valid = found[k]
        keys = numbers * self.vocabulary + targets
        pairs, raw = np.unique(keys[valid], return_counts=True)
        counts = raw.astype(np.float64)
        if k + 1 < self.order:  # distinct tokens before, but for contexts that begin a line
            _, longer, has = found[k + 1]
            _, one = np.unique(longer[has] * self.vocabulary + targets[has], return_index=True)
            extended, times = np.unique(keys[has][one], return_counts=True)
            counts[np.searchsorted(pairs, extended)] = times
        of = pairs // self.vocabulary
        size = len(contexts)
        first = np.searchsorted(of, np.arange(size + 1))
        total = np.bincount(of, counts, size)
        mass = np.concatenate([[0.0], np.cumsum(counts - self.discount)])
        return _Level(contexts, pairs, counts, total, np.diff(first).astype(np.float64), first, mass)

    def log_probabilities(self, tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log-likelihoods of lines.

        Args:
            tokens: integers [N, L].

        Returns:
            Of each line, float64 [N], in nats, and the number of its tokens [N], the end included.
        """
        targets, before, place, line = _positions(tokens, self.order, self.vocabulary)
        p = np.full(len(targets), 1 / self.vocabulary)
        numbers, known = np.zeros(len(targets), np.int64), np.ones(len(targets), bool)
        for k, level in enumerate(self.levels):
            if k:
                key = numbers * (self.vocabulary + 1) + before[:, k - 1]
                at, there = _found(level.contexts, key)
                numbers, known = at, known & there & (place + 1 >= k)
            at, there = _found(level.pairs, numbers * self.vocabulary + targets)
            here = np.maximum(np.where(there, level.counts[at], 0) - self.discount, 0)
            mixed = (here + self.discount * level.kinds[numbers] * p) / level.total[numbers]
            p = np.where(known, mixed, p)
        n = len(tokens)
        return np.bincount(line, np.log(p), n), np.bincount(line, minlength=n)

    def sample(self, n: int, random: np.random.Generator) -> np.ndarray:
        """Sample lines, at most as long as the training lines.

        Args:
            n: number of lines.
            random: source of random numbers.

        Returns:
            int64 [n, L].
        """
        out = np.zeros((n, self.length), np.int64)
        alive = np.arange(n)
        for i in range(self.length):
            if not len(alive):
                break
            history = np.full((len(alive), self.order - 1), self.vocabulary, np.int64)
            m = min(i, self.order - 1)
            history[:, :m] = out[alive, i - m : i][:, ::-1]
            out[alive, i] = self._next(history, i, random)
            alive = alive[out[alive, i] != END]
        return out

    def _next(self, history: np.ndarray, place: int, random: np.random.Generator) -> np.ndarray:
        """The next token after histories [n, order - 1], the last token first."""
        n = len(history)
        numbers, known = [np.zeros(n, np.int64)], [np.ones(n, bool)]
        for k in range(1, min(self.order, place + 2)):
            at, there = _found(self.levels[k].contexts, numbers[-1] * (self.vocabulary + 1) + history[:, k - 1])
            numbers.append(at)
            known.append(known[-1] & there)
        token = random.integers(0, self.vocabulary, n)  # of order 0, the uniform distribution
        open_ = np.ones(n, bool)
        for k in reversed(range(len(numbers))):
            level, at = self.levels[k], numbers[k]
            stays = random.random(n) >= self.discount * level.kinds[at] / level.total[at]
            chosen = open_ & known[k] & stays
            low, high = level.mass[level.first[at]], level.mass[level.first[at + 1]]
            pair = np.searchsorted(level.mass, low + random.random(n) * (high - low), side="right") - 1
            pair = np.clip(pair, level.first[at], level.first[at + 1] - 1)
            token = np.where(chosen, level.pairs[pair] % self.vocabulary, token)
            open_ &= ~chosen
        return token


def _found(keys: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where keys are in a sorted array (0 if they are not), and whether they are."""
    at = np.searchsorted(keys, wanted)
    at[at == len(keys)] = 0
    there = keys[at] == wanted
    return np.where(there, at, 0), there


def _positions(tokens: np.ndarray, order: int, begin: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Every token of lines with its end, those before it, its place in the line, and the line.

    Returns:
        [P], [P, order - 1] (the last token first, `begin` before the line), [P], [P].
    """
    tokens = np.asarray(tokens, np.int64)
    size = np.minimum((tokens > 0).sum(1) + 1, tokens.shape[1])
    line, place = np.nonzero(np.arange(tokens.shape[1]) < size[:, None])
    padded = np.pad(tokens, ((0, 0), (order - 1, 0)), constant_values=begin)
    before = [padded[line, place + order - 2 - k] for k in range(order - 1)]
    shape = np.stack(before, 1) if before else np.zeros((len(line), 0), np.int64)
    return tokens[line, place], shape, place, line


def orders(words: bool) -> Sequence[int]:
    """The orders of the models that are reported: of characters to 6, of words to 4."""
    return range(2, 5) if words else range(2, 7)
