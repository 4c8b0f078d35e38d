"""`gan sweep`: a run for each combination of values and seed, as a queue that can be stopped and continued."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gancli.cli import groups as g
from gancli.cli import options as o
from gancli.core.errors import ResourceError, UsageError

if TYPE_CHECKING:
    from gancli.api.sweep import Sweep
    from gancli.core.config import Layer

PLACE = 5
OPEN, CLOSE = "[{", "]}"

Folder = Annotated[
    Path,
    typer.Argument(
        metavar="FOLDER", help="Folder of the sweep. If it exists and nothing else is said, it is continued."
    ),
]
Seeds = Annotated[
    int, typer.Option(min=1, max=1000, help="Runs of each combination, with seeds 0, 1, ... or from --seed on.")
]
Metrics = Annotated[str | None, typer.Option(help="Comma-separated metrics of the evaluation.", show_default="all")]
N = Annotated[int | None, typer.Option("--n", "-n", min=2, help="Samples of each evaluation.", show_default="10,000")]


@g.spread
def command(
    folder: Folder,
    source: g.DataOptions,
    recipe: g.RecipeOptions,
    length: g.LengthOptions,
    sets: g.SetOptions,
    runtime: g.RuntimeOptions,
    seeds: Seeds = 3,
    metrics: Metrics = None,
    n: N = None,
    quiet: o.Quiet = False,
    json: o.Json = False,
) -> None:
    """Train and evaluate runs that differ in some settings, several seeds each: --set task.loss=hinge,rpgan --seeds 3."""
    from gancli.report.console import Console

    console = Console(quiet=quiet, json=json)
    o.plugins(sets.plugin)

    from gancli.api import sweep as queue
    from gancli.core.config import merge

    fixed, vary = split(sets.set_ or [])
    given = g.layers(source, recipe, length, g.SetOptions(fixed, sets.plugin), runtime)
    base = _base(merge(given), recipe.preset)
    if folder.exists() and not base and not vary:
        made = queue.read(folder)
    else:
        first = int(base.pop("seed", 0))
        of = [*(("--n", str(n)) if n else ()), *(("--metrics", metrics) if metrics else ())]
        made = queue.Sweep(
            folder, vary, list(range(first, first + seeds)), base, _train(source, sets), [*of, *_plugins(sets)]
        )
        queue.begin(made)
    rows = queue.run(made, console.note)
    _report(console, made, rows)


def split(texts: list[str]) -> tuple[list[str], dict[str, list[Any]]]:
    """What `--set` fixes, and what it varies: "task.loss=hinge,rpgan". Commas within brackets and quotes separate nothing."""
    from gancli.core.config import parse_set

    fixed, vary = [], dict[str, list[Any]]()
    for text in texts:
        key, _, values = text.partition("=")
        pieces = _pieces(values)
        if len(pieces) < 2:
            fixed.append(text)
            continue
        if any(not piece.strip() for piece in pieces):
            raise UsageError(f"--set {text!r} has an empty value", "example: --set task.loss=hinge,rpgan")
        name = key.strip()
        vary[name] = []
        for piece in pieces:
            value: Any = parse_set(f"{key}={piece.strip()}")
            for part in name.split("."):
                value = value[part]
            vary[name].append(value)
    return fixed, vary


def _pieces(text: str) -> list[str]:
    out, depth, quote = [""], 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        depth += (character in OPEN) - (character in CLOSE)
        if character == "," and not depth and not quote:
            out.append("")
        else:
            out[-1] += character
    return out


def _base(layer: Layer, preset: str | None) -> Layer:
    """What all runs have in common; a path of data is made absolute, since a sweep may be continued from elsewhere."""
    out = {**layer, **({"preset": preset} if preset else {})}
    source = out.get("data", {}).get("source")
    path = source.get("path") if isinstance(source, dict) else source
    if isinstance(path, str) and Path(path).exists():
        absolute = str(Path(path).resolve())
        out["data"] = {**out["data"], "source": {**source, "path": absolute} if isinstance(source, dict) else absolute}
    return out


def _plugins(sets: g.SetOptions) -> list[str]:
    return [word for file in sets.plugin or () for word in ("--plugin", str(file.resolve()))]


def _train(source: g.DataOptions, sets: g.SetOptions) -> list[str]:
    """Options of `gan train` that are no keys of the configuration."""
    place = ["--data-dir", str(source.data_dir.resolve())] if source.data_dir else []
    return [*place, *([] if source.download else ["--no-download"]), *_plugins(sets)]


def _report(console: Any, made: Sweep, rows: list[dict[str, Any]]) -> None:
    from gancli.api import sweep as queue
    from gancli.report import groups

    found, together = queue.done(made)
    console.end()
    if console.json:
        console.dump({"path": str(made.path), "runs": rows})
    elif found:
        groups.show(console, found, together)
    if found:
        console.note(f"table    {made.path / 'results.csv'}   plot {made.path / 'sweep.png'}")
    if missing := list(queue.failures(rows)):
        raise ResourceError(
            f"{len(missing)} of {len(rows)} runs failed: {', '.join(missing[:5])}", f"see {made.path / 'logs'}"
        )
