"""The generator of multi-scale gradients (MSG-GAN, 1903.06048): its image of full size."""

from __future__ import annotations

from typing import Any

from .layers import PixelNorm
from .weights import Net, beside, first_block, later_block, sizes_of


def generator(g: Net, z: Any, c: Any, options: dict[str, Any], shape: tuple[int, int, int]) -> Any:  # noqa: ARG001
    """z [N, z], c [N, condition] or None -> images [N, H, W, C]; `shape` is (C, H, W)."""
    smallest, *sizes = sizes_of(*shape[1:])
    x = first_block(g.at("blocks.0"), beside(PixelNorm()(z), c), smallest)
    for i, size in enumerate(sizes, 1):
        x = later_block(g.at(f"blocks.{i}"), x, size)
    return g.equal_conv(x, f"images.{len(sizes)}")
