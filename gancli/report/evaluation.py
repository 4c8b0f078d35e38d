"""An evaluation to look at: a picture (samples, closest training images, classes, shares) and a table for the terminal."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.layout_engine import ConstrainedLayoutEngine
from rich import box
from rich.markup import escape
from rich.table import Table

from gancli.core.errors import ResourceError, UsageError
from gancli.evaluation.evaluator import Evaluation, Fakes, Score

INK, SOFT, GRID = "#20242c", "#6b7280", "#e5e7eb"
FAKE, REAL, ALARM = "#2f6fde", "#b9c2d0", "#d9480f"
SHARES = ("precision", "recall", "density", "coverage")
HEADLINES = ("fid", "fid-inf", "kid", "precision", "recall", "copied-p")
ROWS = 6  # of them in the picture
BETTER = {"lower": "↓", "higher": "↑", "floor": "≈"}


ALARMING = 0.01  # share of copies from which on they are marked
FIRST = ("fid", "fid-inf", "kid", "precision", "recall", "density", "coverage", "class-kl", "class-entropy", "copied-p")


def number(value: float | None) -> str:
    """A value to four significant digits; a dash for none."""
    if value is None or not math.isfinite(value):
        return "–"
    if value != 0 and (abs(value) < 1e-3 or abs(value) >= 1e5):
        return f"{value:.2e}"
    return f"{value:.4g}"


def table(evaluation: Evaluation, words: bool = True) -> Table:
    """One row a score: value, ± standard error, floor (what real images get), and what it says in plain words.

    The scores that one looks at first come first. Without `words` it fits 80 columns.
    """
    p = evaluation.protocol
    title = (
        f"{p.get('n_fake', 0):,} samples against {p.get('n_real', 0):,} held-out reals, features {p.get('features')}"
    )
    out = Table(
        box=box.SIMPLE_HEAD,
        title=title,
        title_justify="left",
        title_style="bold",
        caption=_caption(p),
        caption_justify="left",
    )
    out.add_column("score", no_wrap=True)
    out.add_column("value", justify="right", no_wrap=True, style="bold")
    out.add_column("±", justify="right", no_wrap=True)
    out.add_column("reals get", justify="right", no_wrap=True)
    out.add_column("", no_wrap=True)
    if words:
        out.add_column("what it says")
    for name, score in sorted(evaluation.scores.items(), key=lambda item: rank(item[0])):
        cells = [
            escape(name),
            number(score.value),
            number(score.error),
            number(score.floor),
            BETTER.get(score.better, ""),
        ]
        out.add_row(*cells, *([escape(score.meaning)] if words else []))
    return out


def share_copied(evaluation: Evaluation) -> float:
    found = _scores(evaluation, "copied")
    return 0.0 if found is None else found.value


def rank(name: str) -> tuple[int, str]:
    bare = name.split("@", maxsplit=1)[0]
    return (FIRST.index(bare) if bare in FIRST else len(FIRST)), name


def _caption(protocol: Any) -> str:
    lines = ["± is one standard error. ↓ lower is better, ↑ higher is better, ≈ nearer to the reals is better."]
    if skipped := dict(protocol.get("skipped", {})):
        lines.append("Not computed: " + "; ".join(f"{k} ({v})" for k, v in skipped.items()) + ".")
    return escape("\n".join(lines))


def picture(evaluation: Evaluation, fakes: Fakes, path: Path) -> None:
    """Write evaluation.png. Raises ResourceError if the file cannot be written."""
    histogram = _scores(evaluation, "class-entropy")
    shares = [s for s in SHARES if _scores(evaluation, s) is not None]
    classes = histogram is not None and 2 <= len(histogram.detail) <= 40
    engine = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1, wspace=0.04, hspace=0.05)
    figure = Figure(figsize=(12, 8.4 if evaluation.pairs else 6.6), facecolor="white", layout=engine)
    FigureCanvasAgg(figure)
    halves = GridSpec(1, 2, figure=figure, width_ratios=[1.12, 1])
    left, right = halves[0], halves[1]
    heights = [3.4, 1] if evaluation.pairs else [1]
    rows = left.subgridspec(len(heights), 1, height_ratios=heights)
    _samples(figure.add_subplot(rows[0]), fakes)
    if evaluation.pairs:
        _pairs(figure.add_subplot(rows[1]), evaluation)
    first = headlines(evaluation)
    charts = [h for h, on in ((1.0, classes), (0.9, bool(shares))) if on]
    panels = [0.15 * (len(first) + 1), *(charts or [0.15 * (2 * ROWS - len(first))])]
    grid = right.subgridspec(len(panels), 1, height_ratios=panels)
    cells = iter([grid[i] for i in range(len(panels))])
    _headline(figure.add_subplot(next(cells)), evaluation, first)
    if classes and histogram is not None:
        _histogram(figure.add_subplot(next(cells)), histogram)
    if shares:
        _bars(figure.add_subplot(next(cells)), evaluation, shares)
    try:
        figure.savefig(path, dpi=120)
    except OSError as error:
        raise ResourceError(f"cannot write {path}: {error.strerror}", "choose another --out") from None


def _scores(evaluation: Evaluation, name: str) -> Score | None:
    try:
        return evaluation.score(name)
    except UsageError:
        return None


def _shown(image: np.ndarray) -> np.ndarray:
    """uint8 [C, H, W] -> [H, W, 3]."""
    rgb = image if image.shape[0] == 3 else np.repeat(image[:1], 3, 0)
    return rgb.transpose(1, 2, 0)


def _tiled(images: list[np.ndarray], columns: int, gap: int) -> np.ndarray:
    """Images [H, W, 3] as one, on white."""
    h, w, _ = images[0].shape
    rows = -(-len(images) // columns)
    out = np.full((rows * (h + gap) - gap, columns * (w + gap) - gap, 3), 255, np.uint8)
    for i, image in enumerate(images):
        r, c = divmod(i, columns)
        out[r * (h + gap) : r * (h + gap) + h, c * (w + gap) : c * (w + gap) + w] = image
    return out


def _title(axes: Axes, text: str, beside: str = "") -> None:
    axes.set_title(text, loc="left", fontsize=11, fontweight="bold", color=INK)
    if beside:
        axes.set_title(beside, loc="right", fontsize=8.5, color=SOFT)


def _samples(axes: Axes, fakes: Fakes) -> None:
    n = min(100, len(fakes.images))
    columns = max(1, min(10, n))
    h = fakes.images.shape[2]
    axes.imshow(_tiled([_shown(i) for i in fakes.images[:n]], columns, max(1, h // 14)), interpolation="nearest")
    axes.axis("off")
    axes.set_anchor("N")
    _title(axes, "Samples", "the first ones, not chosen")


def _pairs(axes: Axes, evaluation: Evaluation) -> None:
    pairs = evaluation.pairs
    h, w = pairs[0].fake_image.shape[1:]
    gap = max(1, h // 14)
    both = [_shown(p.fake_image) for p in pairs] + [_shown(p.train_image) for p in pairs]
    axes.imshow(_tiled(both, len(pairs), gap), interpolation="nearest")
    axes.set_yticks([h / 2, h + gap + h / 2], ["sample", "training"], fontsize=9, color=INK)
    axes.set_xticks([i * (w + gap) + w / 2 for i in range(len(pairs))], [f"{p.ratio:.2f}" for p in pairs], fontsize=8.5)
    axes.tick_params(length=0, colors=SOFT)
    for spine in axes.spines.values():
        spine.set_visible(False)
    _title(axes, "Most like a training image", "distance / distance to the next: 0 is a copy")


def headlines(evaluation: Evaluation) -> list[tuple[str, Score]]:
    """The scores that one looks at first, then others, as far as there is room."""

    def order(item: tuple[str, Score]) -> tuple[int, tuple[int, str]]:
        bare = item[0].split("@")[0]
        return (HEADLINES.index(bare) if bare in HEADLINES else ROWS), rank(item[0])

    return sorted(evaluation.scores.items(), key=order)[:ROWS]


def _headline(axes: Axes, evaluation: Evaluation, shown: list[tuple[str, Score]]) -> None:
    """Scores as text."""
    axes.axis("off")
    p = evaluation.protocol
    _title(axes, "Scores", f"{p['n_fake']:,} samples, {p['n_real']:,} held-out reals")
    row = 1 / (len(shown) + 1)
    for x, text in ((0.5, "value"), (0.72, "± error"), (0.98, "reals get")):
        axes.text(x, 1 - row / 2, text, ha="right", va="center", fontsize=8.5, color=SOFT, transform=axes.transAxes)
    for i, (name, score) in enumerate(shown):
        alarm = name.startswith("copied-p") and score.value < 0.05 and share_copied(evaluation) >= ALARMING
        cells = ((0.0, name, "left"), (0.5, number(score.value), "right"), (0.72, number(score.error), "right"))
        for x, text, side in (*cells, (0.98, number(score.floor), "right")):
            said = axes.text(x, 1 - (i + 1.5) * row, text, ha=side, va="center", transform=axes.transAxes)
            said.set(fontsize=10, color=ALARM if alarm else INK, fontweight="bold" if x == 0.5 else "normal")


def _histogram(axes: Axes, score: Score) -> None:
    names, values = list(score.detail), np.array(list(score.detail.values()))
    reals = np.array([score.floor_detail.get(n, np.nan) for n in names])
    axes.bar(np.arange(len(names)), 100 * values, color=FAKE, width=0.72)
    axes.hlines(100 * reals, np.arange(len(names)) - 0.42, np.arange(len(names)) + 0.42, color=INK, lw=1.4)
    axes.set_xticks(np.arange(len(names)), names, fontsize=8.5, rotation=0 if max(map(len, names)) <= 4 else 40)
    _bare(axes)
    _title(axes, "Classes of the samples", "%, by the classifier; line: reals")


def _bars(axes: Axes, evaluation: Evaluation, shares: list[str]) -> None:
    for i, name in enumerate(shares):
        score = _scores(evaluation, name)
        assert score is not None
        error = 1.96 * (score.error or 0)
        axes.bar(i - 0.19, score.value, 0.36, color=FAKE, yerr=error, ecolor=INK, capsize=3, error_kw={"lw": 1})
        if score.floor is not None:
            axes.bar(i + 0.19, score.floor, 0.36, color=REAL)
        axes.annotate(
            f"{score.value:.2f}",
            (i - 0.19, score.value + error),
            (0, 3),
            textcoords="offset points",
            ha="center",
            fontsize=8.5,
        )
    axes.set_xticks(range(len(shares)), shares, fontsize=9.5, color=INK)
    axes.margins(y=0.16)
    _bare(axes)
    _title(axes, "How the sets overlap", "blue: samples (95 %); grey: what reals get")


def _bare(axes: Axes) -> None:
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(GRID)
    axes.tick_params(length=0, colors=SOFT, labelsize=8.5)
    axes.grid(axis="y", color=GRID, lw=0.8)
    axes.set_axisbelow(True)
