"""Transfer learning: a new run whose nets start from the weights of a trained model, on other data.

Tensors of the same name and shape are copied; others, such as the embedding of other classes, are new. A run folder has all nets
and the moving averages, a model folder the moving average of the generator alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from gancli.core.config import Config, Layer, presets
from gancli.core.errors import UsageError
from gancli.core.sinks import Note
from gancli.core.specs import Images
from gancli.inference.generator import Model
from gancli.inference.loading import load, planned

if TYPE_CHECKING:
    from gancli.core.data import Reading, Spec
    from gancli.training.state import State

LEAST = 0.5  # of a net's tensors: more must fit
Tensors = Mapping[str, Mapping[str, Tensor]]  # by net and name


@dataclass(frozen=True)
class Origin:
    """The model that a run starts from, as far as it decides what is asked for."""

    model: Model

    @property
    def preset(self) -> str:
        """Its preset, if this gan has it."""
        found = self.model.facts.get("preset")
        return found if isinstance(found, str) and found in presets() else ""

    def layer(self, asked: Layer, preset: str | None) -> Layer:
        """Its task, with nets and losses, where no preset is asked for; its image size and channels, where none are."""
        out: Layer = {} if preset else {"task": self.model.task.model_dump(mode="json")}
        return out | ({"data": self._shape(asked)} if isinstance(self.model.spec, Images) else {})

    def reading(self, reading: Reading, asked: Layer) -> Reading:
        """How data are read, with its image size and channels where none are asked for."""
        if not isinstance(self.model.spec, Images):
            return reading
        shape = self._shape(asked)
        size = shape.get("image_size", reading.size)
        return replace(reading, size=size, channels=shape.get("channels", reading.channels))

    def _shape(self, asked: Layer) -> dict[str, Any]:
        spec, data = self.model.spec, asked.get("data", {})
        assert isinstance(spec, Images)
        own = {"image_size": (spec.height, spec.width), "channels": spec.channels}
        return {key: value for key, value in own.items() if data.get(key) is None}


def origin(asked: Layer) -> Origin | None:
    """The model that is named by `transfer.weights`; None where there is none.

    Raises:
        CheckpointError: it cannot be loaded.
    """
    table = asked.get("transfer", {})
    weights = table.get("weights") if isinstance(table, dict) else None  # what is no table is refused with the rest
    return None if weights is None else Origin(load(Path(str(weights))))


def check(cfg: Config, spec: Spec) -> None:
    """Raises UsageError, before a run is made, if the weights do not fit the nets, or more layers are frozen than there are."""
    nets = planned(cfg.task, spec, "the configuration")
    for name, layers in cfg.transfer.freeze.items():
        if name not in nets:
            raise UsageError(f"transfer.freeze: there is no net {name!r}", f"there are: {', '.join(nets)}")
        list(first_layers(nets[name], layers))
    if cfg.transfer.weights is not None:
        _fitting(_tensors(load(Path(cfg.transfer.weights))), {n: net.state_dict() for n, net in nets.items()}, cfg)


def begin(state: State, cfg: Config, note: Note) -> None:
    """Copy the weights into a new state."""
    if cfg.transfer.weights is None:
        return
    path = Path(cfg.transfer.weights)
    averaged, raw = (
        _tensors(load(path)),
        _tensors(load(path, ema=False) if (path / "checkpoints").is_dir() else load(path)),
    )
    fits = _fitting(raw, {name: net.module.state_dict() for name, net in state.nets.items()}, cfg)
    with torch.no_grad():
        for name, net in state.nets.items():
            _copy(raw.get(name, {}), net.module, fits.get(name, []))
            net.refresh()
        for name, ema in state.ema.items():
            _copy(averaged.get(name, {}), ema.module, fits.get(name, []))
    note(f"weights of {path}: {_said(fits, {name: net.module for name, net in state.nets.items()})}")


def freeze(state: State, cfg: Config) -> None:
    """Freeze the first layers of nets, at the weights that they have now."""
    for name, layers in cfg.transfer.freeze.items():
        state.nets[name].freeze(set(first_layers(state.nets[name].module, layers)))


def first_layers(net: nn.Module, n: int) -> Iterator[str]:
    """The names of the parameters of the first n layers with weight matrices or kernels, and of what stands between them.

    Raises:
        UsageError: there are no more layers than that.
    """
    layers: dict[str, list[tuple[str, Tensor]]] = {}
    for name, parameter in net.named_parameters():
        layer, parametrized, _ = name.partition(".parametrizations.")
        layers.setdefault(layer if parametrized else name.rpartition(".")[0], []).append((name, parameter))
    count = 0
    for parameters in layers.values():
        count += any(p.ndim > 1 for _, p in parameters)
        if count > n:
            return
        yield from (name for name, _ in parameters)
    raise UsageError(f"transfer.freeze: the net has {count} layers, which leaves none to train", "freeze fewer")


def _tensors(model: Model) -> Tensors:
    return {name: net.state_dict() for name, net in model.nets.items()}


def _copy(found: Mapping[str, Tensor], module: nn.Module, names: list[str]) -> None:
    own = module.state_dict()
    for name in names:
        own[name].copy_(found[name])


def _fitting(found: Tensors, wanted: Tensors, cfg: Config) -> dict[str, list[str]]:
    """The names of the tensors that fit, by net. Raises UsageError if a net has too few."""
    fits: dict[str, list[str]] = {}
    for net, own in wanted.items():
        if net not in found:
            continue
        theirs = found[net]
        fits[net] = [
            k for k, t in own.items() if k in theirs and theirs[k].shape == t.shape and theirs[k].dtype == t.dtype
        ]
        if len(fits[net]) <= LEAST * len(own):
            raise UsageError(
                f"the weights of {cfg.transfer.weights} do not fit: {len(fits[net])} of {len(own)} tensors of the net {net}",
                "leave --preset, --model and --image-size away: nets and size are then those of the trained model",
            )
    if not fits:
        raise UsageError(
            f"{cfg.transfer.weights} has other nets: {', '.join(found)}, not {', '.join(wanted)}", "leave --preset away"
        )
    return fits


def _said(fits: Mapping[str, list[str]], nets: Mapping[str, nn.Module]) -> str:
    """`G 14 of 14 tensors, D new`."""
    parts = [
        f"{name} {len(fits[name])} of {len(net.state_dict())} tensors" if name in fits else f"{name} new"
        for name, net in nets.items()
    ]
    return ", ".join(parts)
