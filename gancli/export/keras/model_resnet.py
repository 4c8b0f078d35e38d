"""The residual generator of SNGAN (1802.05957), SAGAN (1805.08318) and BigGAN (1809.11096)."""

from __future__ import annotations

from typing import Any

from keras import layers, ops

from .weights import Net, beside, resized, sizes_of, to_maps


def generator(g: Net, z: Any, c: Any, options: dict[str, Any], shape: tuple[int, int, int]) -> Any:
    """z [N, z], c [N, condition] or None -> images [N, H, W, C]; `shape` is (C, H, W)."""
    smallest, *sizes = sizes_of(*shape[1:])
    kind = options["g_norm"]
    inside = kind == "conditional" and c is not None
    width = g.tensor("base.net.0.weight").shape[1] - (0 if inside or c is None else c.shape[-1])
    chunk = (z.shape[-1] - width) // len(sizes)  # of z, for each block
    x = g.dense(beside(z[:, :width], None if inside else c), "base.net.0")
    x = to_maps(x, x.shape[-1] // (smallest[0] * smallest[1]), *smallest)
    for i, size in enumerate(sizes):
        first = width + i * chunk
        part = z[:, first : first + chunk] if chunk else None
        x = _block(g.at(f"blocks.{i}"), x, part if c is None else c if part is None else beside(c, part), kind, size)
        if g.has(f"attention.{i}.gamma"):
            x = _attention(g.at(f"attention.{i}"), x)
    return g.conv(_norm_relu(g.at("last"), x, c, kind), "image", activation="tanh")


def _block(g: Net, x: Any, c: Any, kind: str, size: tuple[int, int]) -> Any:
    y = resized(_norm_relu(g.at("before"), x, c, kind), size, "nearest")
    y = g.conv(_norm_relu(g.at("between"), g.conv(y, "first"), c, kind), "second")
    return layers.Add()([y, resized(g.conv(x, "skip"), size, "nearest")])


def _norm_relu(g: Net, x: Any, c: Any, kind: str) -> Any:
    """Normalization, conditional (1610.07629) or not, and relu."""
    if kind != "conditional" or c is None:
        return layers.ReLU()(g.norm(x, "batch" if kind == "conditional" else kind, "norm"))
    gain_and_bias = layers.Reshape((1, 1, 2 * x.shape[-1]))(g.dense(c, "norm.affine"))
    gain, bias = ops.split(gain_and_bias, 2, axis=-1)
    return layers.ReLU()(g.norm(x, "batch", "norm.norm") * (1 + gain) + bias)


def _attention(g: Net, x: Any) -> Any:
    """Self-attention over positions (1805.08318, equations 1 to 3)."""

    def positions(maps: Any) -> Any:
        return layers.Reshape((-1, maps.shape[-1]))(maps)

    keys = positions(layers.MaxPooling2D(2)(g.conv(x, "f")))  # [N, P/4, C/8]
    values = positions(layers.MaxPooling2D(2)(g.conv(x, "h")))  # [N, P/4, C/2]
    queries = positions(g.conv(x, "g"))  # [N, P, C/8]
    weights = ops.softmax(ops.matmul(queries, ops.transpose(keys, (0, 2, 1))), axis=-1)
    read = layers.Reshape((*x.shape[1:3], values.shape[-1]))(ops.matmul(weights, values))
    return layers.Add()([x, g.strength(g.conv(read, "v"), "gamma")])
