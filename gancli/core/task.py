"""The contract of a task: its nets, losses and samples.

A `Task` describes a training step as a sequence of `Phase`s, one optimizer step each, and generates `Samples` for an `Ask`.
The engine runs the phases and contains no name of a task.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from gancli.core import sharding
from gancli.core.contracts import Logs, Loss, Memory, Nets, Optimizer, Tick
from gancli.core.data import Batch, Dataset, Spec, Split
from gancli.core.exportable import Exportable
from gancli.core.registry import Part
from gancli.core.samples import Ask, FromInput, Samples
from gancli.core.schedules import always
from gancli.core.seeds import generator
from gancli.core.specs import ImageMap


@dataclass
class Context:
    """The input of a phase's loss: one turn of the phase, or one micro-batch of it."""

    nets: Nets  # in the compute dtype
    batch: Batch
    tick: Tick
    spec: Spec
    random: torch.Generator  # seeded from (seed, step, phase, turn)
    noise_seed: int  # the same for all phases that use the same batch
    memory: Memory  # of the task, saved in checkpoints
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    dtype: torch.dtype = torch.float32  # the compute dtype
    cache: dict[str, Any] = field(default_factory=dict)  # shared by the phases of a step
    retain_graph: bool = False  # whether a later phase of this step may use the graph of this turn
    first: int = 0  # position of these rows in the batch
    total: int = 0  # size of the batch; 0: that of `batch`

    def noise(self, width: int, name: str = "z") -> Tensor:
        """Draw standard normal noise, independent of the division of the batch over ranks and micro-batches.

        Args:
            width: of the noise.
            name: different names give independent noise; the same name gives the same noise in all phases that use the
                same batch.

        Returns:
            [N, width] in the compute dtype.
        """
        n = self.batch.n

        def block(number: int, size: int) -> Tensor:
            path = (self.noise_seed, name, number) if number else (self.noise_seed, name)
            return torch.randn(size, width, generator=generator(*path))

        z = sharding.in_blocks(block, self.first, n, self.total or n)
        return z.to(self.device, self.dtype)


@dataclass(frozen=True)
class Phase:
    """The description of one optimizer step.

    Its loss is logged as `loss/NAME`, or as `penalty/NET/PART` if the name is NET/PART (lazy regularization).

    Attributes:
        name: such as "D", "G", "D_A", "D/r1".
        nets: the nets that are updated, each by its own optimizer.
        loss: context -> (loss [N], logs). Logs are detached values by key, each [N], [N, P] or a scalar.
        repeat: number of turns, each an optimizer step (n_critic).
        new_batch: whether each turn reads a new batch. False: it reuses the last one.
        when: predicate of the steps on which the phase runs.
        begin: number of training images before the phase runs for the first time.
        end: number of training images after which it does not run any more; 0: never. The learning-rate schedule of the
            phase spans the images between `begin` and `end`.
        after: called with the float32 nets after each update (weight clipping).
    """

    name: str
    nets: tuple[str, ...]
    loss: Callable[[Context], tuple[Tensor, Logs]]
    repeat: int = 1
    new_batch: bool = True
    when: Callable[[Tick], bool] = always
    begin: int = 0
    end: int = 0
    after: Callable[[Nets], None] | None = None

    def runs(self, tick: Tick) -> bool:
        """Whether it runs on a step."""
        return self.begin <= tick.images and (not self.end or tick.images < self.end) and self.when(tick)

    def progress(self, images: int, total: int) -> tuple[int, int]:
        """Images since the begin of the phase, and from its begin to its end, of a run of `total` images."""
        return images - self.begin, (self.end or total) - self.begin if total else 0

    @property
    def key(self) -> str:
        """The log key of the loss."""
        return f"penalty/{self.name}" if "/" in self.name else f"loss/{self.name}"


@dataclass(frozen=True)
class Choices:
    """The labels and attributes that a request can choose.

    Attributes:
        classes: labels are 0 .. classes - 1; 0: no labels.
        attributes: number of attributes.
        from_data: whether they are labels and attributes of the data. False: latent codes whose meaning is learned (InfoGAN).
    """

    classes: int = 0
    attributes: int = 0
    from_data: bool = True


