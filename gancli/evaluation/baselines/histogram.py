"""`histogram`: the histogram of each channel becomes that of the other domain."""

from __future__ import annotations

from typing import Any

import numpy as np

from gancli.evaluation.colors import Transfer


class Histogram(Transfer):
    name = "histogram"

    def learn_colors(self, a: np.ndarray, b: np.ndarray) -> Any:
        return np.stack([_matched(a[:, c], b[:, c]) for c in range(a.shape[1])], 1)

    def mapped(self, known: Any, colors: np.ndarray) -> np.ndarray:
        return np.take_along_axis(known, colors.astype(np.int64), 0)


def _matched(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The value of b at the quantile of each value 0 to 255 of a, [256]."""
    counts = [np.bincount(x.astype(np.int64), minlength=256) for x in (a, b)]
    middles = (np.cumsum(counts[0]) - counts[0] / 2) / len(a)
    return np.interp(middles, (np.cumsum(counts[1]) - counts[1] / 2) / len(b), np.arange(256))
