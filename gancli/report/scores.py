"""An evaluation as tables for the terminal: a row for each score; a row for each method where there are several baselines."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from gancli.evaluation.results import Evaluation, in_order
from gancli.report import classes
from gancli.report.output import Output

BETTER = {"lower": "↓", "higher": "↑", "reference": "≈"}
NUMBERS = 32  # columns of the terminal that value, error and reference take
BESIDE = 2  # baselines that are columns of the table of scores


def number(value: float | None) -> str:
    """A value to four significant digits; a dash for none."""
    if value is None or not math.isfinite(value):
        return "–"
    if value != 0 and (abs(value) < 1e-3 or abs(value) >= 1e5):
        return f"{value:.2e}"
    return f"{value:.4g}"


def compared(protocol: Mapping[str, Any]) -> str:
    """What was compared: `10,000 samples with 10,000 of the test set, features digits-v1`."""
    features = protocol.get("features")
    return (
        f"{protocol.get('n_fake', 0):,} samples with {protocol.get('n_real', 0):,} of the {protocol.get('split', 'data')}"
        f"{f', features {features}' if features else ''}"
    )


def show(console: Output, evaluation: Evaluation) -> None:
    """Print an evaluation: a row for each score with its standard error, reference score, further baselines and meaning.

    Args:
        console: to print to; on a narrow terminal the meanings and the baselines are left out, and the usual features of the names.
        evaluation: the scores.
    """
    baselines = _baselines(evaluation)
    beside = baselines if len(baselines) <= BESIDE else []  # more of them get a table of their own
    heads = ["score", "value", "±", "reference", *beside, "", "what it says"]
    names = in_order(evaluation.scores)
    narrow = console.width < NUMBERS + max(map(len, names), default=0)
    usual = f"@{evaluation.protocol.get('features')}" if narrow else "@"  # which the first line says
    rows = []
    for name in names:
        score = evaluation.scores[name]
        numbers = [score.value, score.error, score.reference, *(score.baselines.get(b) for b in beside)]
        rows.append([name.removesuffix(usual), *map(number, numbers), BETTER.get(score.better, ""), score.meaning])
    last = len(heads) - 1
    console.say(compared(evaluation.protocol), "bold")
    console.say("")
    console.sheet(
        heads, rows, right=range(1, last - 1), bold={(i, 1) for i in range(len(rows))},
        leave_out=[last, *range(last - 2, 3, -1), last - 1],
    )  # fmt: skip
    if len(baselines) > BESIDE:
        _methods(console, evaluation, baselines)
    classes.show(console, evaluation)
    console.say("")
    console.say(legend())
    if reasons := _reasons(evaluation.protocol):
        console.say(reasons)


def _baselines(evaluation: Evaluation) -> list[str]:
    return list(dict.fromkeys(name for score in evaluation.scores.values() for name in score.baselines))


def _methods(console: Output, evaluation: Evaluation, baselines: list[str]) -> None:
    """Print a row for each method (the model, then the baselines, the best first), and the gain over the best of them.

    If there are more scores than methods, each has a row, and the methods are columns.
    """
    scores = {name.split("@")[0]: score for name, score in evaluation.scores.items() if score.baselines}
    first = next(iter(scores.values()))
    sign = 1 if first.better == "lower" else -1
    heads = ["method", *(f"{name} {BETTER.get(score.better, '')}" for name, score in scores.items())]
    rows = [["this model", *(number(score.value) for score in scores.values())]]
    for name in sorted(baselines, key=lambda name: sign * first.baselines.get(name, math.inf)):
        rows.append([name, *(number(score.baselines.get(name)) for score in scores.values())])
    console.say("")
    turned = len(scores) > len(rows)
    if turned:
        heads, *rows = [list(row) for row in zip(heads, *rows, strict=True)]
        heads[0] = "score"
    right = range(1, len(heads))
    bold = {(i, 1) for i in range(len(rows))} if turned else {(0, i) for i in right}
    console.sheet(heads, rows, right=right, bold=bold)
    for name, score in scores.items():
        if score.gain is not None:
            error = number(score.gain_error)
            console.say(f"Gain: {name} {score.gain:+.3g} ± {error} over {score.best_baseline}")


def legend() -> str:
    """What the signs of a table mean."""
    return "± is one standard error. ↓ lower is better, ↑ higher is better, ≈ nearer to the reference is better."


def _reasons(protocol: Mapping[str, Any]) -> str:
    """Which metrics were left out, and why."""
    reasons: dict[str, list[str]] = {}
    for name, reason in dict(protocol.get("skipped", {})).items():
        if not str(reason).startswith("it scores "):  # samples of another kind
            reasons.setdefault(str(reason), []).append(name)
    if not reasons:
        return ""
    return "Not computed: " + "; ".join(f"{', '.join(names)} ({why})" for why, names in reasons.items()) + "."
