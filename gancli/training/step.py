"""One training step: the whole of training on one screen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from gancli.core.contracts import Batch, Logs, Phase, Task, Turn
from gancli.core.errors import DivergedError
from gancli.core.seeds import derive, seed_default
from gancli.core.sharding import Rows, looking_at
from gancli.distributed.ranks import ALONE, Ranks

if TYPE_CHECKING:
    from gancli.core.config import Config
    from gancli.data.store import Store
    from gancli.training.net import Net
    from gancli.training.state import State

SCALES = (2.0**12, 2.0**8, 2.0**4, 1.0)


def step(task: Task, state: State, store: Store, cfg: Config, ranks: Ranks = ALONE) -> Logs:
    """Carry out every phase whose time it is, then the average. Returns means for the journal, still on the device.

    Of several ranks each takes its rows of the batch; gradients, logs and memory are then averaged.

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
                batch = store.batch(state.images, cfg.batch_size, *ranks.rows(cfg.batch_size))
                noise_seed, carry = seed, {}
                state.images += cfg.batch_size
            last = turn == phase.repeat - 1
            found = _gradients(task, state, cfg, phase, batch, seed, noise_seed, carry, last, ranks)
            logs |= ranks.average([state.nets[name] for name in phase.trains], found, state.memory)
            _finite(logs[_key(phase)], f"the loss of {phase.name}", state)
            for name in phase.trains:
                net = state.nets[name]
                logs[f"{name.lower()}_grad"] = _finite(net.gradient_norm(), f"the gradient of {name}", state)
                net.update(net.rule.lr * net.rule.schedule.factor(start, total))
            if phase.after is not None:
                _after(state, phase)
    state.step += 1
    for name, ema in state.ema.items():
        ema.update(state.nets[name], _decay(cfg, state.images, state.images - start))
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
    ranks: Ranks,
) -> Logs:
    """The gradients of a phase's mean loss over this rank's rows, in one part or, for little memory, in several."""
    n, (begin, _) = len(batch.x), ranks.rows(cfg.batch_size)
    part = min(cfg.runtime.micro_batch or n, n)
    tick, total = state.tick(cfg.seed), n * ranks.world
    batch = task.begin(state.working(), batch, tick)
    nets = [state.nets[name] for name in phase.trains]
    logs: Logs = {}
    kept: dict[str, list[Tensor]] = {}
    for first in range(0, n, part):
        seed_default(seed, state.device)  # dropout and whatever else a net draws
        random = torch.Generator().manual_seed(seed)
        piece = _rows(batch, first, part)
        own = Rows(begin + first, len(piece.x), total, n, seed, random, batch.x, first + part >= n, ranks.group, kept)
        whole = part == n
        turn = Turn(
            state.working(), piece, tick, state.shape, random, noise_seed, state.memory,
            carry if whole else {}, last and whole, begin + first, total,
        )  # fmt: skip
        with looking_at(own):
            values = _backward(phase, turn, nets, len(piece.x) / n, first == 0)
        for key, value in values.items():
            logs[key] = logs.get(key, 0) + value
    return logs


def _backward(phase: Phase, turn: Turn, nets: Sequence[Net], share: float, first: bool) -> Logs:
    """Collect the gradients of a part of the batch, which is `share` of it; returns as much of the logs."""
    loss, values = phase.loss(turn)
    mean = loss.mean() * share
    gradients = scaled_gradients(mean, [p for net in nets for p in net.parameters])
    for net in nets:
        net.collect(gradients[: len(net.parameters)], first)
        gradients = gradients[len(net.parameters) :]
    return {_key(phase): mean.detach(), **{k: v.float().mean() * share for k, v in values.items()}}


def scaled_gradients(mean: Tensor, parameters: Sequence[Tensor]) -> Sequence[Tensor | None]:
    """The gradients of a mean loss. Where they pass through float16, of a larger loss, then made smaller in float32.

    float16 has nothing below 6e-8 and nothing above 65,504. The scale (1710.03740, section 3.2) is the largest of four with which no
    gradient overflows, found anew in each step: so it has no state.
    """
    if all(p.dtype != torch.float16 for p in parameters):
        return torch.autograd.grad(mean, parameters, allow_unused=True)
    for scale in SCALES:
        found = torch.autograd.grad(mean * scale, parameters, allow_unused=True, retain_graph=scale != SCALES[-1])
        if all(torch.isfinite(g).all() for g in found if g is not None):
            break
    return [None if g is None else g.float() / scale for g in found]


def _finite(value: Tensor, what: str, state: State) -> Tensor:
    if not math.isfinite(value):
        raise DivergedError(
            f"{what} is {float(value.detach())} at step {state.step}; nothing was updated",
            "try a lower learning rate (--set optimizer.lr=1e-4) or --precision fp32",
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
    half_life = float(cfg.ema.half_life)
    if cfg.ema.ramp:
        half_life = min(half_life, images * cfg.ema.ramp)
    return float(0.5 ** (since / max(half_life, 1e-8)))
