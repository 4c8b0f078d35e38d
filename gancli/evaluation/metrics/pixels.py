"""Images as vectors of pixels, large ones made smaller first."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from gancli.core.images import ImageSamples

LARGEST = 32  # pixels a side


def pixels(samples: ImageSamples) -> np.ndarray:
    """Images as float32 [N, D] in 0 .. 255, sides beyond 32 shrunk: `view(pixels)` of a set of samples."""
    return shrunk(samples.images)


def shrunk(images: np.ndarray, largest: int = LARGEST) -> np.ndarray:
    """uint8 [N, C, H, W] -> float32 [N, D] in 0 .. 255; sides beyond `largest` are shrunk (antialiased bilinear)."""
    h, w = images.shape[2:]
    size = min(h, largest), min(w, largest)
    if size == (h, w):
        return images.reshape(len(images), -1).astype(np.float32)
    x = torch.from_numpy(np.ascontiguousarray(images)).float()
    return np.asarray(F.interpolate(x, size=size, mode="bilinear", align_corners=False, antialias=True).flatten(1))
