"""`gan init`: a preset as a TOML file with all its options explained, to be edited."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gancli.cli import options as o

PLACE = 0

File = Annotated[Path, typer.Argument(metavar="FILE", help="TOML file to write; -: print it.")]


def command(
    file: File = Path("gan.toml"),
    preset: o.Preset = None,
    set_: o.Set = None,
    plugin: o.Plugin = None,
    quiet: o.Quiet = False,
    json: o.Json = False,
) -> None:
    """Write a preset as a commented TOML file, for gan train --config."""
    from gancli.core.config import merge, parse_set
    from gancli.core.errors import UsageError
    from gancli.report.console import Console
    from gancli.runs.files import quoted

    console = Console(quiet=quiet, json=json)
    o.plugins(plugin)
    printed = str(file) == "-"
    if not printed and file.exists():
        raise UsageError(f"{file} exists", "name another file")
    if not printed and not file.parent.is_dir():
        raise UsageError(f"there is no folder {file.parent}", f"mkdir -p {quoted(file.parent)}")

    from gancli.report.template import template

    name = preset or "textbook"
    text = template(name, "FILE" if printed else quoted(file), merge(parse_set(item) for item in set_ or ()))
    if printed:
        typer.echo(text, nl=False)
        return
    with file.open("x") as out:
        out.write(text)
    console.note(f"preset {name} -> {file}; edit it, then: gan train --config {quoted(file)}")
    console.result({"out": str(file), "preset": name}, only_json=True)
