"""Scores of a classifier's predictions on a test set, and the same on resampled test sets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BINS = 15  # of the calibration error
PERFECT = 1e-12


@dataclass(frozen=True)
class Predictions:
    """What a classifier says of N test images."""

    labels: np.ndarray  # int64 [N]: the class with the highest probability
    confidence: np.ndarray  # float32 [N]: its probability
    of_true: np.ndarray  # float32 [N]: the probability of the true class

    @classmethod
    def of(cls, probabilities: np.ndarray, true: np.ndarray) -> Predictions:
        """From class probabilities [N, K] and true labels [N]."""
        labels = probabilities.argmax(1)
        rows = np.arange(len(true))
        return cls(labels.astype(np.int64), probabilities[rows, labels], probabilities[rows, true])


def of_counts(hits: np.ndarray, true: np.ndarray, seen: np.ndarray, rare: int) -> dict[str, np.ndarray]:
    """Scores from counts of each class, each [...]; classes without test images do not count.

    Args:
        hits: test images of a class that are predicted as such, [..., K].
        true: test images of a class, [..., K].
        seen: images that are predicted as a class, [..., K].
        rare: the class whose recall, precision and F1 are wanted.
    """
    there = true > 0
    recall, precision = hits / np.maximum(true, 1), hits / np.maximum(seen, 1)
    f1 = 2 * hits / np.maximum(true + seen, 1)
    n = there.sum(-1)
    return {
        "balanced-accuracy": (recall * there).sum(-1) / n,
        "macro-f1": (f1 * there).sum(-1) / n,
        "recall": recall[..., rare],
        "precision": precision[..., rare],
        "f1": f1[..., rare],
    }


def scores(found: Predictions, true: np.ndarray, classes: int, rare: int) -> dict[str, float]:
    """All scores of one classifier: shares, the expected calibration error and the mean negative log-likelihood."""
    hits, of_true, seen = (
        np.bincount(labels, minlength=classes) for labels in (true[true == found.labels], true, found.labels)
    )
    out = {name: float(value) for name, value in of_counts(hits, of_true, seen, rare).items()}
    return {
        **out,
        "calibration-error": calibration_error(found, true),
        "nll": float(-np.log(np.maximum(found.of_true, PERFECT)).mean()),
    }


def calibration_error(found: Predictions, true: np.ndarray) -> float:
    """Expected calibration error (1706.04599, eq. 3): the mean of |accuracy - confidence| over bins of equal width."""
    right = (found.labels == true).astype(float)
    place = np.minimum((found.confidence * BINS).astype(int), BINS - 1)
    count, hit, said = (np.bincount(place, w, minlength=BINS) for w in (None, right, found.confidence.astype(float)))
    return float(np.abs(hit - said).sum() / len(true)) if count.sum() else 0.0


def resampled(
    true: np.ndarray, seen: list[np.ndarray], classes: int, rare: int, n: int, seed: int
) -> dict[str, np.ndarray]:
    """The scores of several classifiers on n bootstrap samples of the test images, within classes.

    Only the pattern of a test image's predictions matters, so counts of patterns are drawn (multinomial), not images.

    Args:
        true: int64 [N].
        seen: of each classifier, int64 [N].
        classes: how many.
        rare: the class whose recall and precision are wanted.
        n: bootstrap samples.
        seed: of the draws; the same for all classifiers.

    Returns:
        By score, [n, number of classifiers].
    """
    random = np.random.Generator(np.random.PCG64(seed))
    patterns, which = np.unique(np.stack([true, *seen], 1), axis=0, return_inverse=True)
    sizes = np.bincount(which.ravel(), minlength=len(patterns))
    counts = np.zeros((n, len(patterns)))
    for k in range(classes):
        own = np.flatnonzero(patterns[:, 0] == k)
        if len(own):
            counts[:, own] = random.multinomial(int(sizes[own].sum()), sizes[own] / sizes[own].sum(), size=n)
    of_true = counts @ np.eye(classes)[patterns[:, 0]]
    found: list[dict[str, np.ndarray]] = []
    for j in range(len(seen)):
        as_seen = np.eye(classes)[patterns[:, 1 + j]]  # [patterns, K]
        right = as_seen * (patterns[:, 0] == patterns[:, 1 + j])[:, None]
        found.append(of_counts(counts @ right, of_true, counts @ as_seen, rare))
    return {name: np.stack([one[name] for one in found], 1) for name in found[0]}
