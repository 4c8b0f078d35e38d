"""A study of generated images as a table for the terminal and as a plot."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gancli.core.files import atomic_file
from gancli.report.curves import COLORS, GRID, INK, SOFT
from gancli.report.output import Output
from gancli.report.text import plotted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN = ("balanced-accuracy", "macro-f1", "recall", "precision", "calibration-error")
CAPTION = 150  # characters of a line below the plot
ROLES = {"cheap": SOFT, "generated": COLORS[0], "ceiling": COLORS[2], "other": COLORS[3]}


def show(console: Output, values: Mapping[str, Any]) -> None:
    """Print the arms with their scores, the new images of each class, and the verdict.

    Args:
        console: to print to.
        values: of a `Result`.
    """
    rare = values["rare class"]
    heads = [
        "arm",
        "balanced\naccuracy",
        "±",
        "macro\nF1",
        "±",
        f"recall\nof {rare}",
        "±",
        f"precision\nof {rare}",
        "±",
        "calibration\nerror",
    ]
    rows = []
    for arm in values["arms"].values():
        cells = [arm["title"]]
        for score in SHOWN:
            cells.append(points(arm["scores"][score]["value"]))
            if score != SHOWN[-1]:
                cells.append(points(arm["scores"][score]["half"]))
        rows.append(cells)
    console.say(f"{values['test images']:,} test images, {values['seeds']} seeds, all numbers in %", "bold")
    console.say("")
    top = max(range(len(rows)), key=lambda i: float(rows[i][1]))
    console.sheet(heads, rows, right=range(1, len(heads)), bold={(top, 1)}, leave_out=[9, 8, 7, 4, 3])
    console.say("")
    console.say("± is half the width of the 95 % interval, from seeds and test images.")
    for name, why in values["not available"].items():
        console.say(f"Not available: {name} ({why}).")
    console.say("")
    images(console, values["new images"])
    for line in verdict(values):
        console.say(line, "bold" if line == values["verdict"]["sentence"] else "")


def images(console: Output, new: Mapping[str, Mapping[str, Any]]) -> None:
    """Print a row for each class that gets new images: what filters dropped, and what they are worth."""
    if not new:
        return
    heads = ["class", "real", "new", "of", "other\nclass", "copies", "low\nrank", "cover", "worth"]
    rows = []
    for name, of in new.items():
        counts = [of.get("real", 0), of["kept"], of["candidates"], of["other class"], of["copies"], of["low rank"]]
        rows.append([name, *(f"{n:,}" for n in counts), points(of.get("coverage")), _worth(of)])
    console.sheet(heads, rows, right=range(1, len(heads)), leave_out=[6, 5, 4])
    console.say("")
    console.say(
        "cover: % of test images of the class near a new one; worth: how many further real images cover as many."
    )
    console.say("")


def _worth(of: Mapping[str, Any]) -> str:
    if of.get("effective") is None:
        return "–"
    more = of["limit"] is not None and of["effective"] >= of["limit"]
    return f"{'>' * more}{of['effective']:.0f}"


def verdict(values: Mapping[str, Any]) -> list[str]:
    """The verdict, and what perfect images would have brought, in sentences."""
    out, found = [values["verdict"]["sentence"]], values["verdict"]
    if (top := found["ceiling"]) is not None:
        out.append(
            f"As many more real images: {100 * top['value']:+.2f} ± {100 * top['half']:.2f} points over the same arm."
        )
    chosen = values.get("choice")
    if chosen:
        out.append(f"Agreement {chosen['agreement']:g} and ratio {chosen['ratio']:g}: {chosen['why']}.")
    return out


def points(value: float | None) -> str:
    """A share in percent; a dash for none."""
    return "–" if value is None else f"{100 * value:.2f}"


def draw(values: Mapping[str, Any], path: Path, title: str) -> None:
    """Draw the arms with their intervals, a dot for each seed, and the gain by seed.

    Args:
        values: of a `Result`.
        path: the PNG.
        title: above it.

    Raises:
        OSError: the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    arms, score = values["arms"], values["score"]
    figure = Figure(figsize=(11.5, 1.7 + 0.42 * len(arms)), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(plotted(title), color=INK, fontsize=12, fontweight="bold")
    left, right = figure.subplots(1, 2, sharey=True)
    _arms(left, arms, score, score.replace("-", " ") + ", %")
    rare = "recall" if score != "recall" else "balanced-accuracy"
    _arms(
        right,
        arms,
        rare,
        (f"recall of class {values['rare class']}" if rare == "recall" else "balanced accuracy") + ", %",
    )
    left.set_yticks(range(len(arms)), [plotted(arm["title"]) for arm in arms.values()])
    left.invert_yaxis()
    said = textwrap.wrap(values["verdict"]["sentence"], CAPTION)
    figure.supxlabel("\n".join(plotted(line, CAPTION) for line in said), fontsize=8.5, color=INK)
    with atomic_file(path) as file:
        figure.savefig(file, format="png", dpi=110, metadata={"Software": None})


def _arms(axes: Axes, arms: Mapping[str, Any], score: str, title: str) -> None:
    """A row for each arm: its seeds as dots, mean and interval as a line."""
    for place, arm in enumerate(arms.values()):
        of, color = arm["scores"][score], ROLES.get(arm["role"], SOFT)
        each = [100 * value for value in arm["by seed"][score]]
        axes.plot(each, [place] * len(each), "o", color=color, alpha=0.3, markersize=4, markeredgewidth=0)
        half = 100 * (of["half"] or 0)
        axes.errorbar(100 * of["value"], place, xerr=half, fmt="o", color=color, markersize=6, linewidth=2, capsize=3)
    axes.set_title(plotted(title), loc="left", fontsize=10, color=INK)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(GRID)
    axes.tick_params(colors=SOFT, labelsize=8.5, length=0)
