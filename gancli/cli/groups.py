"""Groups of options that verbs share.

A verb takes a group as one parameter; `spread` turns it into one parameter for each option, as Typer expects.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any, get_type_hints

from gancli.cli import options as o
from gancli.cli.naming import is_argument
from gancli.core.errors import UsageError

if TYPE_CHECKING:
    from gancli.core.config import Layer


@dataclass(frozen=True)
class DataOptions:
    """The data set."""

    data: o.DataSet = None
    data_dir: o.DataDir = None
    image_size: o.Size = None
    channels: o.Channels = None
    layout: o.Layout = None
    unit: o.Unit = None
    max_length: o.MaxLength = None
    skip_broken: o.SkipBroken = None
    download: o.Download = True


@dataclass(frozen=True)
class RecipeOptions:
    """Preset, parts and batches."""

    preset: o.Preset = None
    model: o.Model = None
    loss: o.Loss = None
    degrade: o.Degrade = None
    config: o.ConfigFile = None
    batch_size: o.BatchSize = None
    seed: o.Seed = None


@dataclass(frozen=True)
class SetOptions:
    """Any configuration key, and plug-ins."""

    set_: o.Set = None
    plugin: o.Plugin = None


@dataclass(frozen=True)
class LengthOptions:
    """The length of training, and the intervals of validations and checkpoints."""

    epochs: o.Epochs = None
    images: o.Images = None
    max_steps: o.MaxSteps = None
    max_minutes: o.MaxMinutes = None
    until: o.Until = None
    evaluate_every: o.EvaluateEvery = None
    save_every: o.SaveEvery = None
    keep: o.Keep = None
    log: o.Log = None


@dataclass(frozen=True)
class RuntimeOptions:
    """Device, precision and threads."""

    device: o.Device = None
    precision: o.Precision = None
    threads: o.Threads = None
    micro_batch: o.MicroBatch = None
    deterministic: o.Deterministic = None


def spread(command: Callable[..., None]) -> Callable[..., None]:
    """Turn a command that takes groups of options into one that takes the options, as Typer expects.

    Args:
        command: its parameters are single options or groups (the dataclasses above).

    Returns:
        A function with one parameter for each option, which calls `command` with the groups.
    """
    hints: dict[str, Any] = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}
    taken: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        if name not in groups:
            taken.append(parameter.replace(annotation=hints[name]))
            continue
        own = get_type_hints(groups[name], include_extras=True)
        taken += [
            parameter.replace(name=f.name, default=f.default, annotation=own[f.name]) for f in fields(groups[name])
        ]
    signature = inspect.Signature(sorted(taken, key=lambda parameter: not is_argument(parameter)))

    def spread_out(*given: Any, **named: Any) -> None:
        bound = signature.bind(*given, **named)
        bound.apply_defaults()
        values = bound.arguments
        made = {name: group(**{f.name: values.pop(f.name) for f in fields(group)}) for name, group in groups.items()}
        command(**values, **made)

    spread_out.__doc__ = command.__doc__
    spread_out.__signature__ = signature  # type: ignore[attr-defined]
    spread_out.__annotations__ = {parameter.name: parameter.annotation for parameter in taken}
    return spread_out


def keys(group: type[Any]) -> dict[str, o.Key]:
    """The configuration key that each option of a group sets, by the option's name."""
    hints = get_type_hints(group, include_extras=True)
    found = ((name, key) for name, hint in hints.items() for key in getattr(hint, "__metadata__", ()))
    return {name: key for name, key in found if isinstance(key, o.Key)}


def data_layer(*groups: Any) -> Layer:
    """The options of data among those of some groups, for verbs that read data and make no run.

    Raises:
        UsageError: --set names something else.
    """
    from gancli.core.config import merge

    merged = merge(layers(*groups))
    for key in merged.keys() - {"data"}:
        raise UsageError(f"--set {key}: nothing is trained here", "only keys of data, such as --set data.range=auto")
    table = merged.get("data", {})
    if not isinstance(table, dict) or not isinstance(table.get("source", {}), dict):
        raise UsageError("--set data is a table", "only keys of data, such as --set data.range=auto")
    return dict(table)


def layers(*groups: Any) -> list[Layer]:
    """The configuration layers of some options: the --config file, the options with a key, then --set.

    Args:
        groups: of options, as given.

    Returns:
        Layers, later ones win; options that were not given are left out.

    Raises:
        UsageError: an option cannot be read, or two contradict each other.
    """
    from gancli.core.config import merge, nest, parse_set, read_table

    given: list[Layer] = []
    for group in groups:
        for name, key in keys(type(group)).items():
            if (value := getattr(group, name)) is not None:
                given.append(nest(key.path, key.read(value)))
    if {"epochs", "images"} <= {key for layer in given for key in layer.get("stop", {})}:
        raise UsageError("--images and --epochs contradict each other", "give one of them")
    files = [config for group in groups if (config := getattr(group, "config", None))]
    sets = [parse_set(text) for group in groups for text in getattr(group, "set_", None) or ()]
    return [layer for layer in (*map(read_table, files), merge(given), merge(sets)) if layer]
