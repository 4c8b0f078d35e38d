"""`curves.png`: losses, what D says of reals and fakes, gradient norms, speed."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

PANELS = (
    ("losses", ("d_loss", "g_loss")),
    ("D says (probability of real)", ("logit_real", "logit_fake")),
    ("gradient norms", ("d_grad", "g_grad")),
    ("images per second", ("images_per_s",)),
)
NAMES = {"logit_real": "of reals", "logit_fake": "of fakes"}
COLORS = ("#2a6fbb", "#d1603d")


def draw(lines: list[dict[str, Any]], path: Path, title: str) -> None:
    """Draw the journal's lines. With fewer than two lines there is nothing to draw, and nothing is written."""
    if len(lines) < 2:
        return
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 6), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    for axes, (name, keys) in zip(figure.subplots(2, 2).flat, PANELS, strict=True):
        for key, color in zip(keys, COLORS, strict=False):
            whole = [line for line in lines if _is_number(line.get("epoch")) and _is_number(line.get(key))]
            points = [(line["epoch"], _value(key, line[key])) for line in whole]
            if points:
                axes.plot(*zip(*points, strict=True), color=color, linewidth=1, label=NAMES.get(key, key))
        axes.set_title(name, fontsize=10)
        if len(keys) == 1:
            axes.set_ylim(bottom=0)
        axes.set_xlabel("epoch")
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        if len(keys) > 1:
            axes.legend(frameon=False, fontsize=9)
    figure.savefig(path, dpi=110)


def _is_number(value: Any) -> bool:
    """Whether it can be drawn: a line may have none, or be damaged."""
    return isinstance(value, int | float) and abs(value) < 1e30


def _value(key: str, value: float) -> float:
    """Mean logits are shown as probabilities."""
    if key.startswith("logit_"):
        return 1 / (1 + math.exp(-max(-60.0, min(60.0, value))))
    return value
