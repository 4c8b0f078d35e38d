"""A state as named tensors and plain numbers, and back.

Tensors are named after what they belong to: `G.net.0.weight`, `G.net.0.weight.exp_avg`. Counters, optimizer steps and the open window of
the journal form one table of numbers; float32 values pass through JSON exactly.
"""

from __future__ import annotations

import math
import zlib
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from gancli.core.errors import CheckpointError, DivergedError, ResourceError

if TYPE_CHECKING:
    from gancli.distributed.ranks import Ranks
    from gancli.training.net import Net
    from gancli.training.state import State

MOST = 2**62  # of steps and images
Groups = dict[str, dict[str, Tensor]]


def tensors(state: State) -> Groups:
    """All tensors of the run by file: nets, ema, optimizer, memory."""
    nets = {f"{n}.{k}": v for n, net in state.nets.items() for k, v in net.module.state_dict().items()}
    ema = {f"{n}.{k}": v for n, a in state.ema.items() for k, v in a.follow(state.nets[n]).state_dict().items()}
    moments: dict[str, Tensor] = {}
    for name, net in state.nets.items():
        moments |= _moments(name, net)
    return {"nets": nets, "ema": ema, "optimizer": moments, "memory": dict(state.memory)}


def numbers(state: State) -> dict[str, Any]:
    """Everything that is not a tensor, except the time."""
    return {
        "step": state.step,
        "images": state.images,
        "optimizer": {name: {"step": float(net.steps)} for name, net in state.nets.items()},
        "window": {k: [_finite(float(v)), state.meter.counts[k]] for k, v in state.meter.sums.items()},
        **({} if state.loss_scale is None else {"loss_scale": state.loss_scale.numbers()}),
    }


def _finite(value: float) -> float | None:
    """JSON has no NaN."""
    return value if math.isfinite(value) else None


def _count(value: Any, least: int = 0) -> int:
    """A count from a file. Raises ValueError if it is none."""
    if not isinstance(value, int | float) or not least <= value < MOST or value != int(value):
        raise ValueError(f"{value!r} is no count")
    return int(value)


def _moments(name: str, net: Net) -> dict[str, Tensor]:
    """The optimizer moments of each weight."""
    views = {key: net.layout.views(flat) for key, flat in net.moments.items()}
    return {f"{name}.{parameter}.{key}": views[key][parameter] for parameter in net.layout.shapes for key in views}


def check_finite(groups: Groups) -> None:
    """Raises DivergedError if anything is not finite: such a state is never saved."""
    for file, group in groups.items():
        for name, value in group.items():
            if value.is_floating_point() and not torch.isfinite(value).all():
                raise DivergedError(
                    f"{file}: {name} is not finite; not saved", "the last checkpoint is whole: lower the rate"
                )


def share(state: State, ranks: Ranks) -> None:
    """Give the first rank's state to all ranks."""
    if ranks.world == 1:
        return
    groups = {name: {k: v.clone() for k, v in group.items()} for name, group in tensors(state).items()}
    for group in groups.values():
        ranks.broadcast(group.values())
    table = ranks.on_first_rank(lambda: {**numbers(state), "seconds": state.seconds})
    if not ranks.is_first:
        restore(state, groups, table)
        state.seconds = table["seconds"]


def check_same(state: State, ranks: Ranks) -> None:
    """Raises ResourceError if the ranks' weights or memories are no longer bitwise identical; such a state is never saved."""
    if ranks.world == 1:
        return
    held = {name: net.flat for name, net in state.nets.items()} | {f"memory {k}": v for k, v in state.memory.items()}
    here = [float(zlib.crc32(v.detach().cpu().reshape(-1).view(torch.uint8).numpy().data)) for v in held.values()]
    largest = ranks.maximum([*here, *(-crc for crc in here)])
    for name, most, least in zip(held, largest, largest[len(here) :], strict=False):
        if most != -least:
            raise ResourceError(f"the ranks' {name} drifted apart before step {state.step}", "gan resume")


@torch.no_grad()
def restore(state: State, groups: Groups, table: dict[str, Any]) -> None:
    """Load a snapshot into a new state of the same configuration. Raises CheckpointError if the numbers do not fit."""
    for name, net in state.nets.items():
        for key, value in net.module.state_dict().items():
            value.copy_(groups["nets"][f"{name}.{key}"])
        net.refresh()
        for key, value in _moments(name, net).items():
            value.copy_(groups["optimizer"][key])
    for name, ema in state.ema.items():
        for key, value in ema.module.state_dict().items():
            value.copy_(groups["ema"][f"{name}.{key}"])
    for key, value in state.memory.items():
        value.copy_(groups["memory"][key])
    try:
        for name, net in state.nets.items():
            net.steps.fill_(_count(table["optimizer"][name]["step"]))
        state.step, state.images = _count(table["step"]), _count(table["images"])
        for key, (total, count) in table["window"].items():
            state.meter.sums[key] = torch.tensor(math.nan if total is None else float(total), device=state.device)
            state.meter.counts[key] = _count(count, least=1)
        if state.loss_scale is not None and "loss_scale" in table:  # else it was no float16 run yet
            state.loss_scale.restore(table["loss_scale"])
    except (ArithmeticError, AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(f"state.json does not fit: {error!r}") from None
