"""Options that several verbs share, and how flags become configuration."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gancli.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gancli.core.config import Layer
    from gancli.core.data import Reading
    from gancli.report.console import Console

RunName = Annotated[str | None, typer.Argument(metavar="RUN", help="A run's name or path; not given: the newest.")]
RunsDir = Annotated[Path, typer.Option(envvar="GAN_RUNS_DIR", help="Where runs are kept.", rich_help_panel="Output")]
DataDir = Annotated[
    Path | None, typer.Option(envvar="GAN_DATA_DIR", help="Where data sets are kept.", rich_help_panel="Data")
]
Download = Annotated[bool, typer.Option(help="Whether data sets may be fetched.", rich_help_panel="Data")]
Device = Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:1, ...", rich_help_panel="Runtime")]
Precision = Annotated[
    str | None, typer.Option(help="auto (bf16 where it is faster), fp32, bf16 or fp16.", rich_help_panel="Runtime")
]
Threads = Annotated[int | None, typer.Option(help="Threads; 0: all cores.", rich_help_panel="Runtime")]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="A.B=V", help="Any option of the configuration; see gan list.")
]
Step = Annotated[
    int | None, typer.Option(min=0, help="The checkpoint of this step.", show_default="the newest that is whole")
]
Plugin = Annotated[list[Path] | None, typer.Option(help="A Python file that defines parts of your own.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.", rich_help_panel="Output")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.", rich_help_panel="Output")]
Epochs = Annotated[float | None, typer.Option(help="Passes over the data.", rich_help_panel="Training")]
Images = Annotated[int | None, typer.Option(help="Real images drawn, instead of epochs.", rich_help_panel="Training")]
MaxSteps = Annotated[int | None, typer.Option(help="Steps at most.", rich_help_panel="Training")]
MaxMinutes = Annotated[float | None, typer.Option(help="Minutes at most.", rich_help_panel="Training")]
Until = Annotated[str | None, typer.Option(help='Stop at a quality: "fid<8".', rich_help_panel="Training")]


MicroBatch = Annotated[
    int | None,
    typer.Option(min=1, help="Images at a time, for little memory; the step is the same.", rich_help_panel="Runtime"),
]


class Divergence(StrEnum):
    """What happens when something is not finite."""

    stop = "stop"
    rollback = "rollback"


OnDivergence = Annotated[
    Divergence,
    typer.Option(help="Not finite: stop, or go back and learn at half the rate.", rich_help_panel="Training"),
]

RUNS = Path("runs")
FLAGS = {
    "image_size": "data.image_size",
    "channels": "data.channels",
    "model": "task.model",
    "loss": "task.loss",
    "batch_size": "batch_size",
    "seed": "seed",
    "epochs": "stop.epochs",
    "images": "stop.images",
    "max_steps": "stop.max_steps",
    "max_minutes": "stop.max_minutes",
    "until": "stop.until",
    "evaluate_every": "intervals.evaluate",
    "save_every": "intervals.save",
    "keep": "intervals.keep",
    "device": "runtime.device",
    "precision": "runtime.precision",
    "threads": "runtime.threads",
    "micro_batch": "runtime.micro_batch",
    "deterministic": "runtime.deterministic",
    "data": "data.source",
}


def layers(flags: dict[str, Any], sets: list[str] | None) -> list[Layer]:
    """The layers that flags and --set make; flags that were not given are left out."""
    from gancli.core.config import merge, nest, parse_set

    given = [nest(FLAGS[k], v) for k, v in flags.items() if v is not None]
    if flags.get("images") is not None and flags.get("epochs") is not None:
        raise UsageError("--images and --epochs say the same thing", "give one of them")
    return [layer for layer in (merge(given), merge([parse_set(s) for s in sets or []])) if layer]


def size(text: str | None) -> list[int] | None:
    """ "32" -> [32, 32]; "28x20" (height x width) -> [28, 20]."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,4})(?:x(\d{1,4}))?", text.strip())
    if match is None or int(match[1]) < 1 or int(match[2] or 1) < 1:
        raise UsageError(f"--image-size {text!r} is not a size", "write 32 or, height first, 28x20")
    return [int(match[1]), int(match[2] or match[1])]


def reading(
    console: Console,
    data_dir: Path | None,
    image_size: Sequence[int] | None = None,
    channels: int | None = None,
    download: bool = True,
    holdout: float = 0.1,
    validation: float = 0.05,
) -> Reading:
    """How data are to be read, from the options that say so."""
    from gancli.core.data import Reading
    from gancli.training.prepare import cache_dir

    try:
        data_dir = (cache_dir() / "data" if data_dir is None else data_dir).expanduser()
    except RuntimeError as error:
        raise UsageError(f"--data-dir {data_dir}: {error}") from None
    height_width = (image_size[0], image_size[1]) if image_size else None
    return Reading(
        data_dir=data_dir,
        cache_dir=cache_dir(),
        size=height_width,
        channels=channels,
        download=download,
        holdout=holdout,
        validation=validation,
        progress=console.bar,
        note=console.note,
    )


def plugins(files: list[Path] | None) -> None:
    from gancli.core.registry import load_plugin

    for file in files or []:
        load_plugin(file)


def seeds(text: str) -> list[int]:
    """ "0-63,99" -> [0, ..., 63, 99]."""
    out: list[int] = []
    for piece in text.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", piece)
        if match is None or int(match[2] or match[1]) < int(match[1]):
            raise UsageError(f"{text!r} is not a list of numbers", "for instance 0-63,99")
        named = range(int(match[1]), int(match[2] or match[1]) + 1)
        if len(out) + named.stop - named.start > 1_000_000:
            raise UsageError(f"{text!r} is more than a million numbers")
        out += named
    return out


def labels(text: str, classes: Sequence[str]) -> list[int]:
    """ "0-2,7" or "cat,dog" -> numbers of classes; a name goes before a number."""
    out: list[int] = []
    for piece in (p.strip() for p in text.split(",")):
        if piece in classes:
            out.append(list(classes).index(piece))
        elif re.fullmatch(r"[\d\s-]+", piece):
            out += seeds(piece)
        else:
            from gancli.core.registry import nearest

            known = nearest(piece, classes) or f"there are: {', '.join(classes[:20])}"
            raise UsageError(f"no class {piece!r}", known if classes else "name its number: --label 0")
    return out


def attributes(text: str | None) -> dict[str, float] | None:
    """ "slant=0.3,thickness=1" -> {"slant": 0.3, "thickness": 1.0}."""
    if text is None:
        return None
    out = {}
    for piece in text.split(","):
        name, _, value = piece.partition("=")
        try:
            out[name.strip()] = float(value)
        except ValueError:
            raise UsageError(f"--attr {piece!r} is not name=number", "for instance slant=0.3,thickness=1") from None
    return out
