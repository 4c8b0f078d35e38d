"""`gan compare`: a table of several runs' scores, and of what differs between their configurations."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gancli.cli import options as o
from gancli.core.errors import CheckpointError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gancli.evaluation.results import Evaluation
    from gancli.report.console import Console
    from gancli.report.groups import Group
    from gancli.runs.folder import Run

PLACE = 5
Csv = Annotated[Path | None, o.option("Output", "Write all scores, by run and by group, to this CSV file.")]
Plot = Annotated[Path | None, o.option("Output", "Write a PNG with curves and scores, a dot for each seed.")]
FIRST = ("preset", "data", "task", "optimizer", "optimizers", "batch_size", "ema", "seed", "stop")


def command(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Runs that have been evaluated.")],
    runs_dir: o.RunsDir = o.RUNS,
    plugin: o.Plugin = None,
    csv: Csv = None,
    plot: Plot = None,
    json: o.Json = False,
) -> None:
    """Compare the scores of runs; several seeds are one row. Different protocols are rejected."""
    from gancli.core.files import Folder
    from gancli.evaluation.results import Evaluation, compare, plain
    from gancli.report import groups
    from gancli.report.comparison import best, show
    from gancli.report.console import Console
    from gancli.runs import folder
    from gancli.runs.files import MAX_JSON

    console = Console(json=json)
    o.plugins(plugin)
    there: dict[str, Run] = {}
    found: dict[str, Evaluation] = {}
    for word in runs:
        run = folder.find(runs_dir, word)
        file: Path = run.path / "evaluation.json"
        if not file.is_file():
            raise UsageError(f"{run.path} has not been evaluated", f"gan evaluate {run.word}")
        name = run.name if there.get(run.name, run) == run else str(run.path)
        try:
            there[name], found[name] = run, Evaluation.from_json(Folder(run.path).read(file.name, MAX_JSON))
        except CheckpointError as error:
            raise CheckpointError(f"{file}: {error.cause}", f"gan evaluate {run.word}") from None
    rows = compare(found)
    steps = {name: _step(e.protocol.get("fakes")) for name, e in found.items()}
    for row in rows:
        scores = {name: e.scores[row["score"]] for name, e in found.items() if row["score"] in e.scores}
        row |= {"better": next(iter(scores.values())).better, "best": best(scores), "steps": steps}
    _stale(console, there, steps)
    different = _different(console, there)
    together = groups.grouped(list(found), different)
    _write(console, there, found, together, csv, plot)
    if json:
        seeds = {g.label: list(g.runs) for g in together}
        means = {score: {k: asdict(m) for k, m in of.items()} for score, of in groups.table(found, together).items()}
        console.dump(plain({"rows": rows, "groups": seeds, "means": means}))
    elif not rows:
        console.note("these evaluations hold no score")
    elif not show(console, rows, next(iter(found.values())).protocol, different) or len(together) < len(found):
        groups.show(console, found, together)


def _write(
    console: Console, there: Mapping[str, Run], found: Mapping[str, Evaluation], together: list[Group],
    csv: Path | None, plot: Path | None,
) -> None:  # fmt: skip
    """The files of --csv and --plot."""
    from gancli.core.files import write_atomic
    from gancli.report import groups
    from gancli.runs import journal
    from gancli.runs.files import disk

    if csv is not None:
        with disk("the table", csv, then=""):
            write_atomic(csv, groups.as_csv(found, together).encode())
        console.note(f"table    {csv}")
    if plot is not None:
        if plot.suffix.lower() != ".png":
            raise UsageError(f"--plot {plot}: it is a picture", "use .png")
        with disk("the plot", plot, then=""):
            groups.plot(found, together, {name: journal.read(run.journal) for name, run in there.items()}, plot)
        console.note(f"plot     {plot}")


def _step(fakes: Any) -> Any:
    return fakes.get("step") if isinstance(fakes, dict) else None


def _stale(console: Console, there: Mapping[str, Run], steps: Mapping[str, Any]) -> None:
    from gancli.report.catalog import reached

    for name, run in there.items():
        now, _ = reached(run)
        if now is not None and isinstance(steps[name], int) and now != steps[name]:
            console.warn(
                f"{name} was scored at step {steps[name]:,} and is at step {now:,} now  ->  gan evaluate {run.word}"
            )


def _different(console: Console, there: Mapping[str, Run]) -> dict[str, dict[str, Any]]:
    """Key of the configuration -> its value in each run, where not all have the same; parts before their options."""
    from gancli.core.config import differences, flat

    configs = {}
    for name, run in there.items():
        try:
            configs[name] = run.config()
        except CheckpointError as error:
            remedy = f"  ->  {error.remedy}" if error.remedy else ""
            console.warn(f"{name}: its configuration is not compared: {error.cause}{remedy}")
    first = next(iter(configs.values()), None)
    keys = {key for cfg in configs.values() if first is not None for key in differences(first, cfg)}
    values = {name: flat(cfg.dump()) for name, cfg in configs.items()}
    order = sorted((k for k in keys if not k.startswith("runtime.")), key=_weight)
    return {key: {name: value.get(key) for name, value in values.items()} for key in order}


def _weight(key: str) -> tuple[bool, int, str]:
    top = key.partition(".")[0]
    return not key.endswith((".name", "preset")), FIRST.index(top) if top in FIRST else len(FIRST), key
