"""What a run learns: the contract of a task, and what the engine hands to it.

A `Task` alone sees nets: it describes a training step as `Phase`s, each one optimizer step, and says what is asked of the trained nets
(`Ask`) and what they make of it (`Samples`). The engine carries phases out and knows no task by name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from gancli.core import sharding
from gancli.core.contracts import Logs, Memory, Nets, Tick
from gancli.core.data import Batch, Dataset, Spec
from gancli.core.registry import Part
from gancli.core.samples import Ask, Samples
from gancli.core.schedules import always
from gancli.core.seeds import generator


@dataclass
class Context:
    """What a phase's loss is given: one turn of one phase, or the rows of it that this process looks at."""

    nets: Nets  # in the compute dtype of the run
    batch: Batch
    tick: Tick
    spec: Spec
    random: torch.Generator  # seeded from (seed, step, phase, turn)
    noise_seed: int  # the same for all phases that use the same batch
    memory: Memory  # the task's own, saved with the run
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    dtype: torch.dtype = torch.float32  # the compute dtype
    cache: dict[str, Any] = field(default_factory=dict)  # from phase to phase within one step
    retain_graph: bool = False  # a later phase of this step may use this turn's graph
    first: int = 0  # this part of the batch is rows first .. first + N of `total`
    total: int = 0

    def noise(self, width: int, name: str = "z") -> Tensor:
        """Standard normal [N, width], drawn for the whole batch: how it is split over ranks or in parts changes nothing.

        The same name gives the same noise in every phase that uses the same batch.
        """
        n = self.batch.n

        def block(number: int, size: int) -> Tensor:
            path = (self.noise_seed, name, number) if number else (self.noise_seed, name)
            return torch.randn(size, width, generator=generator(*path))

        z = sharding.in_blocks(block, self.first, n, self.total or n)
        return z.to(self.device, self.dtype)


@dataclass(frozen=True)
class Phase:
    """One optimizer step, described.

    Its loss is logged as `loss/NAME`, or as `penalty/NET/PART` where the name is NET/PART (lazy regularization).
    """

    name: str  # "D", "G", "D_A", "D/r1"
    nets: tuple[str, ...]  # the nets that learn; each has its own optimizer
    loss: Callable[
        [Context], tuple[Tensor, Logs]
    ]  # loss [N], detached values for the logs by key, each [N] or a scalar
    repeat: int = 1  # turns: WGAN trains the critic five times
    new_batch: bool = True  # a new batch for each turn, or the latest one again
    when: Callable[[Tick], bool] = always
    after: Callable[[Nets], None] | None = None  # on the float32 nets: weight clipping

    @property
    def key(self) -> str:
        """What its loss is logged as."""
        return f"penalty/{self.name}" if "/" in self.name else f"loss/{self.name}"


@dataclass(frozen=True)
class Choices:
    """What can be chosen in an ask beside the seed: labels 0 .. classes - 1, and so many attributes."""

    classes: int = 0
    attributes: int = 0
    from_data: bool = True  # they are the data's own; False: latent codes that the nets have given a meaning (InfoGAN)


@dataclass(frozen=True)
class Exportable:
    """A net for use elsewhere: plain torch, with cropping, clamping and one-hot encoding inside."""

    module: nn.Module
    inputs: Mapping[str, Tensor]  # an example of 2 rows of each input, by name, in the order of `forward`


class Task(Part, ABC):
    """What a run learns. The only one that sees nets."""

    kind: ClassVar[str] = "task"
    accepts: ClassVar[type[Spec]]  # the data that it learns from
    asks: ClassVar[type[Ask]]  # what is asked of the trained nets
    ema: ClassVar[tuple[str, ...]] = ("G",)  # the nets of which an exponential moving average is kept
    quick: ClassVar[tuple[str, ...]] = ()  # metrics while training
    headline: ClassVar[str] = ""  # the score that lists and tables show, and that "best" means

    @abstractmethod
    def nets(self, spec: Spec) -> dict[str, nn.Module]:
        """The nets by name, newly initialized from torch's default generator. Raises UsageError if the parts do not fit."""

    @abstractmethod
    def phases(self, nets: Nets) -> Sequence[Phase]:
        """The optimizer steps of one training step, in order."""

    @abstractmethod
    def critics(self, ctx: Context) -> dict[str, tuple[Tensor, Tensor]]:
        """The logits of the reals and of the fakes of a batch, [N] or [N, P], by the critic's name.

        Evaluated without gradients, nets in evaluation mode: what the monitor looks at.
        """

    @abstractmethod
    def generate(self, nets: Nets, ask: Ask, spec: Spec) -> Samples:
        """The samples asked for. Sample i is a pure function of the weights and row i of the ask."""

    @abstractmethod
    def preview(self, spec: Spec, data: Dataset, n: int) -> Ask:
        """What is asked for the previews while training, n samples at most: the same each time."""

    @abstractmethod
    def evaluation(self, spec: Spec, data: Dataset, n: int, seed: int) -> Ask:
        """What is asked for an evaluation of n samples; labels and attributes in the proportions of `data`."""

    def exportable(self, nets: Nets, spec: Spec) -> Exportable:  # noqa: ARG002
        """The trained net for use elsewhere.

        Raises:
            TypeError: the task has none.
        """
        raise TypeError(f"the task {self.name!r} has nothing to export")

    def choices(self, spec: Spec) -> Choices:  # noqa: ARG002
        """What can be chosen in an ask."""
        return Choices()

    def resolved(self, images: int, spec: Spec) -> Self:  # noqa: ARG002
        """Schedule options that are None, resolved from the total number of training images. Called once; recorded."""
        return self

    @property
    def group_size(self) -> int:
        """How many rows of a batch belong together, and cannot be split over ranks or parts (packing)."""
        return 1

    def memory(self, spec: Spec) -> Memory:  # noqa: ARG002
        """What the task remembers between steps (replay pools, ADA's p), at the start; saved with the run.

        Parts change the tensors in place. They must be the same on all ranks: what is written is a function of the step and of
        the whole batch, which `sharding.gather_rows` and `sharding.mean_over_ranks` give. Each save checks it, and raises ResourceError.
        """
        return {}

    def prepare(self, nets: Nets, spec: Spec, tick: Tick) -> None:
        """Called before each turn, and once nets are loaded: progressive growing sets its scale here."""

    def view(self, nets: Nets, batch: Batch) -> Batch:  # noqa: ARG002
        """The batch as the nets are to see it, after `prepare`."""
        return batch
