"""An evaluation by class: asked for, seen as such, precision, copies, and a verdict."""

from __future__ import annotations

from collections.abc import Mapping

from gancli.core.registry import parts
from gancli.evaluation.contracts import Metric, Score
from gancli.evaluation.metrics.label_agreement import FEWEST
from gancli.evaluation.results import Evaluation, in_order, score_names
from gancli.report.output import Output

FINE, FEW = "ok", "too-few"


def by_class(evaluation: Evaluation) -> dict[str, Score]:
    """The scores whose details are classes, by their heads in the table."""
    out: dict[str, Score] = {}
    for name in in_order(evaluation.scores):
        bare, score = name.split("@", maxsplit=1)[0], evaluation.scores[name]
        metric = parts("metric").get(score_names().get(bare, ""))
        if isinstance(metric, type) and issubclass(metric, Metric) and bare in metric.by_class and score.detail:
            out.setdefault(metric.by_class[bare], score)
    return out


def show(console: Output, evaluation: Evaluation) -> None:
    """Print a row for each class that was asked for, if there are scores by class.

    Args:
        console: to print to; on a narrow terminal the numbers of reals are left out.
        evaluation: the scores.
    """
    columns, asked = by_class(evaluation), dict(evaluation.protocol.get("asked", {}))
    names = [name for name, n in asked.items() if n]
    if not columns or len(names) < 2:
        return
    heads, beside = ["class", "asked for"], []
    for head, score in columns.items():
        heads.append(head)
        if score.reference_detail:
            beside.append(len(heads))
            heads.append("reals")
    rows = [[name, f"{asked[name]:,}", *_cells(name, columns), _verdict(name, columns, asked[name])] for name in names]
    console.say("")
    right = range(1, len(heads))
    console.sheet([*heads, "verdict"], rows, right=right, leave_out=beside[::-1])


def _cells(name: str, columns: Mapping[str, Score]) -> list[str]:
    out = []
    for score in columns.values():
        out.append(_share(score.detail, name))
        if score.reference_detail:
            out.append(_share(score.reference_detail, name))
    return out


def _share(of: Mapping[str, float], name: str) -> str:
    return f"{of[name]:.0%}" if name in of else "-"


def _verdict(name: str, columns: Mapping[str, Score], asked: int) -> str:
    """Which scores warn of the class; of few samples none can."""
    if asked < FEWEST:
        return FEW
    bad = {head: score.better for head, score in columns.items() if name in score.warnings}
    return ", ".join(f"not-{head}" if better == "higher" else head for head, better in bad.items()) or FINE


def warnings(evaluation: Evaluation, only: list[str] | None = None) -> list[str]:
    """What scores warn of, each once.

    Args:
        evaluation: the scores.
        only: classes (or other details) that are asked about; None: all.
    """
    found = [score.warnings for score in evaluation.scores.values()]
    return list(dict.fromkeys(text for of in found for name, text in of.items() if only is None or name in only))
