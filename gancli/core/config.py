"""The frozen configuration of a run: preset < TOML file < environment and command line < `--set`.

A layer is a nested table. Layers are merged, then validated once; an unknown key is refused with the nearest one. A later layer that names
another part drops the earlier part's options. Every value that is not given is in the resolved configuration with its default.
"""

from __future__ import annotations

import json
import tomllib
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from gancli.core import migration
from gancli.core.errors import UsageError
from gancli.core.registry import Frozen, Part, nearest, of_kind, validated

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gancli.core.contracts import Optimizer
    from gancli.core.data import Source
    from gancli.core.task import Task
else:
    Optimizer = Annotated[Part, *of_kind("optimizer")]
    Source = Annotated[Part, *of_kind("data")]
    Task = Annotated[Part, *of_kind("task")]

Layer = dict[str, Any]
Pixels = Annotated[int, Field(ge=1, le=4096)]


class Data(Frozen):
    """What to train on."""

    source: Source = Field(description="a data set's name, or a table with a name and options")
    image_size: tuple[Pixels, Pixels] | None = Field(None, description="height and width; not given: as the data is")
    channels: Literal[1, 3] | None = Field(None, description="1 grey, 3 RGB; not given: as the data is")
    holdout: float = Field(0.1, ge=0, lt=1, description="share that becomes the test set, where the data has none")
    validation: float = Field(
        0.05, ge=0, lt=1, description="share that becomes the validation set, where the data has none"
    )
    repeat: int | None = Field(None, ge=1, description="passes over the data in an epoch; not given: to 10,000 images")
    flip: bool = Field(False, description="mirror half of the images left to right")


class Stop(Frozen):
    """When to stop: whatever comes first."""

    epochs: float | None = Field(50, gt=0, le=1e9, description="passes over the data")
    images: int | None = Field(None, gt=0, description="real images drawn, instead of epochs")
    max_steps: int | None = Field(None, gt=0, description="steps at most")
    max_minutes: float | None = Field(None, gt=0, description="minutes at most, over all sittings")
    until: str | None = Field(None, description='stop at a quality, as in "fid<8"')
    patience: int = Field(1, ge=1, description="how often in a row `until` must hold")

    def total(self, images_in_epoch: int) -> int:
        """The images that the run was asked for."""
        return self.images or round((self.epochs or 50) * images_in_epoch)

    def expected(self, images_in_epoch: int, images: int, step: int, seconds: float) -> int:
        """The images after which it will be over, by what is known after so many images, steps and seconds."""
        ends = [self.total(images_in_epoch)]
        if self.max_steps and step:
            ends.append(round(images * self.max_steps / step))
        if self.max_minutes and seconds > 0:
            ends.append(round(images * self.max_minutes * 60 / seconds))
        return max(images, min(ends))


class EMA(Frozen):
    """The moving average of the generator that is sampled from (2006.06676)."""

    half_life: int = Field(20_000, ge=0, description="in images; 0 keeps no average")
    ramp: float = Field(0.05, ge=0, description="the half-life is at most this share of the images seen; 0: no ramp")


class Intervals(Frozen):
    """How often, in images. Not given: chosen from the size of the data."""

    log: int = Field(50, ge=1, description="steps between lines of metrics.jsonl")
    sample: int | None = Field(None, gt=0, description="images between sample grids; not given: an epoch")
    save: int | None = Field(
        None, gt=0, description="images between checkpoints; not given: whole epochs, about 50,000"
    )
    evaluate: int | None = Field(None, gt=0, description="images between evaluations; not given: only with `until`")
    keep: int = Field(2, ge=1, description="checkpoints kept beside the best")
    evaluate_n: int = Field(2_000, ge=10, description="samples of an evaluation while training")


class Runtime(Frozen):
    """Where and how to compute."""

    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, ...")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto", description="of the products; weights stay float32. auto: bf16 where a trial shows that it pays"
    )
    threads: int = Field(0, ge=0, description="0: all cores")
    micro_batch: int | None = Field(None, gt=0, description="images at a time, gradients added up")
    deterministic: bool = Field(False, description="only kernels that repeat to the bit (GPU)")


