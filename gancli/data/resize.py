"""Images brought to another size and number of channels, after they have been decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from gancli.core.errors import DataError
from gancli.data import cache
from gancli.data.decode import middle

if TYPE_CHECKING:
    from gancli.core.data import Reading

LUMA = (0.299, 0.587, 0.114)


def resized(
    images: np.ndarray, size: tuple[int, int] | None, channels: int | None, how: Reading | None = None
) -> np.ndarray:
    """Images of another size (the middle part cut out and scaled, bicubic and antialiased), and with 1 or 3 channels.

    Args:
        images: uint8 [N, C, H, W].
        size: (height, width); not given: as they are.
        channels: 1 or 3; not given: as they are.
        how: where a result that is too large for memory is kept; not given: in memory.

    Returns:
        uint8 [N, channels, *size]; `images` itself where nothing changes.

    Raises:
        DataError: the images have neither 1 nor 3 channels.
    """
    n, c, h, w = images.shape
    height, width = size or (h, w)
    wanted = channels or c
    if (wanted, height, width) == (c, h, w):
        return images
    if wanted != c and {wanted, c} != {1, 3}:
        raise DataError(f"images of {c} channels cannot be given {wanted}", "ask for 1 or 3 channels")

    def fill(out: np.ndarray) -> None:
        for start, made in cache.blocks(out):
            part = torch.from_numpy(np.ascontiguousarray(images[start : start + len(made)]))
            if wanted < c:
                part = (part.float() * torch.tensor(LUMA)[:, None, None]).sum(1, keepdim=True).round().to(torch.uint8)
            made[:] = _covering(part, (height, width)).numpy()
            cache.release(images)

    shape = (n, wanted, height, width)
    return cache.copied(how, lambda: cache.key_of("resized", 1, cache.content(images), shape), shape, fill)


def _covering(x: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """uint8 [N, C, H, W] -> uint8 [N, C, *size], as `decode` does it."""
    if x.shape[2:] == size:
        return x
    top, left, h, w = middle(x.shape[2], x.shape[3], size)
    part = x[:, :, top : top + h, left : left + w]
    return functional.interpolate(part, size=size, mode="bicubic", antialias=True, align_corners=False)
