"""The generator of FastGAN (2101.04775) with skip-layer excitation."""

from __future__ import annotations

from typing import Any

from keras import layers, ops

from .weights import Net, beside, resized, sizes_of, to_maps


def generator(g: Net, z: Any, c: Any, options: dict[str, Any], shape: tuple[int, int, int]) -> Any:
    """z [N, z], c [N, condition] or None -> images [N, H, W, C]; `shape` is (C, H, W)."""
    sizes, net = sizes_of(*shape[1:])[:-1], g.at("net")
    x = net.dense(beside(z, c), "first.0")
    x = to_maps(x, x.shape[-1] // (sizes[0][0] * sizes[0][1]), *sizes[0])
    maps = [_gated_linear_unit(net.norm(x, "batch", "first.2"))]
    for i, size in enumerate(sizes[1:], 1):
        block = net.at(f"blocks.{i - 1}")
        x = _gated_linear_unit(block.norm(block.conv(resized(maps[-1], size, "nearest"), "0"), "batch", "1"))
        j = i - options["reach"]
        maps.append(x if j < 0 else layers.Multiply()([x, _gates(net.at(f"gates.{j}.net"), maps[j])]))
    if not options["full_size"]:
        return net.transposed(maps[-1], "image", shape[1:], "tanh")
    x = resized(net.conv(maps[-1], "image.0"), shape[1:], "bilinear")
    return net.conv(_gated_linear_unit(net.norm(x, "batch", "image.2")), "image.4", activation="tanh")


def _gated_linear_unit(x: Any) -> Any:
    value, gate = ops.split(x, 2, axis=-1)
    return value * ops.sigmoid(gate)


def _gates(g: Net, small: Any) -> Any:
    """Small maps -> factors [N, 1, 1, C] of larger maps."""
    x = layers.LeakyReLU(0.1)(g.conv(resized(small, (4, 4), "mean"), "1", padding="valid"))
    return g.conv(x, "3", activation="sigmoid")
