"""`gan compare`: a table of several runs' scores, and of what differs between their configurations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gancli.cli import options as o
from gancli.core.errors import CheckpointError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gancli.evaluation.results import Evaluation
    from gancli.report.console import Console
    from gancli.runs.folder import Run

PLACE = 5
FIRST = ("preset", "data", "task", "optimizer", "optimizers", "batch_size", "ema", "seed", "stop")


def command(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Runs that have been evaluated.")],
    runs_dir: o.RunsDir = o.RUNS,
    plugin: o.Plugin = None,
    json: o.Json = False,
) -> None:
    """Compare the scores of runs side by side. Different protocols are rejected."""
    from gancli.core.files import Folder
    from gancli.evaluation.results import Evaluation, compare, plain
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
            raise UsageError(f"{run.path} has not been evaluated", f"gan evaluate {run.path}")
        name = run.name if there.get(run.name, run) == run else str(run.path)
        try:
            there[name], found[name] = run, Evaluation.from_json(Folder(run.path).read(file.name, MAX_JSON))
        except CheckpointError as error:
            raise CheckpointError(f"{file}: {error.cause}", f"gan evaluate {run.path}") from None
    rows = compare(found)
    steps = {name: _step(e.protocol.get("fakes")) for name, e in found.items()}
    for row in rows:
        scores = {name: e.scores[row["score"]] for name, e in found.items() if row["score"] in e.scores}
        row |= {"better": next(iter(scores.values())).better, "best": best(scores), "steps": steps}
    _stale(console, there, steps)
    if json:
        console.dump(plain({"rows": rows}))
    elif not rows:
        console.note("these evaluations hold no score")
    else:
        show(console, rows, next(iter(found.values())).protocol, _different(console, there))


def _step(fakes: Any) -> Any:
    return fakes.get("step") if isinstance(fakes, dict) else None


def _stale(console: Console, there: Mapping[str, Run], steps: Mapping[str, Any]) -> None:
    from gancli.report.catalog import reached

    for name, run in there.items():
        now, _ = reached(run)
        if now is not None and isinstance(steps[name], int) and now != steps[name]:
            console.warn(
                f"{name} was scored at step {steps[name]:,} and is at step {now:,} now  ->  gan evaluate {run.path}"
            )


def _different(console: Console, there: Mapping[str, Run]) -> dict[str, dict[str, Any]]:
    """Key of the configuration -> its value in each run, where not all have the same; parts before their options."""
    from gancli.core.config import differences, flat

    configs = {}
    for name, run in there.items():
        try:
            configs[name] = run.config()
        except CheckpointError as error:
            console.warn(f"{name}: its configuration is not compared: {error.cause}")
    first = next(iter(configs.values()), None)
    keys = {key for cfg in configs.values() if first is not None for key in differences(first, cfg)}
    values = {name: flat(cfg.dump()) for name, cfg in configs.items()}
    order = sorted((k for k in keys if not k.startswith("runtime.")), key=_weight)
    return {key: {name: value.get(key) for name, value in values.items()} for key in order}


def _weight(key: str) -> tuple[bool, int, str]:
    top = key.partition(".")[0]
    return not key.endswith((".name", "preset")), FIRST.index(top) if top in FIRST else len(FIRST), key
