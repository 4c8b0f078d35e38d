"""Images brought to another size and number of channels, after they have been decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from gancli.core.errors import DataError
from gancli.core.images import over_white
from gancli.data import cache
from gancli.data.decode import middle

if TYPE_CHECKING:
    from gancli.core.data import Reading

LUMA = (0.299, 0.587, 0.114)


def resized(
    images: np.ndarray, size: tuple[int, int] | None, channels: int | None, how: Reading | None = None
) -> np.ndarray:
    """Images of another size (the middle part cut out and scaled, bicubic and antialiased), and with 1, 3 or 4 channels.

    Args:
        images: uint8 [N, C, H, W].
        size: (height, width); not given: as they are.
        channels: 1, 3 or 4 (RGBA); not given: as they are.
        how: where a result that is too large for memory is kept; not given: in memory.

    Returns:
        uint8 [N, channels, *size]; `images` itself where nothing changes.

    Raises:
        DataError: the images have neither 1, 3 nor 4 channels.
    """
    n, c, h, w = images.shape
    height, width = size or (h, w)
    wanted = channels or c
    if (wanted, height, width) == (c, h, w):
        return images
    if wanted != c and not {wanted, c} <= {1, 3, 4}:
        raise DataError(f"images of {c} channels cannot be given {wanted}", "ask for 1, 3 or 4 channels")

    def fill(out: np.ndarray) -> None:
        for start, made in cache.blocks(out):
            part = torch.from_numpy(np.ascontiguousarray(images[start : start + len(made)]))
            made[:] = _covering(_with(part, wanted), (height, width)).numpy()
            cache.release(images)

    shape = (n, wanted, height, width)
    return cache.copied(how, lambda: cache.key_of("resized", 1, cache.content(images), shape), shape, fill)


def _with(x: torch.Tensor, wanted: int) -> torch.Tensor:
    """uint8 [N, C, H, W] -> [N, wanted, H, W]; transparent images are laid over white, others get an opaque alpha channel."""
    if wanted >= x.shape[1]:
        if wanted == 4 != x.shape[1]:
            x = torch.cat([x.expand(-1, 3, -1, -1), torch.full_like(x[:, :1], 255)], 1)
        return x  # gray ones are repeated where they are written
    if x.shape[1] == 4:
        x = torch.from_numpy(over_white(x.numpy()))
    if wanted < x.shape[1]:
        x = (x.float() * torch.tensor(LUMA)[:, None, None]).sum(1, keepdim=True).round().to(torch.uint8)
    return x


def _covering(x: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """uint8 [N, C, H, W] -> uint8 [N, C, *size], as `decode` does it."""
    if x.shape[2:] == size:
        return x
    top, left, h, w = middle(x.shape[2], x.shape[3], size)
    part = x[:, :, top : top + h, left : left + w]
    if x.shape[1] == 4:  # what cannot be seen has no color that could be mixed in
        part = part.float()
        part = torch.cat([part[:, :3] * part[:, 3:] / 255, part[:, 3:]], 1)
        small = functional.interpolate(part, size=size, mode="bicubic", antialias=True, align_corners=False)
        alpha = small[:, 3:].clamp(0, 255)
        return torch.cat([small[:, :3] * 255 / alpha.clamp(min=1), alpha], 1).round().clamp(0, 255).to(torch.uint8)
    return functional.interpolate(part, size=size, mode="bicubic", antialias=True, align_corners=False)
