"""`gan list`: every part and every preset, with its options; and the runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gancli.cli import options as o
from gancli.core.errors import UsageError

if TYPE_CHECKING:
    from gancli.report.console import Console

PLACE = 7


def command(
    kind: Annotated[
        str | None, typer.Argument(help="presets, data, model, loss, ... or runs; not given: all but runs.")
    ] = None,
    name: Annotated[str | None, typer.Argument(help="One of them: all its options.")] = None,
    plugin: o.Plugin = None,
    runs_dir: o.RunsDir = o.RUNS,
    json: o.Json = False,
) -> None:
    """List parts, presets and runs. `gan list loss` names the losses, `gan list loss hinge` tells one's options."""
    from gancli.core import registry
    from gancli.report.catalog import part, preset_lines
    from gancli.report.console import Console

    console = Console(json=json)
    if kind in ("run", "runs"):
        _runs(console, runs_dir, name)
        return
    o.plugins(plugin)
    kinds = ["preset", *registry.kinds()]
    wanted = None if kind is None else kind.rstrip("s") if kind not in kinds else kind
    wanted = {"losse": "loss", "penaltie": "penalty"}.get(wanted or "", wanted)
    if wanted is not None and wanted not in kinds:
        raise UsageError(
            f"no kind of part {kind!r}",
            registry.nearest(kind or "", [*kinds, "runs"]) or f"there are: {', '.join(kinds)}, runs",
        )
    found: dict[str, Any] = {}
    for k in kinds if wanted is None else [wanted]:
        if k == "preset":
            found[k] = preset_lines()
            if name is not None and name not in found[k]:
                raise UsageError(f"no preset {name!r}", registry.nearest(name, found[k]))
            found[k] = found[k] if name is None else {name: found[k][name]}
        elif name is not None:
            found[k] = {name: part(registry.find(k, name))}
        else:
            found[k] = {n: part(c) for n, c in registry.parts(k).items()}
    console.catalog(found, detail=name)


def _runs(console: Console, runs_dir: Path, name: str | None) -> None:
    from gancli.report import catalog
    from gancli.runs import folder

    one = None if name is None else folder.find(runs_dir, name)
    found = catalog.runs(runs_dir) if one is None else {one.name: catalog.run(one)}
    console.runs(found)
    if not found:
        console.note(f"no run in {runs_dir} yet  ->  gan train makes one; see --runs-dir")
