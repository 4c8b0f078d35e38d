"""`gan compare`: a table of several runs' scores."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gancli.cli import options as o
from gancli.errors import UsageError

PLACE = 5


def command(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Runs that gan evaluate has scored.")],
    runs_dir: o.RunsDir = o.RUNS,
    json: o.Json = False,
) -> None:
    """Compare runs side by side. Scores of unlike protocols are refused."""
    from gancli.evaluate import Evaluation, compare
    from gancli.report.console import Console
    from gancli.run import folder

    console = Console(json=json)
    found = {}
    for name in runs:
        run = folder.find(runs_dir, name)
        file: Path = run.path / "evaluation.json"
        if not file.is_file():
            raise UsageError(f"{run.path} has not been evaluated", f"gan evaluate {run.path}")
        found[run.name] = Evaluation.from_json(file.read_text())
    console.rows(compare(found))