class Task(Part, ABC):
    """What is trained: nets, losses, sampling and evaluation.

    Attributes:
        accepts: the kind of data it trains on.
        asks: the kind of request that it answers.
        ema: the nets of which an exponential moving average is kept.
        optional: nets that some options leave out; optimizers may be given for them all the same, as presets do.
        quick: metrics for validation during training.
        headline: the score shown in lists and tables, which also selects the best checkpoint.
        is_default: whether it is the default of the tasks that accept its kind of data.
        tradeoff: a score of quality, then scores of variety (lower is better): the axes of `gan evaluate --temperatures`.
        promises: what to expect of samples from a number of steps on, for messages; empty: as of images.
    """

    kind: ClassVar[str] = "task"
    accepts: ClassVar[type[Spec]]
    asks: ClassVar[type[Ask]]
    ema: ClassVar[tuple[str, ...]] = ("G",)
    optional: ClassVar[tuple[str, ...]] = ()
    quick: ClassVar[tuple[str, ...]] = ()
    headline: ClassVar[str] = ""
    is_default: ClassVar[bool] = False
    tradeoff: ClassVar[tuple[str, ...]] = ()
    promises: ClassVar[tuple[tuple[int, str], ...]] = ()

    @classmethod
    def schema_notes(cls) -> dict[str, Any]:
        """What it learns from and what can be requested from its models, for forms."""
        verb, needs = (getattr(getattr(cls, "asks", None), name, "") for name in ("verb", "needs"))
        accepts = getattr(getattr(cls, "accepts", None), "name", "")
        return {"x-accepts": accepts, "x-asks": {"verb": verb, "needs": needs}, "x-headline": cls.headline}

    @abstractmethod
    def nets(self, spec: Spec) -> dict[str, nn.Module]:
        """Build the nets, initialized from torch's default generator.

        Args:
            spec: of the data.

        Returns:
            The nets by name.

        Raises:
            UsageError: the parts of the task cannot be combined, or not with these data.
        """

    @abstractmethod
    def phases(self, nets: Nets) -> Sequence[Phase]:
        """Describe one training step.

        Args:
            nets: from `nets`.

        Returns:
            The phases in order.
        """

    @abstractmethod
    def critics(self, ctx: Context) -> dict[str, tuple[Tensor, Tensor]]:
        """Compute logits for the monitor. Called without gradients, with nets in evaluation mode.

        Args:
            ctx: nets and batch.

        Returns:
            Logits of reals and fakes, each [N] or [N, P], by name of the critic.
        """

    def centered(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """Move logits from `critics` so that 0 is where the task's `loss`, if it has one, separates reals from fakes."""
        loss = getattr(self, "loss", None)
        return loss.centered(real, fake) if isinstance(loss, Loss) else (real, fake)

    @abstractmethod
    def generate(self, nets: Nets, ask: Ask, spec: Spec) -> Samples:
        """Generate samples. Sample i must be a pure function of the weights and row i of the request.

        Args:
            nets: in evaluation mode.
            ask: the request, of type `asks`.
            spec: of the data.

        Returns:
            One sample per row.
        """

    @abstractmethod
    def preview(self, spec: Spec, data: Dataset, n: int) -> Ask:
        """The request for previews during training, the same every time.

        Args:
            spec: of the data.
            data: the validation set.
            n: number of samples; more if every class is to be there.
        """

    @abstractmethod
    def evaluation(self, spec: Spec, data: Dataset, n: int, seed: int) -> Ask:
        """The request for an evaluation.

        Args:
            spec: of the data.
            data: the reference data, whose proportions of labels and attributes the request has.
            n: number of samples.
            seed: first seed.
        """

    def exportable(self, nets: Nets, spec: Spec) -> Exportable:  # noqa: ARG002
        """Build the module for export.

        Args:
            nets: in evaluation mode.
            spec: of the data.

        Raises:
            TypeError: the task has no module for export.
        """
        raise TypeError(f"the task {self.name!r} has nothing to export")

    def maps(self, spec: Spec) -> Mapping[str, ImageMap]:  # noqa: ARG002
        """The mappings of images to images that `apply` carries out, by direction, the default first; none by default.

        Args:
            spec: of the data.
        """
        return {}

    def apply(self, nets: Nets, batch: Batch, ask: FromInput, spec: Spec) -> Tensor:  # noqa: ARG002
        """Map images of any size, or tiles of them, to images.

        Args:
            nets: in evaluation mode.
            batch: `source` [N, C, H, W] in [-1, 1], and `mask` [N, 1, H, W] (1: missing) if there is one.
            ask: the request, whose direction and N seeds are used.
            spec: of the data.

        Returns:
            [N, C', scale * H, scale * W] in [-1, 1].

        Raises:
            TypeError: the task has no mappings.
        """
        raise TypeError(f"the task {self.name!r} does not map images to images")

    def choices(self, spec: Spec) -> Choices:  # noqa: ARG002
        """The labels and attributes that a request can choose."""
        return Choices()

    def optimizer(self, net: str, rule: Optimizer) -> Optimizer:  # noqa: ARG002
        """The optimizer of a net, adjusted from the configured one (lazy regularization)."""
        return rule

    def resolved(self, images: int, spec: Spec) -> Self:  # noqa: ARG002
        """Resolve schedule options that are `None`. Called once; the result is written to config.json.

        Args:
            images: total number of training images.
            spec: of the data.

        Returns:
            A copy with all options set.
        """
        return self

    def dataset(self, data: Dataset) -> Dataset:
        """Convert a data set to the form that this task trains on: degraded images, the other direction, two domains.

        Called for training, validation and test set. Data of another kind than `accepts` may be returned unchanged; the
        engine then rejects them.

        Args:
            data: as read from the source.

        Returns:
            A data set; default: `data`.
        """
        return data

    @property
    def group_size(self) -> int:
        """The number of consecutive rows that must not be divided over ranks or micro-batches (PacGAN)."""
        return 1

    def memory(self, spec: Spec) -> Memory:  # noqa: ARG002
        """Create the tensors kept from step to step (replay pools, ADA's p), saved in checkpoints.

        Parts update them in place. They must be the same on all ranks, so updates may depend only on the step and on the
        whole batch (`sharding.gather_rows`, `sharding.mean_over_ranks`). Every save verifies this and raises ResourceError.

        Args:
            spec: of the data.

        Returns:
            Initial tensors by name.
        """
        return {}

    def prepare(self, nets: Nets, spec: Spec, tick: Tick) -> None:
        """Set the state of the nets that depends on the schedule, such as the scale in progressive growing.

        Called before each turn and after nets are loaded.

        Args:
            nets: changed in place.
            spec: of the data.
            tick: progress of training.
        """

    def view(self, nets: Nets, batch: Batch) -> Batch:  # noqa: ARG002
        """Convert a batch to the input of the nets, such as images at the current scale.

        Args:
            nets: after `prepare`.
            batch: from the data set.
        """
        return batch


def converted(split: Split[Any], task: Task) -> Split[Any]:
    """Convert all sets by `Task.dataset`; validation and test set stay without anything random."""
    train, test, validation = (task.dataset(part) for part in (split.train, split.test, split.validation))
    return Split(train, test.for_evaluation(), validation.for_evaluation())
