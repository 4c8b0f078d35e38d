"""An evaluation to look at: a picture of samples, closest training data and charts of scores."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec, SubplotSpec
from matplotlib.image import imread
from matplotlib.layout_engine import ConstrainedLayoutEngine

from gancli.core.errors import ResourceError
from gancli.core.files import atomic_file
from gancli.core.registry import parts
from gancli.core.samples import Samples
from gancli.core.titles import ROW, ROWS
from gancli.evaluation.contracts import Chart, Metric, Score
from gancli.evaluation.results import Evaluation, Pairs, in_order, score_names
from gancli.report.scores import compared, number
from gancli.report.text import plotted

INK, SOFT, GRID = "#20242c", "#6b7280", "#e5e7eb"
FAKE, REAL, ALARM = "#2f6fde", "#b9c2d0", "#d9480f"
SCORES = 6  # in the picture
WIDE, NAME = 78, 28  # characters in a line above a panel, and in the name of a score, at their usual size
COLUMNS = 12  # samples in a row, where there are many classes
BARS = 40  # bars of a chart, at most
LINES, LONGEST = 32, 60  # lines of text in the picture, and characters of a line


def picture(evaluation: Evaluation, path: Path) -> None:
    """Write evaluation.png.

    Args:
        evaluation: as it was made, with its samples.
        path: of the picture.

    Raises:
        ResourceError: the file cannot be written.
    """
    drawn = figure(evaluation)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph")  # that the font does not have
            with atomic_file(path) as file:
                drawn.savefig(file, format="png", dpi=120)
    except OSError as error:
        raise ResourceError(f"cannot write {path}: {error.strerror}", "choose another --out") from None


def figure(evaluation: Evaluation) -> Figure:
    """The first samples, the closest pairs, scores, and the charts that the metrics have."""
    engine = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1, wspace=0.04, hspace=0.05)
    pairs = evaluation.pairs if evaluation.pairs is not None and evaluation.pairs.pairs else None
    whole = Figure(figsize=(12, 8.4 if pairs else 6.6), facecolor="white", layout=engine)
    FigureCanvasAgg(whole)
    halves = GridSpec(1, 2, figure=whole, width_ratios=[1.12, 1])
    left, right = halves[0], halves[1]
    _samples(whole, left, evaluation, pairs)
    first = headlines(evaluation)
    charts = _charts(evaluation)
    panels = [0.15 * (len(first) + 1), *([0.9] * len(charts) or [0.15 * (2 * SCORES - len(first))])]
    grid = right.subgridspec(len(panels), 1, height_ratios=panels)
    _headline(whole.add_subplot(grid[0]), evaluation, first)
    for i, (chart, scores) in enumerate(charts.items()):
        DRAWN[chart.of](whole.add_subplot(grid[i + 1]), chart, scores)
    return whole


def _samples(figure: Figure, place: SubplotSpec, evaluation: Evaluation, pairs: Pairs | None) -> None:
    """The samples, and below them the pairs."""
    heights = [3.4, 1] if pairs else [1]
    rows = place.subgridspec(len(heights), 1, height_ratios=heights)
    axes = figure.add_subplot(rows[0])
    axes.axis("off")
    axes.set_anchor("N")
    samples, names = evaluation.samples, list(evaluation.protocol.get("asked", ()))
    _title(axes, "Samples", "the first of each class, not chosen" if names else "the first ones, not chosen")
    if samples is not None:
        _show(axes, samples, 10 if not names else ROW if len(names) <= ROWS else COLUMNS, names)
    if pairs is not None:
        _pairs(figure.add_subplot(rows[1]), pairs)


def _show(axes: Axes, samples: Samples, columns: int, classes: Sequence[str] = ()) -> None:
    """Samples as they render themselves."""
    recipe = {"classes": classes} if classes else None
    MEDIA[samples.media](axes, samples.render(min(columns, len(samples)), recipe).content)


def _image(axes: Axes, content: bytes) -> None:
    axes.imshow(imread(io.BytesIO(content)), cmap="gray", vmin=0, vmax=1)


def _text(axes: Axes, content: bytes) -> None:
    lines = content.decode(errors="replace").splitlines()[:LINES]
    shown = "\n".join(line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…" for line in lines)
    said = axes.text(0, 1, shown, va="top", family="monospace", fontsize=8, color=INK, transform=axes.transAxes)
    said.set_parse_math(False)


MEDIA: dict[str, Callable[[Axes, bytes], None]] = {"image": _image, "text": _text}  # by `Samples.media`


def _pairs(axes: Axes, pairs: Pairs) -> None:
    both = pairs.fakes.concat([pairs.fakes, pairs.trains])
    _show(axes, both, len(pairs.pairs))
    n, (low, high), (bottom, top) = len(pairs.pairs), axes.get_xlim(), axes.get_ylim()
    places = [low + (i + 0.5) * (high - low) / n for i in range(n)]
    axes.set_xticks(places, [f"{p.ratio:.2f}" for p in pairs.pairs], fontsize=8.5)
    axes.set_yticks([top + (bottom - top) * part for part in (0.25, 0.75)], ["sample", "training"], fontsize=9)
    axes.tick_params(length=0, colors=SOFT)
    for spine in axes.spines.values():
        spine.set_visible(False)
    _title(axes, "Most like a training sample", "distance / distance to the next: 0 is a copy")


def _title(axes: Axes, text: str, beside: str = "") -> None:
    axes.set_title(text, loc="left", fontsize=11, fontweight="bold", color=INK)
    if beside:
        room = WIDE - 1.6 * len(text)  # the title is larger and bold
        axes.set_title(beside, loc="right", fontsize=min(8.5, 8.5 * room / len(beside)), color=SOFT)


def _metric(name: str) -> type[Metric] | None:
    """The metric that gives a score, if it is known here."""
    cls = parts("metric").get(score_names().get(name.split("@", maxsplit=1)[0], ""))
    return cls if cls is not None and issubclass(cls, Metric) else None


def headlines(evaluation: Evaluation) -> list[tuple[str, Score]]:
    """The scores that one looks at first, then others, as far as there is room."""

    def first(name: str) -> bool:
        metric = _metric(name)
        return metric is not None and name.split("@", maxsplit=1)[0] in metric.headlines

    names = in_order(evaluation.scores)
    ordered = [*(n for n in names if first(n)), *(n for n in names if not first(n))]
    return [(name, evaluation.scores[name]) for name in ordered[:SCORES]]


def _charts(evaluation: Evaluation) -> dict[Chart, dict[str, Score]]:
    """The scores of each chart by their bare names, charts of details first."""
    found: dict[Chart, dict[str, Score]] = {}
    for name in in_order(evaluation.scores):
        bare, score = name.split("@", maxsplit=1)[0], evaluation.scores[name]
        metric = _metric(name)
        chart = None if metric is None else metric.charts.get(bare)
        if chart is not None and (chart.of == "value" or 2 <= len(score.detail) <= BARS):
            found.setdefault(chart, {})[bare] = score
    return dict(sorted(found.items(), key=lambda item: item[0].of))


def _headline(axes: Axes, evaluation: Evaluation, shown: list[tuple[str, Score]]) -> None:
    """Scores as text."""
    axes.axis("off")
    _title(axes, "Scores", compared(evaluation.protocol))
    row = 1 / (len(shown) + 1)
    small = min(10.0, 10.0 * NAME / max((len(name) for name, _ in shown), default=1))
    for x, text in ((0.5, "value"), (0.72, "± error"), (0.98, "reference")):
        axes.text(x, 1 - row / 2, text, ha="right", va="center", fontsize=8.5, color=SOFT, transform=axes.transAxes)
    for i, (name, score) in enumerate(shown):
        cells = ((0.0, name, "left"), (0.5, number(score.value), "right"), (0.72, number(score.error), "right"))
        for x, text, side in (*cells, (0.98, number(score.reference), "right")):
            said = axes.text(x, 1 - (i + 1.5) * row, text, ha=side, va="center", transform=axes.transAxes)
            said.set(
                fontsize=10 if x else small,
                color=ALARM if score.alarm else INK,
                fontweight="bold" if x == 0.5 else "normal",
            )


def _details(axes: Axes, chart: Chart, scores: Mapping[str, Score]) -> None:
    """A bar for each detail of a share, in per cent; lines at the reference's."""
    (score,) = list(scores.values())[:1]
    names, values = list(score.detail), np.array(list(score.detail.values()))
    reals = np.array([score.reference_detail.get(n, np.nan) for n in names])
    names, places = [plotted(name) for name in names], np.arange(len(names))
    axes.bar(places, 100 * values, color=FAKE, width=0.72)
    axes.hlines(100 * reals, places - 0.42, places + 0.42, color=INK, lw=1.4)
    axes.set_xticks(places, names, fontsize=8.5, rotation=0 if max(map(len, names)) <= 4 else 40)
    _bare(axes)
    _title(axes, chart.title, chart.beside)


