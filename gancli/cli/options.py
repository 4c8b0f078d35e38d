"""The options of the verbs: a type for each, and how their text is parsed.

A `Key` in the type names the configuration key that the option sets (`groups.layers`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gancli.cli import completing
from gancli.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gancli.core.config import Data
    from gancli.core.data import Reading
    from gancli.report.console import Console

RUNS = Path("runs")


class Divergence(StrEnum):
    """What happens when a loss, a gradient or a weight is not finite."""

    stop = "stop"
    rollback = "rollback"


@dataclass(frozen=True)
class Key:
    """The configuration key that an option sets, and how its value is made from the option's."""

    path: str
    read: Callable[[Any], Any] = lambda value: value


def option(panel: str, help: str, *names: str, **more: Any) -> Any:
    """A Typer option in a panel of the help."""
    return typer.Option(*names, help=help, rich_help_panel=panel or None, **more)


def size(text: str | None) -> list[int] | None:
    """ "32" -> [32, 32]; "28x20" (height x width) -> [28, 20]."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,4})(?:x(\d{1,4}))?", text.strip())
    if match is None or int(match[1]) < 1 or int(match[2] or 1) < 1:
        raise UsageError(f"--image-size {text!r} is not a size", "write 32 or, height first, 28x20")
    return [int(match[1]), int(match[2] or match[1])]


def names(text: str) -> list[str]:
    """ "a,b" -> ["a", "b"]; "" -> []."""
    return [name.strip() for name in text.split(",") if name.strip()]


def film(out: Path | None) -> None:
    """Refuse, before anything is loaded, a film that cannot be made; None: there is none."""
    if out is not None and out.suffix.lower() == ".mp4" and find_spec("av") is None:
        raise UsageError(f"--out {out} needs the package av", "pip install 'gancli[film]', or use .gif")


RunName = Annotated[
    str | None,
    typer.Argument(metavar="RUN", help="Run name or path. Default: the newest run.", autocompletion=completing.runs),
]
Plugin = Annotated[list[Path] | None, option("", "Python file that defines parts; may be given several times.")]
Set = Annotated[list[str] | None, option("", "Any configuration key (gan list config).", "--set", metavar="KEY=VALUE")]
Standing = Annotated[
    int, option("", "Batches for standing statistics of batch norm (BigGAN); 0: those of training.", min=0, max=10_000)
]
Step = Annotated[
    int | None, option("", "Use the checkpoint of this step.", min=0, show_default="the newest valid checkpoint")
]

DataSet = Annotated[
    str | None,
    option("Data", "Data set name (gan list data), folder, .zip or .npz.", autocompletion=completing.parts("data")),
    Key("data.source"),
]
DataDir = Annotated[Path | None, option("Data", "Folder for downloaded data sets.", envvar="GAN_DATA_DIR")]
Size = Annotated[str | None, option("Data", "Image size: 32, or 28x20 (height x width)."), Key("data.image_size", size)]
Channels = Annotated[int | None, option("Data", "1: grayscale, 3: RGB, 4: RGBA."), Key("data.channels")]
Layout = Annotated[
    str | None,
    option("Data", "folders of two domains (trainA, trainB), or side-by-side: A and B in one picture."),
    Key("data.source.layout"),
]
Unit = Annotated[
    str | None,
    option("Data", "Of text, what a token is: char, word or auto (words if lines are long)."),
    Key("data.source.unit"),
]
MaxLength = Annotated[
    int | None,
    option(
        "Data", "Of text: characters or words of a line; longer lines are cut. Default: the 95th percentile.", min=1
    ),
    Key("data.source.max_length"),
]
Moved = Annotated[str | None, option("Data", "Where the run's data is now, if it has moved.", "--data")]
SkipBroken = Annotated[
    bool | None,
    option("Data", "Omit images that cannot be read, instead of stopping.", "--skip-broken"),
    Key("data.source.skip_broken"),
]
Download = Annotated[bool, option("Data", "Download missing data sets.")]

Preset = Annotated[
    str | None, option("Model", "Preset configuration (gan list presets).", autocompletion=completing.presets)
]
Model = Annotated[
    str | None,
    option("Model", "Generator and discriminator (gan list model).", autocompletion=completing.parts("model")),
    Key("task.model"),
]
Loss = Annotated[
    str | None,
    option("Model", "Adversarial loss (gan list loss).", autocompletion=completing.parts("loss")),
    Key("task.loss"),
]
Degrade = Annotated[
    str | None,
    option("Model", "Degradations to restore (gan list degradation): gauss:25, hole:brush, down:2+jpeg:10-40."),
    Key("task.degrade"),
]
ConfigFile = Annotated[Path | None, option("Model", "TOML file, or the config.json of a run.", "--config")]

From = Annotated[
    str | None,
    option("Model", "Start from the weights of this run or model folder (transfer learning).", "--from", metavar="RUN"),
]

Epochs = Annotated[float | None, option("Training", "Number of epochs."), Key("stop.epochs")]
Images = Annotated[
    int | None, option("Training", "Number of training images drawn, instead of epochs."), Key("stop.images")
]
MaxSteps = Annotated[int | None, option("Training", "Maximum number of steps."), Key("stop.max_steps")]
MaxMinutes = Annotated[
    float | None,
    option(
        "Training",
        "Maximum minutes of training from this start or resume on. Without a length (--epochs, ...), the schedules are fitted to them.",
    ),
    Key("stop.max_minutes"),
]
Until = Annotated[
    str | None, option("Training", 'Stop when a validation score is reached: "fid<8".'), Key("stop.until")
]
BatchSize = Annotated[int | None, option("Training", "Images per step."), Key("batch_size")]
Seed = Annotated[int | None, option("Training", "Random seed."), Key("seed")]
EvaluateEvery = Annotated[int | None, option("Training", "Images between validations."), Key("intervals.evaluate")]
OnDivergence = Annotated[
    Divergence, option("Training", "On NaN or infinity: stop, or roll back to a checkpoint at half the learning rate.")
]

RunsDir = Annotated[Path, option("Output", "Folder for runs.", envvar="GAN_RUNS_DIR")]
Name = Annotated[str | None, option("Output", "Name of the run folder.", show_default="DATA-PRESET-NUMBER")]
SaveEvery = Annotated[int | None, option("Output", "Images between checkpoints.", min=1), Key("intervals.save")]
Log = Annotated[
    str | None,
    option(
        "Output",
        "Also log to these: tensorboard (gan list logger).",
        "--log",
        metavar="NAME,NAME",
        autocompletion=completing.parts("logger"),
    ),
    Key("runtime.log", names),
]
Keep = Annotated[
    int | None, option("Output", "Number of checkpoints kept, besides the best.", min=1), Key("intervals.keep")
]
DryRun = Annotated[bool, option("Output", "Check everything and time a few steps; write nothing.", "--dry-run")]
Quiet = Annotated[bool, option("Output", "Print results and errors only.", "--quiet", "-q")]
Json = Annotated[bool, option("Output", "Print the result as one JSON object.", "--json")]

Device = Annotated[str | None, option("Runtime", "auto, cpu, cuda, cuda:1, ..."), Key("runtime.device")]
Precision = Annotated[
    str | None,
    option("Runtime", "Compute dtype: auto (bf16 where faster), fp32, bf16, fp16."),
    Key("runtime.precision"),
]
Threads = Annotated[int | None, option("Runtime", "CPU threads; 0: all cores."), Key("runtime.threads")]
MicroBatch = Annotated[
    int | None,
    option("Runtime", "Images per forward pass (gradient accumulation).", min=1),
    Key("runtime.micro_batch"),
]
Deterministic = Annotated[
    bool | None,
    option("Runtime", "Use deterministic GPU kernels only.", "--deterministic"),
    Key("runtime.deterministic"),
]


def reading(
    console: Console,
    data_dir: Path | None,
    download: bool = True,
    asked: Data | None = None,
    recorded: Path | None = None,
) -> Reading:
    """How data are to be read.

    Args:
        console: where progress and notes go.
        data_dir: where data sets are kept; not given: below the cache.
        download: whether missing ones may be downloaded.
        asked: size, channels and the shares that are held out; not given: the defaults.
        recorded: where a run says that its data are, used if `data_dir` is not given. Nothing is downloaded to it unless it is
            the default: the run may be a stranger's.

    Raises:
        UsageError: the folder's name cannot be resolved.
    """
    from gancli.core.data import Reading
    from gancli.training.prepare import cache_dir

    try:
        default = cache_dir() / "data"
        if data_dir is None and recorded is not None:
            data_dir, download = recorded, download and recorded.resolve() == default.resolve()
        data_dir = (default if data_dir is None else data_dir).expanduser()
    except RuntimeError as error:
        raise UsageError(f"--data-dir {data_dir}: {error}") from None
    how = Reading(data_dir, cache_dir(), download=download, progress=console.bar, note=console.note, warn=console.warn)
    return how if asked is None else how.requested(asked)


def plugins(files: list[Path] | None) -> None:
    """Import the files of --plugin. Raises UsageError."""
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
    """ "0-2,7" or "cat,dog" -> numbers of classes; a name goes before a number, and may itself have a comma."""
    if text.strip() in classes:
        return [list(classes).index(text.strip())]
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
