"""`reinhard`: mean and standard deviation of each channel become those of the other domain, in the space l alpha beta.

E. Reinhard et al., Color transfer between images, IEEE Computer Graphics and Applications 21 (2001). Statistics are those of all training
images of a domain.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gancli.evaluation.colors import Transfer

RGB_TO_LMS = np.array([[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]])
DECORRELATE = np.diag([3**-0.5, 6**-0.5, 2**-0.5]) @ np.array([[1.0, 1, 1], [1, 1, -2], [1, -1, 0]])


class Reinhard(Transfer):
    name = "reinhard"

    def learn_colors(self, a: np.ndarray, b: np.ndarray) -> Any:
        a, b = _decorrelated(a), _decorrelated(b)
        return a.mean(0), b.std(0) / np.maximum(a.std(0), 1e-9), b.mean(0)

    def mapped(self, known: Any, colors: np.ndarray) -> np.ndarray:
        before, scale, after = known
        made = (_decorrelated(colors) - before) * scale + after
        if colors.shape[1] != 3:
            return np.asarray(made)
        lms = 10 ** (made @ np.linalg.inv(DECORRELATE).T)
        return np.asarray((lms @ np.linalg.inv(RGB_TO_LMS).T - 1 / 255) * 255)


def _decorrelated(colors: np.ndarray) -> np.ndarray:
    """RGB [n, 3] -> l alpha beta; gray is returned unchanged."""
    if colors.shape[1] != 3:
        return colors
    return np.asarray(np.log10((colors / 255 + 1 / 255) @ RGB_TO_LMS.T) @ DECORRELATE.T)