def _values(axes: Axes, chart: Chart, scores: Mapping[str, Score]) -> None:
    """A bar for each score with its 95 % interval, and the reference's beside it."""
    for i, score in enumerate(scores.values()):
        low, high = score.interval or (score.value, score.value)
        low, high = max(low, min(0.0, score.value)), min(high, 1.0) if score.how.startswith("binomial") else high
        error = [[score.value - low], [high - score.value]]
        axes.bar(i - 0.19, score.value, 0.36, color=FAKE, yerr=error, ecolor=INK, capsize=3, error_kw={"lw": 1})
        if score.reference is not None:
            axes.bar(i + 0.19, score.reference, 0.36, color=REAL)
        place, up = (i - 0.19, high), (0, 3)
        axes.annotate(f"{score.value:.2f}", place, up, textcoords="offset points", ha="center", fontsize=8.5)
    axes.set_xticks(range(len(scores)), list(scores), fontsize=9.5, color=INK)
    axes.margins(y=0.16)
    _bare(axes)
    _title(axes, chart.title, chart.beside)


DRAWN: dict[str, Callable[[Axes, Chart, Mapping[str, Score]], None]] = {"detail": _details, "value": _values}


def _bare(axes: Axes) -> None:
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(GRID)
    axes.tick_params(length=0, colors=SOFT, labelsize=8.5)
    axes.grid(axis="y", color=GRID, lw=0.8)
    axes.set_axisbelow(True)
