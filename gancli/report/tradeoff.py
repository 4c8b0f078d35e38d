"""The picture of quality against variety: a curve for each model, points for baselines, and that of real samples."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from gancli.core.errors import ResourceError
from gancli.core.files import atomic_file
from gancli.evaluation.curve import Curve

INK, SOFT, GRID = "#20242c", "#6b7280", "#e5e7eb"
MARKS = ("s", "^", "D", "v", "P", "X", "*", "h")  # of baselines
COLORS = ("#2f6fde", "#e07b39", "#3a9d5d", "#8e5bd0")


def draw(curves: Sequence[Curve], tradeoff: Sequence[str], path: Path) -> None:
    """Write the picture: a panel for each score of variety.

    Args:
        curves: of the models; the first point of the first has reference and baselines.
        tradeoff: the score of quality, then those of variety.
        path: of the picture.

    Raises:
        ResourceError: the file cannot be written.
    """
    panels = tradeoff[1:]
    figure = Figure(figsize=(6.2 * len(panels), 4.8), facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    first = curves[0].points[0].scores
    for i, score in enumerate(panels):
        axes = figure.add_subplot(1, len(panels), i + 1)
        for number, (curve, color) in enumerate(zip(curves, COLORS, strict=False)):
            beside = (4, -12 if number % 2 else 5)
            x, y = ([p.scores[name].value for p in curve.points] for name in (tradeoff[0], score))
            axes.plot(x, y, "o-", color=color, label=curve.name, ms=4.5)
            for a, b, point in zip(x, y, curve.points, strict=True):
                axes.annotate(
                    f"{point.value:g}", (a, b), xytext=beside, textcoords="offset points", fontsize=8, color=color
                )
        low, high = axes.get_xlim()
        found, of = first[score].baselines, first[tradeoff[0]].baselines
        near = [name for name in of if name in found and low - (high - low) <= of[name] <= high + (high - low)]
        for name, mark in zip(near, itertools.cycle(MARKS), strict=False):
            axes.plot(of[name], found[name], mark, color=SOFT, ms=5, ls="", label=name)
        quality, variety = (first[name].reference for name in (tradeoff[0], score))
        if quality is not None:
            axes.axvline(quality, color=INK, lw=1, ls=":", label="real samples")
        if variety is not None:
            axes.axhline(variety, color=INK, lw=1, ls=":")
        axes.set_xlabel(tradeoff[0], color=INK)
        axes.set_ylabel(f"{score} (lower is better)", color=INK)
        axes.grid(color=GRID, lw=0.8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_axisbelow(True)
        if i == 0:
            axes.legend(frameon=False, fontsize=9)
    try:
        with atomic_file(path) as file:
            figure.savefig(file, format="png", dpi=120)
    except OSError as error:
        raise ResourceError(f"cannot write {path}: {error.strerror}", "choose another --out") from None
