"""`linear`: each pixel of the output is a linear function of the 5x5 pixels around it in the input, by least squares."""

from __future__ import annotations

from typing import Any

import numpy as np

from gancli.core.images import PairSamples
from gancli.evaluation.colors import Fitted
from gancli.evaluation.filters import to_bytes

SIDE = 5
SMALLEST = 1e-6  # added to the diagonal of the normal equations, per pixel


class Linear(Fitted):
    name = "linear"

    def learn(self, train: PairSamples) -> Any:
        width = train.inputs.shape[1] * SIDE * SIDE + 1
        left, right = np.zeros((width, width)), np.zeros((width, train.images.shape[1]))
        for start in range(0, len(train), 16):
            part = train.take(slice(start, start + 16))
            x = _patches(part.inputs)
            y = part.images.transpose(0, 2, 3, 1).reshape(len(x), -1).astype(np.float64)
            left += x.T @ x
            right += x.T @ y
        return np.linalg.solve(left + SMALLEST * np.eye(width) * left[-1, -1], right)

    def outputs(self, known: Any, inputs: np.ndarray) -> np.ndarray:
        n, _, h, w = inputs.shape
        made = np.concatenate([_patches(part[None]) @ known for part in inputs])
        return to_bytes(made.reshape(n, h, w, -1).transpose(0, 3, 1, 2))


def _patches(images: np.ndarray) -> np.ndarray:
    """The pixels around each pixel and a constant: float64 [N H W, C * 25 + 1]; edge pixels are repeated."""
    n, c, h, w = images.shape
    reach = SIDE // 2
    wide = np.pad(images, ((0, 0), (0, 0), (reach, reach), (reach, reach)), mode="edge").astype(np.float64)
    seen = np.lib.stride_tricks.sliding_window_view(wide, (SIDE, SIDE), (2, 3))  # [N, C, H, W, 5, 5]
    flat = seen.transpose(0, 2, 3, 1, 4, 5).reshape(n * h * w, c * SIDE * SIDE)
    return np.concatenate([flat, np.ones((len(flat), 1))], 1)
