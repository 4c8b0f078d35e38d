"""`gan train`: from data to a trained generator."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gancli.cli import options as o

if TYPE_CHECKING:
    from gancli.report.console import Console
    from gancli.runs.folder import Run

PLACE = 1


def command(
    data: Annotated[
        str | None,
        typer.Option(help="A data set's name (gan list data), a folder, a zip or an npz.", rich_help_panel="Data"),
    ] = None,
    data_dir: o.DataDir = None,
    image_size: Annotated[str | None, typer.Option(help="32, or 28x20 (height first).", rich_help_panel="Data")] = None,
    channels: Annotated[int | None, typer.Option(help="1 grey, 3 color.", rich_help_panel="Data")] = None,
    download: o.Download = True,
    preset: Annotated[str | None, typer.Option(help="A recipe (gan list presets).", rich_help_panel="Model")] = None,
    model: Annotated[str | None, typer.Option(help="The nets (gan list model).", rich_help_panel="Model")] = None,
    loss: Annotated[str | None, typer.Option(help="The loss (gan list loss).", rich_help_panel="Model")] = None,
    config: Annotated[
        Path | None, typer.Option(help="A TOML file, or a run's config.json.", rich_help_panel="Model")
    ] = None,
    set_: o.Set = None,
    plugin: o.Plugin = None,
    epochs: o.Epochs = None,
    images: o.Images = None,
    max_steps: o.MaxSteps = None,
    max_minutes: o.MaxMinutes = None,
    until: o.Until = None,
    evaluate_every: Annotated[
        int | None, typer.Option(help="Images between evaluations.", rich_help_panel="Training")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images per step.", rich_help_panel="Training")] = None,
    micro_batch: o.MicroBatch = None,
    on_divergence: o.OnDivergence = o.Divergence.stop,
    seed: Annotated[int | None, typer.Option(help="Of everything random.", rich_help_panel="Training")] = None,
    name: Annotated[str | None, typer.Option(help="The run's name.", rich_help_panel="Output")] = None,
    runs_dir: o.RunsDir = o.RUNS,
    save_every: Annotated[
        int | None, typer.Option(min=1, help="Images between checkpoints.", rich_help_panel="Output")
    ] = None,
    keep: Annotated[
        int | None, typer.Option(min=1, help="Checkpoints kept beside the best.", rich_help_panel="Output")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, write nothing.", rich_help_panel="Output")
    ] = False,
    quiet: o.Quiet = False,
    json: o.Json = False,
    device: o.Device = None,
    precision: o.Precision = None,
    threads: o.Threads = None,
    deterministic: Annotated[
        bool | None,
        typer.Option(
            "--deterministic", help="On a GPU: only kernels that repeat to the bit.", rich_help_panel="Runtime"
        ),
    ] = None,
) -> None:
    """Train a GAN. With nothing else: on MNIST if it is there, else on scikit-learn's digits."""
    flags: dict[str, Any] = {
        "data": data, "image_size": o.size(image_size), "channels": channels, "model": model, "loss": loss,
        "epochs": epochs, "images": images, "max_steps": max_steps, "max_minutes": max_minutes, "until": until,
        "evaluate_every": evaluate_every, "batch_size": batch_size, "seed": seed, "device": device,
        "precision": precision, "threads": threads, "micro_batch": micro_batch, "save_every": save_every,
        "keep": keep, "deterministic": deterministic,
    }  # fmt: skip
    from gancli.core.config import data_asked, read_table
    from gancli.distributed.ranks import here, nameless, number
    from gancli.report.console import Console
    from gancli.runs.folder import check_place

    console = Console(quiet=quiet, json=json, rank=number())
    check_place(runs_dir, name)
    if not dry_run:
        nameless(name)
    o.plugins(plugin)
    layers = [read_table(config)] if config else []
    layers += o.layers(flags, set_)
    asked = data_asked(layers)

    from gancli.training.prepare import Request, make, rehearse
    from gancli.training.session import train
    from gancli.training.start import begin
    from gancli.training.validation import check

    how = o.reading(console, data_dir, asked.image_size, asked.channels, download, asked.holdout, asked.validation)
    request = Request(layers, preset, how.data_dir, how.cache_dir, download)
    plan = make(request, how, here())
    console.plan(plan)
    if dry_run:
        check(plan)
        console.settings(plan)
        console.result({**rehearse(plan), **({"config": plan.cfg.dump()} if json else {})})
        return
    run, resumed = begin(request, plan, runs_dir, name)
    console.open(run)
    reason = train(run, plan, [console], resumed, on_divergence=on_divergence.value)[0]
    if plan.ranks.first:
        finish(run, console, reason, plan.cfg.stop.until)
    plan.ranks.close()


def finish(run: Run, console: Console, reason: str, until: str | None) -> None:
    """The curves, and what to do next. Nobody holds the run's state any more, so its memory is free for them."""
    from gancli.report.curves import draw
    from gancli.runs import journal
    from gancli.training.memory import give_back_freed

    give_back_freed()
    lines, curves = journal.read(run.journal), run.path / "curves.png"
    try:
        draw(lines, curves, run.name)
    except OSError as error:
        console.warn(f"the curves could not be drawn: {error.strerror}")
    if until and reason != "quality":
        longer = {"steps": "--max-steps", "minutes": "--max-minutes"}.get(reason, "--epochs")
        console.warn(f"{until} was not reached; gan resume {run.path} {longer} N goes on")
    newest = max(run.samples.glob("*.png"), default=None, key=lambda p: (len(p.name), p.name))
    console.finished(run.path, newest, curves if curves.exists() else None, reason)
    console.result({"run": str(run.path), "stopped": reason, **(lines[-1] if lines else {})}, only_json=True)
