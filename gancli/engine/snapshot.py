"""A state as named tensors and plain numbers, and back.

Tensors are named after what they belong to: `G.net.0.weight`, `G.net.0.weight.exp_avg`. Numbers that are not tensors (counters, the
open window of the journal, optimiser steps) go into one table; float32 values pass through JSON exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from gancli.errors import CheckpointError, DivergedError

if TYPE_CHECKING:
    from gancli.engine.net import Net
    from gancli.engine.state import State

Groups = dict[str, dict[str, Tensor]]


def tensors(state: State) -> Groups:
    """All tensors of the run, by file: nets, average, optimiser, memory."""
    nets = {f"{n}.{k}": v for n, net in state.nets.items() for k, v in net.module.state_dict().items()}
    average = {
        f"{n}.{k}": v for n, a in state.averages.items() for k, v in a.follow(state.nets[n]).state_dict().items()
    }
    moments: dict[str, Tensor] = {}
    for name, net in state.nets.items():
        moments |= {f"{name}.{p}.{key}": value for p, key, value in _moments(net)}
    return {"nets": nets, "average": average, "optimiser": moments, "memory": dict(state.memory)}


def numbers(state: State) -> dict[str, Any]:
    """All that is no tensor, but for the time."""
    return {
        "step": state.step,
        "images": state.images,
        "optimiser": {name: _scalars(net) for name, net in state.nets.items()},
        "window": {k: [float(v), state.meter.counts[k]] for k, v in state.meter.sums.items()},
    }


def _moments(net: Net) -> Iterator[tuple[str, str, Tensor]]:
    """Parameter, key and tensor of all that the optimiser keeps for each element."""
    for parameter, p in zip(net.layout.shapes, net.weights, strict=True):
        for key, value in net.optimiser.state.get(p, {}).items():
            if key != "step" and torch.is_tensor(value):
                yield parameter, key, value


def _scalars(net: Net) -> dict[str, float]:
    """The optimiser's count of steps: the same for all parameters."""
    for p in net.weights:
        if p in net.optimiser.state and "step" in net.optimiser.state[p]:
            return {"step": float(net.optimiser.state[p]["step"])}
    return {}


def check_finite(groups: Groups) -> None:
    """Raises DivergedError: what is not finite is never saved."""
    for file, group in groups.items():
        for name, value in group.items():
            if value.is_floating_point() and not torch.isfinite(value).all():
                raise DivergedError(
                    f"{file}: {name} is not finite; not saved", "the last checkpoint is whole: lower the rate"
                )


@torch.no_grad()
def restore(state: State, groups: Groups, table: dict[str, Any]) -> None:
    """Put a snapshot into a new state of the same configuration. Raises CheckpointError if the numbers do not fit it."""
    for name, net in state.nets.items():
        for key, value in net.module.state_dict().items():
            value.copy_(groups["nets"][f"{name}.{key}"])
        net.refresh()
        _restore_optimiser(name, net, groups["optimiser"], table)
    for name, average in state.averages.items():
        for key, value in average.module.state_dict().items():
            value.copy_(groups["average"][f"{name}.{key}"])
    for key, value in state.memory.items():
        value.copy_(groups["memory"][key])
    try:
        state.step, state.images = int(table["step"]), int(table["images"])
        for key, (total, count) in table["window"].items():
            state.meter.sums[key] = torch.tensor(total, device=state.device)
            state.meter.counts[key] = int(count)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise CheckpointError(f"state.json does not fit: {error!r}") from None


def _restore_optimiser(name: str, net: Net, moments: dict[str, Tensor], table: dict[str, Any]) -> None:
    scalars = table.get("optimiser", {}).get(name, {})
    if not scalars and not any(k.startswith(f"{name}.") for k in moments):
        return  # saved before its first step
    prime(net)
    for parameter, key, value in _moments(net):
        value.copy_(moments[f"{name}.{parameter}.{key}"])
    for there in net.optimiser.state.values():
        if "step" in there:
            there["step"].fill_(scalars["step"])


@torch.no_grad()
def prime(net: Net) -> None:
    """Let the optimiser make its state, by a step that changes nothing."""
    before = net.flat.clone()
    net.collect([None] * len(net.weights), True)
    net.optimiser.step()
    net.flat.copy_(before)


def wanted(state: State, groups: Groups) -> Groups:
    """The tensors that a snapshot of this state must have, to compare names, shapes and dtypes with before copying."""
    if groups["optimiser"]:
        for net in state.nets.values():
            if not net.optimiser.state:
                prime(net)
    return tensors(state)
