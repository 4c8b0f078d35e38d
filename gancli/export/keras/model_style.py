"""The generator of StyleGAN2 (1912.04958): mapping and synthesis network."""

from __future__ import annotations

from typing import Any

from keras import layers

from .layers import PixelNorm, ScaledLeakyReLU
from .weights import Net, beside, resized, sizes_of


def generator(g: Net, z: Any, c: Any, options: dict[str, Any], shape: tuple[int, int, int], noise: Any = None) -> Any:
    """z [N, z], c [N, condition] or None, noise [N, P] of all layers -> images [N, H, W, C]; `shape` is (C, H, W)."""
    sizes = sizes_of(*shape[1:])
    w = _mapping(g.at("mapping"), z, c, options)
    maps = _by_layer(noise, sizes)
    x, image = g.constant(w, "const"), None
    for i, size in enumerate(sizes):
        x = _styled(g.at(f"first.{i}"), resized(x, size, "bilinear") if i else x, w, maps[i])
        x = _styled(g.at(f"second.{i}"), x, w, maps[len(sizes) + i])
        rgb = g.bias(g.modulated_conv(x, w, f"rgb.{i}.conv", demodulate=False), f"rgb.{i}.bias")
        image = rgb if image is None else layers.Add()([resized(image, size, "bilinear"), rgb])
    return image


def _mapping(g: Net, z: Any, c: Any, options: dict[str, Any]) -> Any:
    """The mapping network: z and c -> w."""
    w = PixelNorm()(z)
    if c is not None:
        w = beside(w, PixelNorm()(g.equal_dense(c, "embed")))
    for i in range(options["mapping"]):
        w = ScaledLeakyReLU()(g.equal_dense(w, f"layers.{i}", options["mapping_rate"]))
    return w


def _styled(g: Net, x: Any, w: Any, noise: Any) -> Any:
    """Modulated convolution, noise, bias, leaky ReLU."""
    x = layers.Add()([g.modulated_conv(x, w, "conv"), g.strength(noise, "noise.strength")])
    return ScaledLeakyReLU()(g.bias(x, "bias"))


def _by_layer(noise: Any, sizes: list[tuple[int, int]]) -> list[Any]:
    """The noise of each layer, [N, h, w, 1]: of the first layers of all scales, then of the second ones."""
    maps, first = [], 0
    for h, w in sizes * 2:
        maps.append(layers.Reshape((h, w, 1))(noise[:, first : first + h * w]))
        first += h * w
    return maps
