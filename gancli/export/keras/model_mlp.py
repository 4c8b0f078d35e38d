"""The generator of two multilayer perceptrons (1406.2661)."""

from __future__ import annotations

from typing import Any

from .weights import Net, beside, to_maps


def generator(g: Net, z: Any, c: Any, options: dict[str, Any], shape: tuple[int, int, int]) -> Any:
    """z [N, z], c [N, condition] or None -> images [N, H, W, C]; `shape` is (C, H, W)."""
    x, last = beside(z, c), 2 * len(options["g_widths"])
    for i in range(0, last, 2):
        x = g.dense(x, f"net.{i}", "relu")
    return to_maps(g.dense(x, f"net.{last}", "tanh"), *shape)
