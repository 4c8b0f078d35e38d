"""A U-Net of residual blocks without normalization (DRUNet, 2008.13751, section 3.1)."""

from __future__ import annotations

from typing import Any

from keras import layers

from .weights import Net


def translator(g: Net, x: Any, options: dict[str, Any], size: tuple[int, int]) -> Any:  # noqa: ARG001
    """x [N, H, W, inputs] -> [N, H, W, outputs], for sides that are multiples of 2^depth."""
    x, skips = g.conv(x, "first"), []
    for i in range(options["depth"]):
        x = _stage(g.at(f"before.{i}"), x)
        skips.append(x)
        x = g.conv(x, f"down.{i}", 2, "valid")
    x = _stage(g.at("middle"), x)
    for i in reversed(range(options["depth"])):
        x = _stage(g.at(f"after.{i}"), layers.Add()([g.up_conv(x, f"up.{i}"), skips[i]]))
    return g.conv(x, "last")


def _stage(g: Net, x: Any) -> Any:
    """Residual blocks of two convolutions."""
    i = 0
    while g.has(f"{i}.first.weight"):
        y = g.conv(layers.ReLU()(g.conv(x, f"{i}.first")), f"{i}.second")
        x, i = layers.Add()([x, y]), i + 1
    return x
