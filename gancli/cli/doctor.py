"""`gan doctor`: check this machine, and a run."""

from __future__ import annotations

from gancli.cli import options as o
from gancli.core.errors import CheckpointError, ResourceError, UsageError

PLACE = 9


def command(run: o.RunName = None, plugin: o.Plugin = None, runs_dir: o.RunsDir = o.RUNS, json: o.Json = False) -> None:
    """Check hardware, versions, disk space and every checkpoint of a run."""
    from gancli.report import doctor
    from gancli.report.console import Console
    from gancli.runs import folder

    console = Console(json=json)
    o.plugins(plugin)
    found: folder.Run | None = None
    try:
        found = folder.find(runs_dir, run)
    except UsageError:
        if run is not None:
            raise
    findings = list(doctor.of_system(runs_dir))
    ours = list(doctor.of_run(found)) if found is not None else []
    wrong = [f for f in findings + ours if f.verdict == "wrong"]
    if json:
        everything = [f.as_json() for f in findings + ours]
        console.result({"run": str(found.path) if found else None, "well": not wrong, "findings": everything})
    else:
        if found is not None:
            console.note(f"run {found.path}")
        for f in findings + ours:
            mark = {"ok": "ok   ", "note": "note ", "wrong": "WRONG"}[f.verdict]
            console.note(f"{mark} {f.what}: {f.said}{f'  ->  {f.remedy}' if f.remedy else ''}")
    if wrong:
        bad = wrong[0]
        error = CheckpointError if bad in ours else ResourceError
        count = f"{len(wrong)} problem{'s' if len(wrong) > 1 else ''}"
        raise error(f"{count} found; first: {bad.what}: {bad.said}", bad.remedy)
