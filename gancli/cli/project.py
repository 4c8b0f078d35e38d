"""`gan project`: where in latent space an image lies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gancli.cli import options as o
from gancli.cli.naming import run_and_files
from gancli.core.errors import UsageError

PLACE = 9


def command(
    run: o.RunName = None,
    images: Annotated[list[str] | None, typer.Argument(metavar="IMAGE...", help="Images to project.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="PNG: the images above their projections.")] = Path(
        "projected.png"
    ),
    label: Annotated[
        str | None, typer.Option(help="Class of all images, or of each: 7, or its name.", show_default="the nearest")
    ] = None,
    step: o.Step = None,
    steps: Annotated[int, typer.Option(min=1, help="Optimization steps.")] = 300,
    plugin: o.Plugin = None,
    runs_dir: o.RunsDir = o.RUNS,
    quiet: o.Quiet = False,
    json: o.Json = False,
) -> None:
    """Find the latent vectors whose images are closest to given images."""
    from gancli.report.console import Console
    from gancli.runs import folder
    from gancli.runs.files import check_parent

    console = Console(quiet=quiet, json=json)
    if out.suffix.lower() != ".png":
        raise UsageError(f"--out {out}: projections are shown in a grid", "use .png")
    check_parent(out)
    name, words = run_and_files(run, images, "image")
    files = [Path(word) for word in words]
    o.plugins(plugin)
    found = folder.find(runs_dir, name)
    if name is None:
        console.note(f"run {found.path}")

    import numpy as np
    import torch

    from gancli.core.files import write_atomic
    from gancli.core.images import grid, png, to_uint8
    from gancli.inference.loading import load
    from gancli.inference.projection import picture, project
    from gancli.runs.files import disk

    model = load(found.path, step=step, note=console.note)
    targets = np.stack([picture(path, model.latent("project images")[1]) for path in files])
    labels = None if label is None else o.labels(label, model.classes)
    if labels is not None and len(labels) == 1:
        labels *= len(files)
    result = project(model, torch.from_numpy(targets).float() / 127.5 - 1, labels, steps, progress=console.bar)
    console.end()
    classes = {} if result.labels is None else {"labels": result.labels}
    shown = np.concatenate([targets, to_uint8(result.images)])
    with disk("the picture", out, then=""):
        recipe = {"run": found.name, "images": [p.name for p in files], **classes}
        write_atomic(out, png(grid(shown, len(files)), recipe))
    for i, (path, error) in enumerate(zip(files, result.error.tolist(), strict=True)):
        name = "" if result.labels is None else f"class {model.class_name(result.labels[i])}, "
        console.note(f"{path.name}: {name}root mean squared difference {error:.3f} of 1")
    console.note(f"pictures above, projections below -> {out}")
    numbers = {"error": result.error.tolist(), "z": result.z.tolist(), **classes}
    console.result({"out": str(out), **numbers}, only_json=True)
