"""Several runs compared by what differs between their configurations: seeds are grouped, with their mean and spread."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gancli.evaluation.contracts import Score
from gancli.evaluation.results import Evaluation, in_order
from gancli.report.output import Output
from gancli.report.scores import BETTER, compared, number
from gancli.report.text import distinct

SIGN = {"lower": 1.0, "higher": -1.0}
CLEAR = 2.0  # joint standard errors by which the best must be ahead
FIRST = 5  # scores in the table; the CSV has all


@dataclass(frozen=True)
class Group:
    """Runs that differ in nothing but their seeds."""

    settings: Mapping[str, str]  # what differs from other groups: key -> value
    runs: tuple[str, ...]

    @property
    def label(self) -> str:
        """`loss hinge, lr 0.001`; the run's name where nothing differs."""
        return ", ".join(f"{_last(key)} {value}" for key, value in self.settings.items()) or self.runs[0]


@dataclass(frozen=True)
class Mean:
    """A score's mean over the seeds of a group."""

    value: float
    spread: float | None  # standard deviation over seeds; None for one
    error: float | None  # standard error: of the mean over seeds; of one run that of sampling

    @property
    def text(self) -> str:
        beside = self.error if self.spread is None else self.spread
        return number(self.value) + ("" if beside is None else f" ±{number(beside)}")


def _last(key: str) -> str:
    return key.removesuffix(".name").rpartition(".")[2]


def grouped(names: Sequence[str], different: Mapping[str, Mapping[str, Any]]) -> list[Group]:
    """Groups of runs.

    Args:
        names: of the runs.
        different: keys of the configurations that differ, and their values in each run.
    """
    if "seed" not in different:  # the same run twice, or copies: not seeds
        return [Group({}, (name,)) for name in names]
    keys = [key for key in different if key != "seed"]
    told = {key: dict(zip(names, distinct([different[key].get(name) for name in names]), strict=True)) for key in keys}
    found: dict[tuple[str, ...], list[str]] = {}
    unknown = [name for name in names if name not in different["seed"]]  # configurations that cannot be read
    for name in names:
        if name not in unknown:
            found.setdefault(tuple(told[key][name] for key in keys), []).append(name)
    made = [Group(dict(zip(keys, values, strict=True)), tuple(runs)) for values, runs in found.items()]
    return made + [Group({}, (name,)) for name in unknown]


def mean(scores: Sequence[Score]) -> Mean:
    """The mean of a score over runs."""
    values = np.array([score.value for score in scores])
    if len(values) == 1:
        return Mean(float(values[0]), None, scores[0].error)
    spread = float(values.std(ddof=1))
    return Mean(float(values.mean()), spread, spread / math.sqrt(len(values)))


def table(found: Mapping[str, Evaluation], groups: Sequence[Group]) -> dict[str, dict[str, Mean]]:
    """Score -> mean by the label of each group."""
    names = in_order(dict.fromkeys(name for evaluation in found.values() for name in evaluation.scores))
    out: dict[str, dict[str, Mean]] = {}
    for name in names:
        for group in groups:
            scores = [found[run].scores[name] for run in group.runs if name in found[run].scores]
            if scores:
                out.setdefault(name, {})[group.label] = mean(scores)
    return out


def best(means: Mapping[str, Mean], better: str) -> str | None:
    """The group that is ahead of every other by more than two joint standard errors over seeds; None without several seeds each."""
    sign = SIGN.get(better)
    if sign is None or len(means) < 2 or any(m.spread is None for m in means.values()):
        return None
    (label, first), *others = sorted(means.items(), key=lambda item: sign * item[1].value)
    ahead = (sign * (m.value - first.value) > CLEAR * math.hypot(m.error or 0, first.error or 0) for _, m in others)
    return label if all(ahead) else None


