"""`gan studio`: build, train and try models in a browser."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Annotated

import typer

from gancli.cli import options as o
from gancli.core.errors import UsageError

PLACE = 8
NEEDS = ("starlette", "uvicorn", "jinja2")

Port = Annotated[int | None, typer.Option(min=0, max=65535, help="Port.", show_default="the first free one from 8642")]
Host = Annotated[str, typer.Option(help="Address to listen on. Other machines reach it only if it is not 127.0.0.1.")]
AllowHost = Annotated[
    list[str] | None, typer.Option(help="Name by which the studio may be called, such as that of a proxy.")
]
Browser = Annotated[bool, typer.Option(help="Open the page in a browser.")]
Data = Annotated[
    list[Path] | None,
    typer.Option("--data", help="Folder whose content may be named as data, besides the current one."),
]
UploadLimit = Annotated[float, typer.Option(min=0.001, help="Gigabytes of one upload.")]


def command(
    runs_dir: o.RunsDir = o.RUNS,
    port: Port = None,
    host: Host = "127.0.0.1",
    browser: Browser = True,
    data: Data = None,
    data_dir: o.DataDir = None,
    upload_limit: UploadLimit = 2.0,
    allow_host: AllowHost = None,
    plugin: o.Plugin = None,
    quiet: o.Quiet = False,
) -> None:
    """Open the studio: choose data, train, watch, try, compare and export in a browser. It needs the extra studio."""
    if missing := [name for name in NEEDS if importlib.util.find_spec(name) is None]:
        raise UsageError(f"gan studio needs {' and '.join(missing)}", "pip install 'gancli[studio]'")
    from gancli.runs.folder import check_place
    from gancli.studio.place import Place
    from gancli.studio.serve import serve

    check_place(runs_dir)
    for folder in data or []:
        if not folder.is_dir():
            raise UsageError(f"--data {folder}: there is no such folder")
    for file in plugin or []:
        if not file.is_file():
            raise UsageError(f"--plugin {file}: there is no such file")
    start = Path.cwd()
    place = Place(
        runs=Path(os.path.abspath(runs_dir)),  # noqa: PTH100 - a link stays one
        data_dir=None if data_dir is None else data_dir.expanduser().absolute(),
        roots=(start, *(folder.resolve() for folder in data or [])),
        plugins=tuple(file.resolve() for file in plugin or []),
        most_upload=round(upload_limit * 1e9),
        start=start,
    )
    serve(place, host, port, tuple(allow_host or ()), browser, (lambda _: None) if quiet else typer.echo)
