"""Images as vectors of pixels, large ones made smaller first."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

LARGEST = 32  # pixels a side


def pixels(images: np.ndarray, largest: int = LARGEST) -> np.ndarray:
    """uint8 [N, C, H, W] -> float32 [N, D] in 0 .. 255; sides beyond `largest` are shrunk (antialiased bilinear)."""
    h, w = images.shape[2:]
    size = min(h, largest), min(w, largest)
    if size == (h, w):
        return images.reshape(len(images), -1).astype(np.float32)
    parts = []
    for start in range(0, len(images), 256):
        x = torch.from_numpy(np.ascontiguousarray(images[start : start + 256])).float()
        x = F.interpolate(x, size=size, mode="bilinear", align_corners=False, antialias=True)
        parts.append(x.flatten(1).numpy())
    return np.concatenate(parts)
