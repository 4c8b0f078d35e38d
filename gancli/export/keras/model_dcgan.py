"""The generator of DCGAN (1511.06434)."""

from __future__ import annotations

from typing import Any

from keras import layers

from .weights import Net, beside, resized, sizes_of, to_maps


def generator(g: Net, z: Any, c: Any, options: dict[str, Any], shape: tuple[int, int, int]) -> Any:
    """z [N, z], c [N, condition] or None -> images [N, H, W, C]; `shape` is (C, H, W)."""
    first, *sizes = sizes_of(*shape[1:])
    net, x = g.at("net"), beside(z, c)
    x = net.dense(x, "0")
    x = to_maps(x, x.shape[-1] // (first[0] * first[1]), *first)
    for i, size in enumerate(sizes):
        x = layers.ReLU()(net.norm(x, options["g_norm"], str(2 + 3 * i)))
        name = str(4 + 3 * i)
        x = resized(net.conv(x, name), size, "bilinear") if options["up"] == "smooth" else net.transposed(x, name, size)
    return layers.Activation("tanh")(x)
