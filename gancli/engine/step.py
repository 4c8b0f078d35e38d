"""One training step: the whole of training on one screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from gancli.clock import derive
from gancli.contracts import Batch, Logs, Phase, Task, Turn
from gancli.errors import DivergedError

if TYPE_CHECKING:
    from gancli.config import Config
    from gancli.data.store import Store
    from gancli.engine.state import State


def step(task: Task, state: State, store: Store, cfg: Config) -> Logs:
    """Carry out every phase whose time it is, then the average. Returns means for the journal, still on the device.

    Raises DivergedError, before the update, if a loss or a gradient is not finite.
    """
    logs: Logs = {}
    carry: dict[str, Any] = {}
    start, total = state.images, cfg.stop.total(store.epoch)
    for phase in state.phases:
        if not phase.when(state.tick(cfg.seed)):
            continue
        for turn in range(phase.repeat):
            seed = derive(cfg.seed, state.step, phase.name, turn)
            if phase.fresh:
                batch, noise_seed, carry = store.batch(state.images, cfg.batch_size), seed, {}
                state.images += cfg.batch_size
            last = turn == phase.repeat - 1
            logs |= _gradients(task, state, cfg, phase, batch, seed, noise_seed, carry, last)
            for name in phase.trains:
                net = state.nets[name]
                logs[f"{name.lower()}_grad"] = _finite(net.gradient_norm(), f"the gradient of {name}", state)
                net.update(net.rule.lr * net.rule.schedule.factor(start, total))
            if phase.after is not None:
                _after(state, phase)
    state.step += 1
    for name, average in state.averages.items():
        average.update(state.nets[name], _decay(cfg, state.images, state.images - start))
    return logs


def _gradients(
    task: Task,
    state: State,
    cfg: Config,
    phase: Phase,
    batch: Batch,
    seed: int,
    noise_seed: int,
    carry: dict[str, Any],
    last: bool,
) -> Logs:
    """The gradients of a phase's mean loss, in one part or, for little memory, in several."""
    n = len(batch.x)
    part = min(cfg.machine.micro_batch or n, n)
    torch.manual_seed(seed)  # dropout and whatever else a net draws
    random = torch.Generator().manual_seed(seed)
    nets = [state.nets[name] for name in phase.trains]
    logs: Logs = {}
    for first in range(0, n, part):
        piece = task.begin(state.working(), _rows(batch, first, part), state.tick(cfg.seed))
        keep = last and part == n
        turn = Turn(
            state.working(), piece, state.tick(cfg.seed), state.shape, random, noise_seed, state.memory,
            carry if part == n else {}, keep, first, n,
        )  # fmt: skip
        loss, values = phase.loss(turn)
        share = len(piece.x) / n
        mean = _finite(loss.mean(), f"the loss of {phase.name}", state) * share
        gradients = torch.autograd.grad(mean, [p for net in nets for p in net.parameters], allow_unused=True)
        for net in nets:
            net.collect(gradients[: len(net.parameters)], first == 0)
            gradients = gradients[len(net.parameters) :]
        for key, value in {_key(phase): mean.detach() / share, **values}.items():
            logs[key] = logs.get(key, 0) + value.float().mean() * share
    return logs


def _finite(value: Tensor, what: str, state: State) -> Tensor:
    if not torch.isfinite(value):
        raise DivergedError(
            f"{what} is {float(value.detach())} at step {state.step}; nothing was updated",
            "try a lower learning rate (--set optimiser.lr=1e-4) or --precision fp32",
        )
    return value


def _after(state: State, phase: Phase) -> None:
    assert phase.after is not None
    with torch.no_grad():
        phase.after({name: net.module for name, net in state.nets.items()})
    for name in phase.trains:
        state.nets[name].refresh()


def _rows(batch: Batch, first: int, n: int) -> Batch:
    if first == 0 and n >= len(batch.x):
        return batch
    cut = (None if t is None else t[first : first + n] for t in (batch.x, batch.y, batch.attributes, batch.source))
    return Batch(*cut)  # type: ignore[arg-type]


def _key(phase: Phase) -> str:
    """ "D" -> d_loss, "D/r1" -> d_r1."""
    net, _, rest = phase.name.lower().partition("/")
    return f"{net}_{rest or 'loss'}"


def _decay(cfg: Config, images: int, since: int) -> float:
    """The average's decay over `since` images (2006.06676, appendix): a half-life, shorter early in the run."""
    half_life = float(cfg.average.half_life)
    if cfg.average.ramp:
        half_life = min(half_life, images * cfg.average.ramp)
    return float(0.5 ** (since / max(half_life, 1e-8)))
