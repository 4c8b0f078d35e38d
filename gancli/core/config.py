"""The frozen configuration of a run: preset < TOML file < environment and command line < `--set`.

A layer is a nested table. Layers are merged in this order and validated once; the error for an unknown key suggests the
nearest known one. A layer that selects another part (`{"name": ...}`) discards the options of the part it replaces. The
resolved configuration contains every option, with its default where no layer sets it.
"""

from __future__ import annotations

import json
import tomllib
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from gancli.core import migration
from gancli.core.cases import chosen
from gancli.core.errors import CheckpointError, UsageError
from gancli.core.files import read_capped
from gancli.core.interval import Interval
from gancli.core.registry import Frozen, Part, nearest, of_kind, validated
from gancli.core.transfer import Transfer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gancli.core.contracts import Optimizer
    from gancli.core.data import Source
    from gancli.core.loggers import Logger
    from gancli.core.task import Task
else:
    Logger = Annotated[Part, *of_kind("logger")]
    Optimizer = Annotated[Part, *of_kind("optimizer")]
    Source = Annotated[Part, *of_kind("data")]
    Task = Annotated[Part, *of_kind("task")]

MAX_CONFIG = 4 << 20  # bytes of a configuration file
Layer = dict[str, Any]
Pixels = Annotated[int, Field(ge=1, le=4096)]


class Data(Frozen):
    """The training data: source, image size and channels, splits, augmentation."""

    source: Source = Field(description="data set name, or a table of a name and options")
    image_size: tuple[Pixels, Pixels] | None = Field(None, description="height and width; default: those of the data")
    channels: Literal[1, 3, 4] | None = Field(None, description="1: gray, 3: RGB, 4: RGBA; default: those of the data")
    holdout: float = Field(0.1, ge=0, lt=1, description="fraction held out as test set, if the data set has none")
    validation: float = Field(0.05, ge=0, lt=1, description="fraction held out as validation set, if the data has none")
    repeat: int | None = Field(None, ge=1, description="passes over the data per epoch; default: by `epoch`")
    epoch: int = Field(10_000, ge=1, description="fewest images in an epoch: several passes over smaller data")
    flip: bool = Field(False, description="random horizontal flips")
    enlarge: float = Field(1.0, ge=1, le=4, description="enlarge by this factor, crop at random (1.12); 1: no crops")
    balance: bool = Field(False, description="draw all classes equally often, however few images one has")
    fresh_real: bool = Field(False, description="each net reads a batch of its own, not D's again (2501.05441)")
    range: Literal["auto"] | Interval | None = Field(
        None, description='values of black and white, "0,4095"; auto: least and greatest; default: by type and values'
    )
    labels: str | None = Field(None, description="column or array with the classes; none: no labels; default: by name")
    unlabeled: Literal["drop", "keep"] | None = Field(
        None, description="images without a label: drop, or keep as a class; default: drop up to half of them"
    )
    frames: Literal["first", "all"] = Field("first", description="of files with several images (TIFF, GIF, ...)")


class Stop(Frozen):
    """The limits of training, which ends at the first one reached."""

    epochs: float | None = Field(50, gt=0, le=1e9, description="number of epochs")
    images: int | None = Field(None, gt=0, description="number of training images drawn, instead of epochs")
    max_steps: int | None = Field(None, gt=0, description="maximum number of steps")
    max_minutes: float | None = Field(
        None, gt=0, description="maximum training time in minutes, from this start or resume on"
    )
    fitted: bool = Field(False, description="`images` is fitted to `max_minutes`; a resume fits it again")
    until: str | None = Field(None, description='validation score that ends training, as in "fid<8"')
    patience: int = Field(1, ge=1, description="number of consecutive validations in which `until` must hold")

    def total(self, images_in_epoch: int) -> int:
        """The total number of training images, from `images` or else `epochs`."""
        return self.images or round((self.epochs or 50) * images_in_epoch)

    def expected(self, images_in_epoch: int, images: int, step: int, seconds: float, begun: float = 0.0) -> int:
        """Estimate the total number of training images, including the limits on steps and minutes.

        Args:
            images_in_epoch: images per epoch.
            images: images seen so far.
            step: steps done so far.
            seconds: training time so far.
            begun: training time before this session.

        Returns:
            The estimated total, at least `images`.
        """
        ends = [self.total(images_in_epoch)]
        if self.max_steps and step:
            ends.append(round(images * self.max_steps / step))
        if self.max_minutes and seconds > 0:
            ends.append(round(images * (self.max_minutes * 60 + begun) / seconds))
        return max(images, min(ends))


