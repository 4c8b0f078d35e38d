"""`curves.png`: what a run logged and its validation score, a panel for each prefix of the keys (`loss/D`, `grad/G`).

A net has the same color in all panels; the rest of the key (`logit/D/real`, `logit/D/fake`) is the line style.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gancli.core.files import atomic_file
from gancli.report.text import plotted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = ("#2a6fbb", "#d1603d", "#3a9a6b", "#8a5fb0", "#c9982b", "#4fb0c6", "#b8487f", "#6b7280")
LINES = ("-", "--", ":", "-.")
INK, SOFT, GRID = "#20242c", "#6b7280", "#e5e7eb"
TITLES = {
    "loss": "loss", "logit": "mean logit", "validation": "validation", "penalty": "penalty", "auxiliary": "auxiliary loss",
    "": "", "grad": "gradient norm", "update": "update norm / weight norm", "images_per_s": "images per second",
}  # fmt: skip
ORDER = tuple(TITLES)  # prefixes without a title stand where "" does
TIMES = (
    "step",
    "epoch",
    "images",
    "seconds",
    "d_loss",
    "g_loss",
)  # keys of a line that are no curves, or occur twice
SATURATED = 10.0  # |logit| from which on a probability shows nothing
SPAN = 30.0  # ratio of the largest to the smallest value from which on an axis is logarithmic
PANELS, CURVES, POINTS = 12, 24, 5000  # at most; of the points of a longer curve every second, third, ...
INSIDE = 4  # entries of a legend within the axes; longer ones are beside them


@dataclass
class Panel:
    """Curves in one pair of axes: (net, rest of the key) -> points (images, value)."""

    title: str
    curves: dict[tuple[str, str], list[tuple[float, float]]] = field(default_factory=dict)

    def values(self) -> Iterable[float]:
        """Of all curves."""
        return (y for points in self.curves.values() for _, y in points)


def draw(
    lines: list[dict[str, Any]],
    path: Path,
    title: str,
    scores: Iterable[Mapping[str, Any]] = (),
    headline: str = "",
) -> None:
    """Draw a run's journal. With fewer than two lines there is nothing to draw, and nothing is written.

    Args:
        lines: of metrics.jsonl, as `journal.read` gives them.
        path: the PNG.
        title: above it.
        scores: lines of scores.jsonl.
        headline: the score that is drawn, in any feature space.

    Raises:
        OSError: the file cannot be written.
    """
    if len(lines) < 2:
        return
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    found = panels(lines, scores, headline)[:PANELS]
    columns = 1 if len(found) == 1 else 2 if len(found) <= 4 else 3
    rows = -(-len(found) // columns)
    wide = any(len(panel.curves) > INSIDE for panel in found)
    figure = Figure(figsize=((5.8 if wide else 4.6) * columns, 0.5 + 2.7 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(plotted(title), color=INK, fontsize=12, fontweight="bold")
    colors = _colors(found)
    grid = list(figure.subplots(rows, columns, squeeze=False).flat)
    last = max((x for panel in found for points in panel.curves.values() for x, _ in points), default=1.0)
    for panel, axes in zip(found, grid, strict=False):
        _draw_panel(axes, panel, colors, last)
    for axes in grid[len(found) :]:
        axes.axis("off")
    with atomic_file(path) as file:
        figure.savefig(file, format="png", dpi=110)


def panels(
    lines: Iterable[Mapping[str, Any]], scores: Iterable[Mapping[str, Any]] = (), headline: str = ""
) -> list[Panel]:
    """Panels of all numbers in the lines by the prefix of their keys, and of the headline score; the usual ones in their order."""
    found: dict[str, Panel] = {}
    for line in lines:
        if not _is_number(line.get("images")):
            continue
        for key, value in line.items():
            if key not in TIMES and _is_number(value):
                prefix, _, rest = key.partition("/")
                net, _, what = rest.partition("/")
                panel = found.setdefault(prefix, Panel(TITLES.get(prefix, prefix.replace("_", " "))))
                panel.curves.setdefault((net, what), []).append((line["images"], value))
    if logits := found.get("logit"):
        _by_sigmoid(logits)
    found |= _validation(scores, headline)
    return [found[p] for p in sorted(found, key=lambda p: (ORDER.index(p if p in ORDER else ""), p))]


def _by_sigmoid(panel: Panel) -> None:
    """Show mean logits by their sigmoid, unless they are too large for that, as those of a Wasserstein critic."""
    if any(abs(y) > SATURATED for y in panel.values()):
        return
    panel.title = "D(x): sigmoid of the mean logit"
    for key, points in panel.curves.items():
        panel.curves[key] = [(x, 1 / (1 + math.exp(-y))) for x, y in points]


def _validation(scores: Iterable[Mapping[str, Any]], headline: str) -> dict[str, Panel]:
    """A panel of the headline score, if there were validations."""
    panel = Panel("")
    for line in scores:
        for key, value in line.items():
            name, _, features = key.partition("@")
            if name == headline and _is_number(value) and _is_number(line.get("images")):
                panel.curves.setdefault(("", features), []).append((line["images"], value))
    panel.title = f"validation {headline}" + "".join(f" ({features})" for _, features in panel.curves if features)
    return {"validation": panel} if panel.curves else {}


def _is_number(value: Any) -> bool:
    """Whether it can be drawn: a line may be damaged."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e30


def _colors(found: Iterable[Panel]) -> dict[str, str]:
    nets = sorted({net for panel in found for net, _ in panel.curves} - {""})
    return {"": SOFT, **{net: COLORS[i % len(COLORS)] for i, net in enumerate(nets)}}


def _draw_panel(axes: Axes, panel: Panel, colors: Mapping[str, str], last: float) -> None:
    from matplotlib.ticker import EngFormatter

    whats = list(dict.fromkeys(what for _, what in panel.curves))
    for (net, what), points in sorted(panel.curves.items(), key=lambda curve: curve[0][0])[:CURVES]:
        thinned = points[:: 1 + len(points) // POINTS]
        few = "o" if len(points) <= 12 else ""
        axes.plot(
            *zip(*thinned, strict=True), LINES[whats.index(what) % len(LINES)], label=plotted(f"{net} {what}".strip()),
            color=colors[net], linewidth=1.3, marker=few, markersize=3,
        )  # fmt: skip
    axes.set_title(plotted(panel.title), loc="left", fontsize=10, color=INK)
    axes.set_xlim(0, 1.01 * last)
    _scale(axes, panel)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.set_xlabel("training images", fontsize=8.5, color=SOFT)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GRID)
    axes.tick_params(which="both", colors=SOFT, labelsize=8.5, length=0)
    if any(net for net, _ in panel.curves) or len(panel.curves) > 1:
        beside = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.02)} if len(panel.curves) > INSIDE else {"loc": "best"}
        axes.legend(frameon=False, fontsize=8, labelcolor=INK, handlelength=2.2, **beside)


def _scale(axes: Axes, panel: Panel) -> None:
    """The y axis: from 0 to 1 for a probability, logarithmic for positive values over a wide range."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    values = list(panel.values())
    low, high = min(values), max(values)
    if panel.title.startswith("D(x)"):
        axes.set_ylim(-0.02, 1.02)
    elif panel.title == TITLES["images_per_s"]:
        axes.set_ylim(0, 1.1 * high)
    elif low > 0 and high > SPAN * low and panel.title != TITLES["loss"]:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
