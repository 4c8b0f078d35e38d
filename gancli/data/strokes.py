"""Three attributes of a drawn character, measured from its pixels: thickness, slant, width.

With p the image in [0, 1] on black, x to the right, y downwards:
thickness = 2 * area / perimeter, with area = sum p and perimeter = sum |grad p| (the total variation): a stroke of length L and thickness t
has area L t and perimeter about 2 L. In pixels.
slant = -m_xy / m_yy with m the second central moments of p: the shear that makes the character lean to the right (positive) or left.
width = columns from the first to the last that holds a pixel above half of the brightest. In pixels.
A blank image measures 0, 0, 0.
"""

from __future__ import annotations

import numpy as np

NAMES = ("thickness", "slant", "width")


def measure(images: np.ndarray) -> np.ndarray:
    """Measure drawn characters; values of generated and real ones can be compared.

    Args:
        images: uint8 [N, H, W], light on dark.

    Returns:
        float32 [N, 3]: thickness, slant, width.
    """
    out = np.zeros((len(images), 3), np.float32)
    for start in range(0, len(images), 4096):
        out[start : start + 4096] = _measure(images[start : start + 4096].astype(np.float32) / 255)
    return out


def standardized(values: np.ndarray, like: np.ndarray) -> np.ndarray:
    """(values - mean) / deviation, float32 [N, 3], with the mean and deviation of `like`."""
    deviation = like.std(axis=0, dtype=np.float64)
    scaled = (values - like.mean(axis=0, dtype=np.float64)) / np.where(deviation > 0, deviation, 1)
    return np.asarray(scaled, np.float32)


def _measure(p: np.ndarray) -> np.ndarray:
    area = p.sum(axis=(1, 2))
    framed = np.pad(p, ((0, 0), (1, 1), (1, 1)))
    dx = framed[:, :-1, 1:] - framed[:, :-1, :-1]
    dy = framed[:, 1:, :-1] - framed[:, :-1, :-1]
    perimeter = np.sqrt(dx * dx + dy * dy).sum(axis=(1, 2))
    rows, columns = p.sum(axis=2), p.sum(axis=1)  # [N, H], [N, W]
    y, x = (np.arange(n, dtype=np.float32) - (n - 1) / 2 for n in p.shape[1:])  # from the middle, where the ink is
    safe = np.maximum(area, 1e-9)
    cy, cx = rows @ y / safe, columns @ x / safe
    m_yy = rows @ (y * y) / safe - cy * cy
    m_xy = np.einsum("nhw,h,w->n", p, y, x, optimize=True) / safe - cy * cx
    ink = _columns_with_ink(p)
    width = np.where(ink.any(axis=1), p.shape[2] - ink[:, ::-1].argmax(axis=1) - ink.argmax(axis=1), 0)
    slant = np.where(m_yy > 1e-3, -m_xy / np.maximum(m_yy, 1e-3), 0)
    return np.stack([2 * area / np.maximum(perimeter, 1e-9), slant, width], axis=1)


def _columns_with_ink(p: np.ndarray) -> np.ndarray:
    """Whether a column has a pixel above half of the image's brightest: bool [N, W]."""
    columns = p.max(axis=1)
    return np.asarray((columns > 0) & (columns >= columns.max(axis=1, keepdims=True) / 2))