def show(console: Output, found: Mapping[str, Evaluation], groups: Sequence[Group]) -> None:
    """Print one table, a row for each group; on a narrow terminal it has fewer scores."""
    means = table(found, groups)
    first = list(means)[:FIRST]
    better = {name: next(e.scores[name].better for e in found.values() if name in e.scores) for name in first}
    winners = {name: best(means[name], better[name]) for name in first}
    heads = ["runs", "seeds", *(f"{name.partition('@')[0]} {BETTER.get(better[name], '')}" for name in first)]
    rows = []
    for group in groups:
        cells = [means[name][group.label].text if group.label in means[name] else "-" for name in first]
        marked = [
            f"{cell}{'*' if winners[name] == group.label else ' '}" for name, cell in zip(first, cells, strict=True)
        ]
        rows.append([group.label, str(len(group.runs)), *marked])
    console.say(compared(next(iter(found.values())).protocol), "bold")
    console.say("")
    right = range(1, len(heads))
    console.sheet(heads, rows, right=right, leave_out=[*range(len(heads) - 1, 2, -1), 1])
    console.say("")
    console.say("± is the standard deviation over seeds; of a single run the standard error of sampling alone.")
    console.say("* is ahead of all others by two joint standard errors over seeds.")


def as_csv(found: Mapping[str, Evaluation], groups: Sequence[Group]) -> str:
    """A line for each run and score, and for each group's mean: group, run, score, value, error, spread, seeds."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["group", "run", "score", "value", "error", "spread", "seeds"])
    for group in groups:
        for run in group.runs:
            for name, score in found[run].scores.items():
                writer.writerow(
                    [group.label, run, name, score.value, "" if score.error is None else score.error, "", 1]
                )
    for name, means in table(found, groups).items():
        for group in groups:
            if (m := means.get(group.label)) is not None:
                numbers = ["" if x is None else x for x in (m.error, m.spread)]
                writer.writerow([group.label, "", name, m.value, *numbers, len(group.runs)])
    return out.getvalue()


def plot(
    found: Mapping[str, Evaluation],
    groups: Sequence[Group],
    journals: Mapping[str, Sequence[Mapping[str, Any]]],
    path: Path,
) -> None:
    """Write a PNG: the losses of all runs, and the first scores by group with a dot for each seed.

    Args:
        found: the evaluations.
        groups: of the runs.
        journals: the lines of metrics.jsonl of each run.
        path: of the picture.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    means, seeds = table(found, groups), any(len(group.runs) > 1 for group in groups)
    first = list(means)[:3]
    figure = Figure(figsize=(4.4 * (1 + len(first)), 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    curves, *bars = figure.subplots(1, 1 + len(first), squeeze=False)[0]
    colors = [f"C{i % 10}" for i in range(len(groups))]
    for color, group in zip(colors, groups, strict=True):
        for i, run in enumerate(group.runs):
            points = [(line["images"], line["g_loss"]) for line in journals.get(run, ()) if "g_loss" in line]
            if points:
                marker = "." if len(points) == 1 else ""  # a line of one point is not seen
                curves.plot(
                    *zip(*points, strict=True), marker=marker, color=color, lw=1.1, label=None if i else group.label
                )
    curves.set_title("loss of G", loc="left", fontsize=10)
    curves.set_xlabel("training images", fontsize=8.5)
    for axes, name in zip(bars, first, strict=True):
        for i, (color, group) in enumerate(zip(colors, groups, strict=True)):
            dots = [found[run].scores[name].value for run in group.runs if name in found[run].scores]
            axes.plot([i] * len(dots), dots, "o", color=color, ms=5, alpha=0.7)
            middle = means[name].get(group.label)
            if middle is not None:  # the bar: as in the table
                half = middle.error or 0 if middle.spread is None else middle.spread
                axes.errorbar(i, middle.value, yerr=half, color=color, capsize=6, lw=1.5, zorder=3)
                axes.hlines(middle.value, i - 0.3, i + 0.3, color=color, lw=2)
        axes.set_xticks(range(len(groups)), [group.label for group in groups], rotation=30, ha="right", fontsize=8)
        axes.set_title(name, loc="left", fontsize=10)
        axes.set_xlabel(f"± standard {'deviation over seeds' if seeds else 'error of sampling'}", fontsize=8.5)
        axes.margins(x=0.15, y=0.15)
    for axes in (curves, *bars):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    if len(groups) > 1:
        curves.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=110)