class EMA(Frozen):
    """Exponential moving average of the generator's weights (2006.06676)."""

    half_life: int = Field(20_000, ge=0, description="half-life in images; 0: no EMA")
    ramp: float = Field(
        0.05, ge=0, description="warm-up: the half-life is at most this fraction of the images seen so far; 0: none"
    )


class Intervals(Frozen):
    """Intervals of logging, previews, checkpoints and validations."""

    log: int = Field(50, ge=1, description="steps between lines of metrics.jsonl")
    sample: int | None = Field(None, gt=0, description="images between sample grids; default: epochs, a quarter of all")
    save: int | None = Field(None, gt=0, description="images between checkpoints; default: 50,000 images, ten minutes")
    evaluate: int | None = Field(
        None, gt=0, description="images between validations; default: one epoch if `stop.until` is set, else none"
    )
    keep: int = Field(2, ge=1, description="checkpoints kept, besides the best")
    evaluate_n: int = Field(2_000, ge=10, description="samples per validation")


class Runtime(Frozen):
    """Device, precision and threads."""

    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, ...")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto", description="compute dtype; weights stay float32. auto: bf16 if a trial finds it faster"
    )
    threads: int = Field(0, ge=0, description="CPU threads; 0: all cores")
    micro_batch: int | None = Field(None, gt=0, description="images per forward pass; gradients are accumulated")
    deterministic: bool = Field(False, description="deterministic GPU kernels only")
    log: tuple[Logger, ...] = Field((), description="further outputs of metrics and previews")


class Config(Frozen):
    """The resolved configuration of a run. It is written to config.json once and never changed."""

    preset: str = Field("textbook", description="preset that the configuration starts from; empty: none")
    data: Data
    task: Task = Field("generate", validate_default=True, description="the task, with its nets and losses")
    optimizer: Optimizer = Field("adam", validate_default=True, description="optimizer of all nets")
    optimizers: dict[str, Optimizer] = Field(
        {}, description="optimizers of single nets by name (G, D); options not set here are those of `optimizer`"
    )
    batch_size: int = Field(100, ge=1, description="images per step")
    seed: int = Field(0, ge=0, description="random seed")
    stop: Stop = Stop()
    ema: EMA = EMA()
    intervals: Intervals = Intervals()
    runtime: Runtime = Runtime()
    transfer: Transfer = Transfer()

    def optimizer_of(self, net: str) -> Optimizer:
        """The optimizer of a net: its entry in `optimizers`, else `optimizer`."""
        return self.optimizers.get(net, self.optimizer)

    def dump(self) -> Layer:
        """The configuration as a nested table of JSON values; `resolve(cfg.dump())` equals `cfg`."""
        return self.model_dump(mode="json")


def presets() -> dict[str, Path]:
    """The TOML files of the presets in this package, by name."""
    folder = Path(str(resources.files("gancli") / "presets"))
    return {p.stem: p for p in sorted(folder.glob("*.toml"))}


def read_preset(name: str, classes: int = 2, facts: Mapping[str, float] | None = None) -> Layer:
    """Read a preset.

    Args:
        name: name of the preset.
        classes: number of classes of the data. With fewer than two, the preset's table `unlabeled` is merged over the rest.
        facts: what else is known of the data, for presets with cases (`core/cases.py`).

    Returns:
        The preset as a nested table.

    Raises:
        UsageError: there is no such preset; suggests the nearest names.
    """
    known = presets()
    if not isinstance(name, str) or name not in known:
        raise UsageError(f"no preset {name!r}", nearest(str(name), known) or f"there are: {', '.join(known)}")
    table = read_table(known[name])
    rule, _ = table.pop("unlabeled", {}), table.pop("better", "")
    base, more = chosen(table.pop("case", []), {"classes": classes, **(facts or {})})
    return merge([read_preset(base, classes) if base else merge([table, rule if classes < 2 else {}]), more])


def read_table(path: Path) -> Layer:
    """Read a TOML file or a run's config.json, with keys of older formats migrated.

    Args:
        path: the file; JSON if its suffix is .json, else TOML.

    Returns:
        The content as a nested table.

    Raises:
        UsageError: the file cannot be read or parsed; names the line.
    """
    form = "JSON" if path.suffix == ".json" else "TOML"
    try:
        text = read_capped(path, MAX_CONFIG).decode()
        table = json.loads(text) if form == "JSON" else tomllib.loads(text)
    except CheckpointError as error:
        raise UsageError(f"config file {error.cause}") from None
    except UnicodeDecodeError:
        raise UsageError(f"config file {path} is not text") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"config file {path} is not {form}: {error}") from None
    if not isinstance(table, dict):
        raise UsageError(f"config file {path} is not a table")
    return migration.config(table)


