"""U-Net (1505.04597) as in pix2pix (1611.07004)."""

from __future__ import annotations

from typing import Any

from keras import layers

from .weights import Net, norm_or_none


def translator(g: Net, x: Any, options: dict[str, Any], size: tuple[int, int]) -> Any:
    """x [N, H, W, inputs] -> [N, H, W, outputs], for sides that are multiples of the grid; `size` is that of training."""
    depth = options["depth"] or int(min(size)).bit_length() - 2
    sizes = [(size[0] >> i, size[1] >> i) for i in range(1, depth + 1)]
    kind, maps = options["norm"], []
    for i in range(depth):
        x = g.reflected_conv(x, f"down.{i}.0", 2)
        x = norm_or_none(g, x, kind, f"down.{i}.1", sizes[i]) if 0 < i < depth - 1 else x
        x = layers.LeakyReLU(0.2)(x)
        maps.append(x)
    for i in range(depth - 1):
        skip = maps[-2 - i]
        x = norm_or_none(g, g.up_conv(x, f"up.{i}.0"), kind, f"up.{i}.1", sizes[-2 - i])
        x = layers.Concatenate()([layers.ReLU()(x), skip])
    return g.up_conv(x, "last")
