"""Everything that training changes: nets, optimizer moments, moving averages, memory, two counters, the open window of the journal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from gancli.core.contracts import Logs, Tick
from gancli.core.data import Spec
from gancli.core.errors import UsageError
from gancli.core.registry import nearest
from gancli.core.seeds import derive
from gancli.core.task import Phase, Task
from gancli.inference.generator import Model
from gancli.training.net import EmaNet, Net, in_evaluation
from gancli.training.scaling import LossScale

if TYPE_CHECKING:
    from gancli.core.config import Config


@dataclass
class Meter:
    """Running means since the last line of the journal."""

    sums: dict[str, Tensor] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, logs: Logs) -> None:
        for key, value in logs.items():
            self.sums[key] = self.sums[key] + value if key in self.sums else value
            self.counts[key] = self.counts.get(key, 0) + 1

    def drain(self) -> dict[str, float]:
        out = self.read()
        self.sums, self.counts = {}, {}
        return out

    def read(self) -> dict[str, float]:
        return {k: float(v) / self.counts[k] for k, v in self.sums.items()}


@dataclass
class State:
    spec: Spec
    device: torch.device
    dtype: torch.dtype
    nets: dict[str, Net]
    ema: dict[str, EmaNet]
    phases: Sequence[Phase]
    memory: dict[str, Tensor]
    step: int = 0
    images: int = 0
    seconds: float = 0.0  # of training, over all sessions
    loss_scale: LossScale | None = None  # in float16 only
    meter: Meter = field(default_factory=Meter)

    def tick(self, seed: int) -> Tick:
        return Tick(seed, self.step, self.images)

    def working(self) -> dict[str, nn.Module]:
        return {name: net.working for name, net in self.nets.items()}

    def model(self, task: Task, ema: bool = True, facts: dict[str, Any] | None = None) -> Model:
        """A model of the present weights, for sampling."""
        known = {**(facts or {}), "ema": ema and bool(self.ema)}
        return Model(task, self.sampling(ema), self.spec, self.tick(0), known)

    def sampling(self, ema: bool = True) -> dict[str, nn.Module]:
        """The nets to sample from, in float32 and evaluation mode: the moving averages where there are any and `ema` is true."""
        out = {name: in_evaluation(net.module) for name, net in self.nets.items()}
        if ema:
            out |= {name: a.follow(self.nets[name]) for name, a in self.ema.items()}
        return out


def new_state(task: Task, cfg: Config, spec: Spec, device: torch.device, dtype: torch.dtype) -> State:
    """A state at step 0. The initial weights are a function of the seed. Raises UsageError if an optimizer names an unknown net."""
    torch.manual_seed(derive(cfg.seed, "init"))
    modules = task.nets(spec)
    for net in cfg.optimizers.keys() - modules.keys() - set(task.optional):
        raise UsageError(
            f"optimizers.{net}: there is no net {net!r}", nearest(net, modules) or f"there are: {', '.join(modules)}"
        )
    nets = {
        name: Net(module, task.optimizer(name, cfg.optimizer_of(name)), device, dtype)
        for name, module in modules.items()
    }
    ema = {n: EmaNet(nets[n]) for n in task.ema if n in nets} if cfg.ema.half_life else {}
    phases = task.phases({name: net.working for name, net in nets.items()})
    memory = {k: v.to(device) for k, v in task.memory(spec).items()}
    scale = LossScale() if dtype == torch.float16 else None
    return State(spec, device, dtype, nets, ema, phases, memory, loss_scale=scale)
