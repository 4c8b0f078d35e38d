"""`gan list`: every part and every preset, with its options."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gancli.cli import options as o
from gancli.errors import UsageError

PLACE = 7


def command(
    kind: Annotated[str | None, typer.Argument(help="presets, data, model, loss, ...; not given: all.")] = None,
    name: Annotated[str | None, typer.Argument(help="One part: all its options.")] = None,
    plugin: o.Plugin = None,
    json: o.Json = False,
) -> None:
    """List parts and presets. `gan list loss` names the losses, `gan list loss hinge` tells one's options."""
    from gancli import registry
    from gancli.catalogue import part, preset_lines
    from gancli.config import presets
    from gancli.report.console import Console

    o.plugins(plugin)
    console = Console(json=json)
    kinds = ["preset", *registry.kinds()]
    wanted = None if kind is None else kind.rstrip("s") if kind not in kinds else kind
    wanted = {"losse": "loss", "penaltie": "penalty"}.get(wanted or "", wanted)
    if wanted is not None and wanted not in kinds:
        raise UsageError(
            f"no kind of part {kind!r}", registry.nearest(kind or "", kinds) or f"there are: {', '.join(kinds)}"
        )
    found: dict[str, Any] = {}
    for k in kinds if wanted is None else [wanted]:
        if k == "preset":
            found[k] = preset_lines()
            if name is not None and name not in presets():
                raise UsageError(f"no preset {name!r}", registry.nearest(name, presets()))
        elif name is not None:
            found[k] = {name: part(registry.find(k, name))}
        else:
            found[k] = {n: part(c) for n, c in registry.parts(k).items()}
    console.catalogue(found, detail=name)
