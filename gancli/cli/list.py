"""`gan list`: parts, presets and configuration keys with their options; runs with their state."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gancli.cli import options as o
from gancli.core.errors import UsageError

if TYPE_CHECKING:
    from gancli.report.console import Console

PLACE = 7
GROUPS = {"averaging": "ema", "schedule": "schedule", "schedules": "schedule"}  # other words for configuration keys

Kind = Annotated[
    str | None,
    typer.Argument(
        help="presets, config, runs, a group of the configuration (intervals, ema, ...), or a kind of part (data, loss, ...). "
        "Default: all parts and presets."
    ),
]
Name = Annotated[str | None, typer.Argument(help="One of them: show its options.")]
Schema = Annotated[bool, o.option("Output", "Print the JSON Schema of the configuration.", "--schema")]


def command(
    kind: Kind = None,
    name: Name = None,
    schema: Schema = False,
    plugin: o.Plugin = None,
    runs_dir: o.RunsDir = o.RUNS,
    json: o.Json = False,
) -> None:
    """List parts, presets, configuration keys and runs: gan list loss, gan list loss hinge, gan list config."""
    from gancli.core import registry
    from gancli.core.schema import configuration
    from gancli.report import catalog
    from gancli.report.console import Console

    console = Console(json=json)
    o.plugins(plugin)
    if schema and kind is not None:
        raise UsageError("--schema is of the whole configuration", f"leave {kind} out")
    if schema:
        console.dump(configuration())
    elif kind in ("run", "runs"):
        _runs(console, runs_dir, name)
    elif kind == "config":
        _config(console, name)
    elif kind in GROUPS or (kind in catalog.top_keys() and kind not in ("preset", *registry.kinds())):
        key = GROUPS.get(kind, kind)
        _config(console, key if name is None else f"{key}.{name}")
    else:
        _parts(console, kind, name)


def _runs(console: Console, runs_dir: Path, name: str | None) -> None:
    from gancli.report import catalog
    from gancli.report.listing import show_runs
    from gancli.runs import folder

    one = None if name is None else folder.find(runs_dir, name)
    found = catalog.runs(runs_dir) if one is None else {one.name: catalog.run(one)}
    show_runs(console, found)
    if not found:
        console.note(f"no run in {runs_dir} yet  ->  gan train makes one; see --runs-dir")


def _config(console: Console, name: str | None) -> None:
    from gancli.core.registry import nearest
    from gancli.report import catalog
    from gancli.report.listing import show_configuration

    found = catalog.configuration()
    wanted = {key: o for key, o in found.items() if name is None or f".{name}." in f".{key}."}
    if not wanted:
        groups = {key.partition(".")[0] for key in found}
        raise UsageError(f"no configuration key {name!r}", nearest(name or "", [*found, *groups]))
    show_configuration(console, wanted)


def _parts(console: Console, kind: str | None, name: str | None) -> None:
    from gancli.core import registry
    from gancli.report import catalog
    from gancli.report.listing import show_catalog

    kinds = ["preset", *registry.kinds()]
    plurals = {plural: k for k in kinds for plural in (k, f"{k}s", f"{k}es", f"{k[:-1]}ies")}
    if kind is not None and kind not in plurals:
        others = list(dict.fromkeys([*kinds, "runs", "config", *catalog.top_keys(), "schedule"]))
        raise UsageError(
            f"no kind of part {kind!r}", registry.nearest(kind, others) or f"there are: {', '.join(others)}"
        )
    wanted = kinds if kind is None else [plurals[kind]]
    show_catalog(console, {k: _entries(k, name, whole=console.json) for k in wanted}, detail=name)
    if kind is None and not console.json:
        show_catalog(console, {"configuration": catalog.top_keys()}, detail=None)
        console.say("Options of a part: gan list loss hinge")
        console.say("Keys for gan train --set: gan list intervals, gan list schedule, ...")


def _entries(kind: str, name: str | None, whole: bool) -> dict[str, Any]:
    """The parts of a kind, or one of them; `whole`: with their options."""
    from gancli.core import registry
    from gancli.report import catalog

    if kind == "preset":
        every = catalog.preset_lines()
        if name is not None and name not in every:
            raise UsageError(f"no preset {name!r}", registry.nearest(name, every))
        return every if name is None else {name: every[name]}
    if name is not None:
        return {name: {**catalog.part(registry.find(kind, name)), "keys": catalog.places(kind)}}
    return {n: catalog.part(part) for n, part in registry.parts(kind).items()} if whole else catalog.briefly(kind)
