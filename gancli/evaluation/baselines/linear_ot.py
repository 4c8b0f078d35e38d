"""`linear-ot`: the linear optimal transport of the colors of one domain to those of the other, as Gaussians.

T(x) = m_B + A^(-1/2) (A^(1/2) B A^(1/2))^(1/2) A^(-1/2) (x - m_A)     with the covariances A and B (Pitie and Kokaram, 2007)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gancli.evaluation.colors import Transfer


class LinearOT(Transfer):
    name = "linear-ot"

    def learn_colors(self, a: np.ndarray, b: np.ndarray) -> Any:
        covariances = [np.atleast_2d(np.cov(x.T)) for x in (a, b)]
        root, inverse = _power(covariances[0], 0.5), _power(covariances[0], -0.5)
        return a.mean(0), inverse @ _power(root @ covariances[1] @ root, 0.5) @ inverse, b.mean(0)

    def mapped(self, known: Any, colors: np.ndarray) -> np.ndarray:
        before, matrix, after = known
        return np.asarray((colors - before) @ matrix.T + after)


def _power(matrix: np.ndarray, exponent: float) -> np.ndarray:
    """A power of a symmetric positive semidefinite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.maximum(values, 1e-9) ** exponent) @ vectors.T)
