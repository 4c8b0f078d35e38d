"""The residual translator of CycleGAN and CUT (1703.10593, section 7.2)."""

from __future__ import annotations

from typing import Any

from keras import layers

from .weights import Net, norm_or_none


def translator(g: Net, x: Any, options: dict[str, Any], size: tuple[int, int]) -> Any:  # noqa: ARG001
    """x [N, H, W, inputs] -> [N, H, W, outputs], for sides that are multiples of 4."""
    kind = options["norm"]
    for i in range(3):
        x = g.reflected_conv(x, f"down.{i}.0", 2 if i else 1)
        x = layers.ReLU()(norm_or_none(g, x, kind, f"down.{i}.1"))
    i, second = 0, 2 if kind == "none" else 3
    while g.has(f"blocks.{i}.body.0.weight"):
        body = g.at(f"blocks.{i}.body")
        y = layers.ReLU()(norm_or_none(g, body.reflected_conv(x, "0"), kind, f"blocks.{i}.body.1"))
        y = norm_or_none(g, body.reflected_conv(y, str(second)), kind, f"blocks.{i}.body.{second + 1}")
        x, i = layers.Add()([x, y]), i + 1
    for i in range(2):
        x = layers.ReLU()(norm_or_none(g, g.up_conv(x, f"up.{i}.0"), kind, f"up.{i}.1"))
    return g.reflected_conv(x, "last")
