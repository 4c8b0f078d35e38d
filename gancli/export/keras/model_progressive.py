"""The generator of progressive growing (1710.10196), at the scale that training had reached."""

from __future__ import annotations

from math import ceil
from typing import Any

from .layers import PixelNorm
from .weights import Net, beside, first_block, later_block, resized, sizes_of


def generator(g: Net, z: Any, c: Any, options: dict[str, Any], shape: tuple[int, int, int]) -> Any:  # noqa: ARG001
    """z [N, z], c [N, condition] or None -> images [N, H, W, C]; `shape` is (C, H, W)."""
    sizes = sizes_of(*shape[1:])
    level = float(g.tensor("level.value"))
    top = ceil(level)
    x = previous = first_block(g.at("base"), beside(PixelNorm()(z), c), sizes[0])
    for i in range(1, top + 1):
        previous, x = x, later_block(g.at(f"blocks.{i - 1}"), x, sizes[i])
    image = g.equal_conv(x, f"images.{top}")
    if (alpha := 1 - (top - level)) < 1:  # the newest scale is being faded in
        old = resized(g.equal_conv(previous, f"images.{top - 1}"), sizes[top], "nearest")
        image = (1 - alpha) * old + alpha * image
    return resized(image, shape[1:], "nearest")
