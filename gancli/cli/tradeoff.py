"""`gan evaluate --temperatures`: quality against variety, with another run beside it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gancli.core.errors import UsageError

if TYPE_CHECKING:
    from gancli.cli.subjects import Subject
    from gancli.report.console import Console

OPTION = "temperature"
STEP, MOST = 0.1, 40  # between the temperatures of a range; temperatures
RANGE = re.compile(r"\s*(\d*\.?\d+)\s*-\s*(\d*\.?\d+)\s*")

Temperatures = Annotated[
    str | None,
    typer.Option(
        help="Of text: quality against variety at these temperatures, 0.7-1.3 or 0.8,1,1.1, instead of all scores."
    ),
]
Beside = Annotated[str | None, typer.Option(help="With --temperatures: another run, whose curve is drawn beside it.")]


@dataclass(frozen=True)
class Curves:
    """Quality against variety."""

    temperatures: Temperatures = None
    beside: Beside = None


NO_CURVES = Curves()


def curve(
    console: Console, of: Subject, asked: Curves, runs: Path, how: tuple[int, int, Any, Any], out: Path | None
) -> bool:
    """Measure curves, if they are asked for. Raises UsageError if there is no run."""
    if asked.temperatures is None:
        if asked.beside is not None:
            raise UsageError("--beside goes with --temperatures", "add --temperatures 0.7-1.3")
        return False
    if of.run is None:
        raise UsageError("--temperatures are those of a run", "name a run")
    _measured(console, of, asked.temperatures, asked, runs, how, out or of.run.path)
    return True


def temperatures(text: str) -> list[float]:
    """ "0.8-1.1" -> [0.8, 0.9, 1.0, 1.1]; "0.7,1" -> [0.7, 1.0]. Raises UsageError."""
    match = RANGE.fullmatch(text)
    try:
        if match is not None:
            low, high = float(match[1]), float(match[2])
            found = [round(low + i * STEP, 6) for i in range(min(MOST + 1, int((high - low) / STEP + 1.001)))]
        else:
            found = [float(piece) for piece in text.split(",")]
    except ValueError:
        found = []
    if len(found) < 2 or len(found) > MOST or not all(0 < value <= 100 for value in found) or found != sorted({*found}):
        raise UsageError(f"--temperatures {text!r} are not 2 to {MOST} growing temperatures", "0.7-1.3 or 0.8,1,1.1")
    return found


def _measured(
    console: Console, of: Subject, text: str, asked: Curves, runs: Path, how: tuple[int, int, Any, Any], out: Path
) -> None:
    """Measure and draw the curves of a run, and of another one beside it; write curve.json and curve.png.

    Raises:
        UsageError: the task has no such curve.
    """
    from gancli.cli import options as o
    from gancli.core.files import write_atomic
    from gancli.evaluation import inputs
    from gancli.evaluation.curve import measured, verdict
    from gancli.evaluation.evaluator import Evaluator
    from gancli.inference.loading import load
    from gancli.report.tradeoff import draw
    from gancli.runs import folder
    from gancli.runs.files import disk
    from gancli.training.prepare import cache_dir

    assert of.run is not None
    (n, seed, features, on), beside, values = how, asked.beside, temperatures(text)
    reading = o.reading(console, of.data_dir, of.download, recorded=inputs.data_dir(of.run))
    model, source, split = inputs.of_run(
        of.run, of.against, reading, of.ema, on, of.step, console.warn, of.standing, of.skip_broken, of.moved
    )
    tradeoff = model.task.tradeoff
    if not tradeoff:
        raise UsageError(f"the task {model.task.name!r} has no temperature", "leave --temperatures away")
    models = {of.run.name: model}
    if beside is not None:
        other = folder.find(runs, beside)
        models[other.name] = load(other.path, device=on, note=console.note)
        if type(models[other.name].spec) is not type(model.spec):
            raise UsageError(f"--beside {beside}: it has other samples", "name a run on the same data")
    evaluator = Evaluator(
        split.train, split.test, source.features, n=n, seed=seed, features=features, cache_dir=cache_dir(),
        device=str(on), progress=console.bar, note=console.note,
    )  # fmt: skip
    rest = (evaluator, split, OPTION, values, tradeoff, n, seed, cache_dir(), console.bar, console.note)
    found = [measured(one, name, *rest) for name, one in models.items()]
    said = verdict(found[0], found[1] if len(found) > 1 else None, tradeoff)
    table = {"option": OPTION, "n": n, "seed": seed, "curves": [c.to_dict() for c in found], "verdict": said}
    console.end()
    with disk("the curve", out, then=""):
        out.mkdir(parents=True, exist_ok=True)
        write_atomic(out / "curve.json", (json.dumps(table, indent=2) + "\n").encode())
        draw(found, tradeoff, out / "curve.png")
    if console.json:
        console.dump(table)
    for line in [] if console.json else said:
        console.say(line)
    console.note(f"curve    {out / 'curve.json'}   {out / 'curve.png'}")
