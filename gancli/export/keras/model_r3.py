"""The residual generator of R3GAN (2501.05441), without normalization."""

from __future__ import annotations

from typing import Any

from keras import layers

from .weights import Net, beside, resized, sizes_of


def generator(g: Net, z: Any, c: Any, options: dict[str, Any], shape: tuple[int, int, int]) -> Any:
    """z [N, z], c [N, condition] or None -> images [N, H, W, C]; `shape` is (C, H, W)."""
    sizes = sizes_of(*shape[1:])
    sizes = sizes[:-1] if options["stem"] else sizes
    x = g.learned_maps(g.dense(beside(z, c), "basis.weigh"), "basis.maps")
    at = 0
    for i, size in enumerate(sizes):
        if i:
            x = g.conv(x, f"net.{at}.width") if g.has(f"net.{at}.width.weight") else x
            x = resized(x, size, "bilinear" if options["smooth"] else "nearest")
            at += 1
        for _ in range(options["blocks"]):
            x = _block(g.at(f"net.{at}"), x)
            at += 1
    if options["stem"]:
        return g.transposed(layers.LeakyReLU(0.2)(x), f"net.{at}.1", shape[1:])
    return g.conv(x, f"net.{at}")


def _block(g: Net, x: Any) -> Any:
    y = layers.LeakyReLU(0.2)(g.conv(x, "into"))
    groups = y.shape[-1] // g.tensor("spatial.weight").shape[1]
    y = layers.LeakyReLU(0.2)(g.conv(y, "spatial", groups=groups))
    return layers.Add()([x, g.conv(y, "out")])
