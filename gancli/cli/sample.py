"""`gan sample`: images from a trained generator."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gancli.cli import options as o
from gancli.core.errors import UsageError

PLACE = 3
LAST = 2**63 - 1  # of the seeds


def command(
    run: o.RunName = None,
    n: Annotated[
        int | None,
        typer.Option(
            "--n",
            "-n",
            min=1,
            max=1_000_000,
            help="How many images.",
            show_default="64; 8 seeds of a walk, 8 columns of --mix",
        ),
    ] = None,
    out: Annotated[
        str,
        typer.Option(
            "--out", "-o", metavar="PATH", help=".png a grid, a folder/ one file each, .gif a walk, .npz arrays."
        ),
    ] = "samples.png",
    seed: Annotated[
        int | None, typer.Option(min=0, max=LAST, help="Image i comes from seed + i alone.", show_default="0")
    ] = None,
    seeds: Annotated[str | None, typer.Option(help="These seeds: 0-63,99.")] = None,
    label: Annotated[
        str | None, typer.Option(help="All of this class: 7, or its name.", show_default="by the seed, 8 of each")
    ] = None,
    labels: Annotated[str | None, typer.Option(help="These classes in turn: 0-9, or cat,dog.")] = None,
    attr: Annotated[str | None, typer.Option(help="Attributes of all: slant=0.3,thickness=1.")] = None,
    truncation: Annotated[float, typer.Option(min=0, max=1, help="Below 1: less variety, more quality.")] = 1.0,
    ema: Annotated[bool, typer.Option(help="The averaged generator, or the raw one.")] = True,
    step: o.Step = None,
    nrow: Annotated[int | None, typer.Option(min=1, help="Images in a row of the grid.")] = None,
    mix: Annotated[
        str | None,
        typer.Option(
            help="A grid of mixed styles: coarse ones of these seeds, a row each; fine ones of --seeds, a column each."
        ),
    ] = None,
    mix_at: Annotated[
        int | None, typer.Option(min=1, help="The layer where the fine styles begin; not given: half.")
    ] = None,
    frames: Annotated[
        int | None, typer.Option(min=2, max=2000, help="Frames of a walk.", show_default="60; more for many seeds")
    ] = None,
    plugin: o.Plugin = None,
    runs_dir: o.RunsDir = o.RUNS,
    quiet: o.Quiet = False,
    json: o.Json = False,
    device: o.Device = None,
    threads: o.Threads = None,
) -> None:
    """Draw images. The same seed gives the same image, whatever else is drawn with it."""
    from gancli.distributed.ranks import here, number
    from gancli.report.console import Console
    from gancli.runs import folder

    console = Console(quiet=quiet, json=json, rank=number())
    if label is not None and labels is not None:
        raise UsageError("--label and --labels say the same thing", "give one of them")
    if mix is None and mix_at is not None:
        raise UsageError("--mix-at says where --mix goes over to fine styles", "add --mix 100-103")
    if mix is not None and nrow is not None:
        raise UsageError("--mix has a column for each seed of --seeds", "leave --nrow away")
    if seeds is not None and (n is not None or seed is not None):
        raise UsageError("--seeds names every seed", "leave --n and --seed away")
    rows = None if mix is None else o.seeds(mix)
    path = Path(out)
    into = out.endswith("/") or path.is_dir()
    walk = path.suffix.lower() == ".gif" and not into
    usual = 64 if rows is None and not walk else 8
    wanted = o.seeds(seeds) if seeds is not None else [(seed or 0) + i for i in range(n or usual)]
    if (last := max([*wanted, *(rows or [])])) > LAST:
        raise UsageError(f"there is no seed {last}", f"the last is {LAST}")
    count = len(wanted) * len(rows or [0])
    if count > 1_000_000:
        raise UsageError(f"--mix {mix} makes {count:,} images", "name fewer seeds")
    o.plugins(plugin)
    found = folder.find(runs_dir, run)
    if run is None:
        console.note(f"run {found.path}")

    from gancli.inference import writing
    from gancli.inference.loading import load
    from gancli.training import precision

    precision.set_threads(threads or 0)
    on = precision.device(here().device(device or "auto"))
    model = load(found.path, step=step, ema=ema, device=on, note=console.note)
    model.ranks = here()
    classes = None if label is None and labels is None else o.labels(label or labels or "", model.classes)
    facts = {"run": found.name, "step": model.tick.step, "ema": model.facts["ema"]}
    order = writing.Order(wanted, classes, nrow, frames, facts, o.attributes(attr), truncation, rows, mix_at, into)
    if not model.ranks.first:
        writing.help_out(model, order, path)
        return
    written = writing.write(model, order, path, console.bar)
    count, what = (order.length, "frames") if walk else (count, "images")
    console.note(f"{count} {what} of step {model.tick.step:,} -> {written}")
    if (found.path / "data.json").is_file():
        console.note(f"next     gan evaluate {found.path}")
    console.result({"out": str(written), "n": count, "seeds": [wanted[0], wanted[-1]], **facts}, only_json=True)
