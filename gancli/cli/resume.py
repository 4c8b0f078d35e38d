"""`gan resume`: go on where a run stopped, to the same bits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gancli.cli import options as o
from gancli.cli.train import finish

PLACE = 2


def command(
    run: o.RunName = None,
    epochs: o.Epochs = None,
    images: o.Images = None,
    max_steps: o.MaxSteps = None,
    max_minutes: o.MaxMinutes = None,
    until: o.Until = None,
    set_: o.Set = None,
    plugin: o.Plugin = None,
    data_dir: o.DataDir = None,
    download: o.Download = True,
    allow_data_change: Annotated[
        bool, typer.Option("--allow-data-change", help="Go on though the data changed.", rich_help_panel="Data")
    ] = False,
    micro_batch: o.MicroBatch = None,
    on_divergence: o.OnDivergence = o.Divergence.stop,
    runs_dir: o.RunsDir = o.RUNS,
    quiet: o.Quiet = False,
    json: o.Json = False,
    device: o.Device = None,
    precision: o.Precision = None,
    threads: o.Threads = None,
) -> None:
    """Resume a run. --epochs 80 makes it longer; what it learns cannot be changed."""
    flags: dict[str, Any] = {
        "epochs": epochs, "images": images, "max_steps": max_steps, "max_minutes": max_minutes, "until": until,
        "device": device, "precision": precision, "threads": threads, "micro_batch": micro_batch,
    }  # fmt: skip
    from gancli.distributed.ranks import here, number
    from gancli.report.console import Console
    from gancli.runs import folder

    console = Console(quiet=quiet, json=json, rank=number())
    o.plugins(plugin)
    layers = o.layers(flags, set_)
    found = folder.find(runs_dir, run)

    from gancli.training.prepare import again
    from gancli.training.session import train
    from gancli.training.start import extend

    console.note(f"resuming {found.path}")
    cfg = extend(found, layers)
    where = Path(str(found.json("data.json").get("data_dir", "."))) if data_dir is None else data_dir
    size = list(cfg.data.image_size) if cfg.data.image_size else None
    how = o.reading(console, where, size, cfg.data.channels, download, cfg.data.holdout, cfg.data.validation)
    plan = again(cfg, how, here())
    reason = train(
        found, plan, [console], True, allow_data_change, on_divergence.value, begun=lambda: console.open(found)
    )[0]
    if plan.ranks.first:
        finish(found, console, reason, plan.cfg.stop.until)
    plan.ranks.close()
