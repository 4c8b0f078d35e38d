"""`gan film`: a run's previews as a film."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gancli.cli import options as o

PLACE = 4

Out = Annotated[Path, typer.Option("--out", "-o", metavar="PATH", help=".gif, or .mp4 with the extra film.")]
Fps = Annotated[float, typer.Option(min=0.5, max=60, help="Frames per second.")]


def command(
    run: o.RunName = None,
    out: Out = Path("learning.gif"),
    fps: Fps = 8.0,
    runs_dir: o.RunsDir = o.RUNS,
    quiet: o.Quiet = False,
    json: o.Json = False,
) -> None:
    """Make a film of how a run learned: its previews, which are of the same seeds, with dates."""
    from gancli.core.files import write_atomic
    from gancli.report.console import Console
    from gancli.report.film import film, previews
    from gancli.runs import folder
    from gancli.runs.files import check_parent, disk

    console = Console(quiet=quiet, json=json)
    o.film(out)
    found = folder.find(runs_dir, run)
    if run is None:
        console.note(f"run {found.path}")
    check_parent(out)
    content = film(found, out.suffix.lower(), fps)
    with disk("the film", out, then=""):
        write_atomic(out, content)
    count = len(previews(found))
    console.note(f"{count} previews -> {out}")
    console.result({"out": str(out), "run": found.name, "previews": count}, only_json=True)