def parse_set(item: str) -> Layer:
    """Parse an argument of `--set`.

    Args:
        item: `a.b=v`; v is parsed as a TOML value, or taken as a string where it is none.

    Returns:
        `{"a": {"b": v}}`.

    Raises:
        UsageError: the argument does not have this form.
    """
    key, equals, text = item.partition("=")
    if not equals or not key.strip() or any(not k for k in key.strip().split(".")):
        raise UsageError(f"--set {item!r} is not of the form a.b=value", "example: --set task.model.width=64")
    try:
        value = tomllib.loads(f"v = {text}")["v"]
    except (ValueError, RecursionError):
        value = text
    return nest(key.strip(), value)


def nest(path: str, value: Any) -> Layer:
    """Nest a value under a dotted path: ("a.b", v) -> {"a": {"b": v}}."""
    for key in reversed(path.split(".")):
        value = {key: value}
    return dict(value)


def merge(layers: Iterable[Layer]) -> Layer:
    """Merge layers recursively; values of later layers take precedence.

    A part with another name replaces the earlier part with all its options. `stop.epochs` in a later layer resets
    `stop.images`, which would otherwise take precedence over it.

    Args:
        layers: nested tables, in order of increasing precedence.

    Returns:
        The merged table.
    """
    out: Layer = {}
    for layer in layers:
        before, stop = out.get("stop"), layer.get("stop")
        out = _merged(out, layer)
        if (
            isinstance(before, dict)
            and isinstance(stop, dict)
            and "images" in before.keys() - stop.keys()
            and "epochs" in stop
        ):
            out["stop"] = {**out["stop"], "images": None}
    return out


def _merged(base: Layer, over: Layer) -> Layer:
    out = dict(base)
    for key, value in over.items():
        old = out.get(key)
        if isinstance(old, str) and isinstance(value, dict) and "name" not in value:
            old = {"name": old}
        if isinstance(old, dict) and isinstance(value, str) and old.get("name") == value:
            continue
        if isinstance(old, dict) and isinstance(value, dict) and value.get("name", old.get("name")) == old.get("name"):
            out[key] = _merged(old, value)
        elif isinstance(value, dict) and "name" not in value:
            out[key] = _merged({}, value)
        else:
            out[key] = value
    return out


def resolve(*layers: Layer) -> Config:
    """Merge and validate layers.

    Options that an entry of `optimizers` does not set are those of `optimizer`, unless the entry has another name.

    Args:
        layers: nested tables, in order of increasing precedence.

    Returns:
        The resolved configuration.

    Raises:
        UsageError: a key is unknown or its value is invalid; names the key.
    """
    table = merge(({"task": {"name": "generate"}, "optimizer": {"name": "adam"}}, *layers))
    own = table.get("optimizers")
    if isinstance(own, dict):
        table["optimizers"] = {net: merge(({"": table["optimizer"]}, {"": value}))[""] for net, value in own.items()}
    return validated(Config, table, "the configuration")


def data_options(layers: Iterable[Layer]) -> Data:
    """Validate the options of the table `data` except its source, before the data is read.

    Args:
        layers: nested tables, in order of increasing precedence.

    Returns:
        The options; `source` is a placeholder.

    Raises:
        UsageError: a key is unknown or its value is invalid; names the key.
    """
    table = merge(layers).get("data", {})
    if not isinstance(table, dict):
        raise UsageError(f"data is a table, not {table!r}", "example: --set data.source=digits")
    return validated(Data, {**table, "source": "digits"}, "data")


def flat(table: Layer, prefix: str = "") -> dict[str, Any]:
    """Flatten a nested table: {"a": {"b": 1}} -> {"a.b": 1}."""
    out: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict) and value:
            out |= flat(value, f"{prefix}{key}.")
        else:
            out[prefix + key] = value
    return out


def differences(a: Config, b: Config) -> dict[str, tuple[Any, Any]]:
    """The dotted keys whose values differ, each with the values in `a` and in `b`."""
    left, right = flat(a.dump()), flat(b.dump())
    keys = sorted(left.keys() | right.keys())
    return {k: (left.get(k), right.get(k)) for k in keys if left.get(k) != right.get(k)}
