"""`gan export`: a trained model in another format, compared with the original."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gancli.cli import completing
from gancli.cli import options as o

PLACE = 5

To = Annotated[
    str,
    typer.Option(
        "--to",
        metavar="FORMAT",
        help="Format (gan list export): onnx, html, keras, ...",
        autocompletion=completing.parts("export"),
    ),
]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", metavar="PATH", help="File or folder.", show_default="RUN.SUFFIX")
]
Ema = Annotated[bool, typer.Option(help="Use the EMA weights, or the raw ones.")]
Direction = Annotated[
    str, typer.Option(help="Which mapping, of a model with several: b-to-a.", show_default="the first")
]
License = Annotated[str, typer.Option("--license", help="License of the weights, such as cc-by-4.0.")]


def command(
    run: o.RunName = None,
    to: To = "onnx",
    out: Out = None,
    ema: Ema = True,
    step: o.Step = None,
    direction: Direction = "",
    license_: License = "unknown",
    plugin: o.Plugin = None,
    runs_dir: o.RunsDir = o.RUNS,
    quiet: o.Quiet = False,
    json: o.Json = False,
) -> None:
    """Write a trained model in another format. The result is run and compared with the original before it is kept."""
    from gancli.report.console import Console
    from gancli.runs import folder

    console = Console(quiet=quiet, json=json)
    o.plugins(plugin)

    from gancli.export.contracts import Source
    from gancli.export.writing import export, format_of

    form = format_of(to)
    found = folder.find(runs_dir, run)
    if run is None:
        console.note(f"run {found.path}")
    source = Source(found.path, step, ema, direction, license_, console.note)
    out = Path(f"{source.name}{form.suffix or f'-{form.name}'}") if out is None else out
    parity = export(form, source, out)
    if parity is not None:
        console.note(parity.describe())
    console.note(f"{form.name} -> {out}")
    facts = {} if parity is None else {"largest_difference": parity.largest, "differing_pixels": parity.differing}
    console.result({"out": str(out), "format": form.name, **facts}, only_json=True)
