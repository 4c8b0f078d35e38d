"""One training step, complete on one page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from gancli.core.contracts import Logs
from gancli.core.data import Batch
from gancli.core.errors import DivergedError
from gancli.core.seeds import derive, seed_default
from gancli.core.sharding import Rows, use_rows
from gancli.core.task import Context, Phase, Task
from gancli.distributed.ranks import ALONE, Ranks

if TYPE_CHECKING:
    from gancli.core.config import Config
    from gancli.data.loader import Loader
    from gancli.training.net import Net
    from gancli.training.scaling import LossScale
    from gancli.training.state import State


def step(task: Task, state: State, loader: Loader, cfg: Config, ranks: Ranks = ALONE) -> Logs:
    """Carry out every phase whose time it is, then update the moving averages.

    Of several ranks each takes its rows of the batch; gradients and logs are then averaged.

    In float16 an update whose gradients overflow is skipped, and the loss scale halved.

    Returns:
        Means over the batch and over the turns of each phase, still on the device: `loss/D`, `grad/D`, and what the task logs.

    Raises:
        DivergedError: a loss or a gradient is not finite; before the update.
    """
    means = _Means()
    cache: dict[str, Any] = {}
    drawn_by: tuple[str, ...] = ()  # the nets whose phase has read the batch
    start, total = state.images, cfg.stop.total(loader.epoch)
    for phase in state.phases:
        if not phase.runs(state.tick(cfg.seed)):
            continue
        for turn in range(phase.repeat):
            seed = derive(cfg.seed, state.step, phase.name, turn)
            fresh = cfg.data.fresh_real and phase.nets != drawn_by
            if phase.new_batch or fresh:
                batch = loader.batch(state.images, cfg.batch_size, *ranks.rows(cfg.batch_size))
                noise_seed, cache = seed, {}
                state.images, drawn_by = state.images + cfg.batch_size, phase.nets
            seeds, last = (seed, noise_seed), turn == phase.repeat - 1 and not cfg.data.fresh_real
            logs = _gradients(task, state, cfg, phase, batch, seeds, cache, last, ranks)
            logs = ranks.average_gradients([state.nets[name] for name in phase.nets], logs)
            _finite(logs[phase.key], f"the loss of {phase.name}", state)
            means.add({**logs, **_update(state, phase, start, total)})
    state.step += 1
    if state.loss_scale is not None:
        state.loss_scale.stepped()
    for name, ema in state.ema.items():
        ema.update(state.nets[name], _decay(cfg, state.images, state.images - start))
    return means.read()


class _Means:
    """Means over the turns of a step, by key."""

    def __init__(self) -> None:
        self.sums: Logs = {}
        self.counts: dict[str, int] = {}

    def add(self, logs: Logs) -> None:
        for key, value in logs.items():
            self.sums[key] = self.sums[key] + value if key in self.sums else value
            self.counts[key] = self.counts.get(key, 0) + 1

    def read(self) -> Logs:
        return {key: value if self.counts[key] == 1 else value / self.counts[key] for key, value in self.sums.items()}


def _update(state: State, phase: Phase, images: int, total: int) -> Logs:
    """The optimizer steps of a phase with the gradients collected, `images` of `total` into the run. Returns their norms."""
    norms = {name: state.nets[name].gradient_norm() for name in phase.nets}
    if state.loss_scale is not None and not all(map(math.isfinite, norms.values())) and state.loss_scale.overflowed():
        for name in phase.nets:
            state.nets[name].drop_gradients()
        return {}
    for name, norm in norms.items():
        _finite(norm, f"the gradient of {name}", state)
    for name in phase.nets:
        state.nets[name].update(*phase.progress(images, total))
    if phase.after is not None:
        _after(state, phase)
    return {f"grad/{name}": norm for name, norm in norms.items()}


def _gradients(
    task: Task,
    state: State,
    cfg: Config,
    phase: Phase,
    batch: Batch,
    seeds: tuple[int, int],
    cache: dict[str, Any],
    last: bool,
    ranks: Ranks,
) -> Logs:
    """Collect the gradients of a phase's mean loss over this rank's rows, in one part or in micro-batches. Returns the logs."""
    n, (begin, _), (seed, noise_seed) = batch.n, ranks.rows(cfg.batch_size), seeds
    part = min(cfg.runtime.micro_batch or n, n)
    whole, tick, total = part == n, state.tick(cfg.seed), n * ranks.world
    task.prepare(state.working(), state.spec, tick)
    batch = task.view(state.working(), batch)
    nets = [state.nets[name] for name in phase.nets]
    logs: Logs = {}
    kept: dict[str, list[Tensor]] = {}
    for first in range(0, n, part):
        seed_default(seed, state.device)  # dropout and other random layers
        random = torch.Generator().manual_seed(seed)
        piece = batch.rows(first, part)
        own = Rows(begin + first, piece.n, total, n, seed, random, batch, first + part >= n, ranks.group, kept)
        ctx = Context(
            state.working(), piece, tick, state.spec, random, noise_seed, state.memory, state.device, state.dtype,
            cache if whole else {}, last and whole, begin + first, total,
        )  # fmt: skip
        with use_rows(own):
            values = _backward(phase, ctx, nets, piece.n / n, first == 0, state.loss_scale)
        for key, value in values.items():
            logs[key] = logs.get(key, 0) + value
    return logs


def _backward(
    phase: Phase, ctx: Context, nets: Sequence[Net], share: float, first: bool, scale: LossScale | None
) -> Logs:
    """Collect the gradients of a micro-batch, which is `share` of the batch. Returns its share of the logs."""
    loss, values = phase.loss(ctx)
    mean = loss.mean() * share
    parameters = [p for net in nets for p in net.parameters]
    if scale is None:
        gradients: Sequence[Tensor | None] = torch.autograd.grad(mean, parameters, allow_unused=True)
    else:
        gradients = scale.gradients(mean, parameters)
    for net in nets:
        net.collect(gradients[: len(net.parameters)], first)
        gradients = gradients[len(net.parameters) :]
    return {phase.key: mean.detach(), **{k: v.float().mean() * share for k, v in values.items()}}


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
    for net in state.nets.values():
        net.refresh()


def _decay(cfg: Config, images: int, since: int) -> float:
    """The decay of the moving average over `since` images, from a half-life that is shorter early in the run (2006.06676, appendix)."""
    half_life = float(cfg.ema.half_life)
    if cfg.ema.ramp:
        half_life = min(half_life, images * cfg.ema.ramp)
    return float(0.5 ** (since / max(half_life, 1e-8)))