class Config(Frozen):
    """A run, resolved. Written to the run folder once and never changed."""

    preset: str = Field("textbook", description="the recipe that the rest departs from; empty: none")
    data: Data
    task: Task = Field("generate", validate_default=True, description="what is learned")
    optimizer: Optimizer = Field("adam", validate_default=True, description="of every net")
    optimizers: dict[str, Optimizer] = Field({}, description="of single nets, by net; the rest is as in optimizer")
    batch_size: int = Field(100, ge=1, description="images per step")
    seed: int = Field(0, ge=0, description="of everything random")
    stop: Stop = Stop()
    ema: EMA = EMA()
    intervals: Intervals = Intervals()
    runtime: Runtime = Runtime()

    def optimizer_of(self, net: str) -> Optimizer:
        return self.optimizers.get(net, self.optimizer)

    def dump(self) -> Layer:
        """As plain JSON values; `resolve` of it gives the same configuration."""
        return self.model_dump(mode="json")


def presets() -> dict[str, Path]:
    """The recipes that ship with the package, by name."""
    folder = Path(str(resources.files("gancli") / "presets"))
    return {p.stem: p for p in sorted(folder.glob("*.toml"))}


def read_preset(name: str, classes: int = 2) -> Layer:
    """A preset's table, for data of so many classes: its table `unlabelled` applies where there are fewer than two.

    Raises UsageError with the nearest names.
    """
    known = presets()
    if not isinstance(name, str) or name not in known:
        raise UsageError(f"no preset {name!r}", nearest(str(name), known) or f"there are: {', '.join(known)}")
    table = read_table(known[name])
    rule = table.pop("unlabelled", {})
    return merge([table, rule]) if classes < 2 else table


def read_table(path: Path) -> Layer:
    """A TOML file, or a run's config.json. Raises UsageError naming the line if it is missing or neither."""
    form = "JSON" if path.suffix == ".json" else "TOML"
    try:
        text = path.read_text()
        table = json.loads(text) if form == "JSON" else tomllib.loads(text)
    except OSError as error:
        raise UsageError(f"config file {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"config file {path} is not text") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"config file {path} is not {form}: {error}") from None
    if not isinstance(table, dict):
        raise UsageError(f"config file {path} is not a table")
    return migration.config(table)


def parse_set(item: str) -> Layer:
    """`a.b=v` as a nested table; v is read as TOML, else as text."""
    key, equals, text = item.partition("=")
    if not equals or not key.strip() or any(not k for k in key.strip().split(".")):
        raise UsageError(f"--set {item!r} is not of the form a.b=value", "for instance --set task.model.width=64")
    try:
        value = tomllib.loads(f"v = {text}")["v"]
    except (ValueError, RecursionError):
        value = text
    return nest(key.strip(), value)


def nest(path: str, value: Any) -> Layer:
    for key in reversed(path.split(".")):
        value = {key: value}
    return dict(value)


def merge(layers: Iterable[Layer]) -> Layer:
    """Later layers win, table by table. A part given by another name starts afresh; epochs take the place of images."""
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
    """The configuration that the layers give. Raises UsageError naming the key.

    What a net's own optimizer does not say, it has from the common one, unless it is of another name.
    """
    table = merge(({"task": {"name": "generate"}, "optimizer": {"name": "adam"}}, *layers))
    own = table.get("optimizers")
    if isinstance(own, dict):
        table["optimizers"] = {net: merge(({"": table["optimizer"]}, {"": value}))[""] for net, value in own.items()}
    return validated(Config, table, "the configuration")


def data_asked(layers: Iterable[Layer]) -> Data:
    """What is asked of the data besides which it is, before anything is read. Raises UsageError naming the key."""
    table = merge(layers).get("data", {})
    if not isinstance(table, dict):
        raise UsageError(f"data is a table, not {table!r}", "for instance --set data.source=digits")
    return validated(Data, {**table, "source": "digits"}, "data")


def flat(table: Layer, prefix: str = "") -> dict[str, Any]:
    """{"a": {"b": 1}} -> {"a.b": 1}."""
    out: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict) and value:
            out |= flat(value, f"{prefix}{key}.")
        else:
            out[prefix + key] = value
    return out


def differences(a: Config, b: Config) -> dict[str, tuple[Any, Any]]:
    """Keys whose values differ, with both values."""
    left, right = flat(a.dump()), flat(b.dump())
    keys = sorted(left.keys() | right.keys())
    return {k: (left.get(k), right.get(k)) for k in keys if left.get(k) != right.get(k)}
