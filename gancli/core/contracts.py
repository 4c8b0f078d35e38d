"""The page to read first: what the rooms of this house say to one another.

A `Model` builds nets. A `Loss` sees logits. A `Penalty` sees points and logits. A `Task` alone sees nets: it describes a run
as `Phase`s, each one optimizer step. The engine carries phases out and knows no task, model or loss by name.
Tensors: images are [N, C, H, W] in [-1, 1]; logits are [N]; losses are per sample, [N], unreduced.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from gancli.core import sharding
from gancli.core.registry import Part
from gancli.core.schedules import Schedule, always
from gancli.core.seeds import generator

Nets = Mapping[str, nn.Module]
Logs = dict[str, Tensor]
Tensors = list[Tensor] | tuple[Tensor, ...]  # one for each weight
Critic = Callable[[Tensor], Tensor]  # points [N, ...] -> logits [N]
Memory = dict[str, Tensor]  # what a run remembers between steps, saved with it; parts change its tensors in place


@dataclass(frozen=True)
class Shape:
    """What an image is, and what is known beside it."""

    channels: int
    height: int
    width: int
    classes: int = 0  # labels are 0 .. classes - 1; 0 is no labels
    attributes: int = 0  # width of a vector of attributes per image; 0 is none


@dataclass(frozen=True)
class Batch:
    """Real images and what stands beside them."""

    x: Tensor  # [N, C, H, W] in [-1, 1]
    y: Tensor | None = None  # [N] int64 labels
    attributes: Tensor | None = None  # [N, A] float32
    source: Tensor | None = None  # condition images of a paired task


@dataclass(frozen=True)
class Tick:
    """The time. `images` counts the real images that have been drawn from the data."""

    seed: int
    step: int
    images: int


@dataclass
class Turn:
    """What a phase's loss is given."""

    nets: Nets  # in the precision of the run
    batch: Batch
    tick: Tick
    shape: Shape
    random: torch.Generator  # seeded from (seed, step, phase, turn)
    noise_seed: int  # the same for all phases that look at the same batch
    memory: Memory  # the task's own, saved with the run
    carry: dict[str, Any]  # from phase to phase within one step
    keep: bool  # a later phase of this step may use this turn's graph
    first: int = 0  # this part of the batch is rows first .. first + N of `total`
    total: int = 0

    def noise(self, width: int, name: str = "z") -> Tensor:
        """Standard normal [N, width], drawn for the whole batch: how it is split over ranks or in parts changes nothing.

        The same name gives the same noise in every phase that looks at the same batch.
        """
        n = len(self.batch.x)

        def block(number: int, size: int) -> Tensor:
            path = (self.noise_seed, name, number) if number else (self.noise_seed, name)
            return torch.randn(size, width, generator=generator(*path))

        z = sharding.blocks(block, self.first, n, self.total or n)
        return z.to(self.batch.x.device, self.batch.x.dtype)


@dataclass(frozen=True)
class Phase:
    """One optimizer step, described."""

    name: str  # "D", "G", "D/r1"
    trains: tuple[str, ...]  # the nets that learn; each has its own optimizer
    loss: Callable[[Turn], tuple[Tensor, Logs]]  # per-sample loss [N], detached values for the journal
    repeat: int = 1  # WGAN: five critic turns
    fresh: bool = True  # a new batch, or the last turn's again
    when: Callable[[Tick], bool] = always
    after: Callable[[Nets], None] | None = None  # on the float32 nets: weight clipping


class Trunk(nn.Module, ABC):
    """A discriminator without its head."""

    out_features: int

    def finish(self, head: nn.Module) -> nn.Module:
        """The head as this family wants it: spectrally normalized, say."""
        return head

    @abstractmethod
    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor: ...


WIDEST = 2**24  # of any number in a model's options


class Model(Part, ABC):
    """Builds the two nets for a shape of image. `z` is the width of the latent vector."""

    kind: ClassVar[str] = "model"
    plain: ClassVar[bool] = True  # D sees images; False: several packed in one tensor, which nothing else may touch
    z: int

    @model_validator(mode="after")
    def _can_be_built(self) -> Model:
        """Widths whose products no number holds are an error of the user's, not torch's."""
        for key, value in self:
            if any(isinstance(n, int) and n > WIDEST for n in (value if isinstance(value, tuple) else (value,))):
                raise ValueError(f"{key} is more than {WIDEST:,}")
        return self

    @abstractmethod
    def generator(self, shape: Shape, condition: int) -> nn.Module:
        """A module (z [N, z], c [N, condition] or None) -> images [N, C, H, W] in [-1, 1]."""

    @abstractmethod
    def discriminator(self, shape: Shape, condition: int) -> Trunk:
        """(x [N, C, H, W], c [N, condition] or None) -> features [N, out_features]; the condition's head comes on top."""

    def fitted(self, images: int, shape: Shape) -> Self:  # noqa: ARG002
        """What is left to the length of the run, chosen for so many images; called once, and recorded."""
        return self

    def begin(self, nets: Nets, x: Tensor, tick: Tick) -> Tensor:  # noqa: ARG002
        """Called before each turn: brings the nets to this time's level; returns the reals as D is to see them."""
        return x


class Loss(Part, ABC):
    """An adversarial loss: two functions of logits."""

    kind: ClassVar[str] = "loss"
    compares: ClassVar[bool] = False  # the generator's loss looks at the reals' logits, too (relativistic losses)

    @abstractmethod
    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        """The discriminator's loss [N] of the logits of N reals and N fakes."""

    @abstractmethod
    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """The generator's loss [N]; `real` is given where `compares` is true."""


@dataclass(frozen=True)
class Look:
    """What a penalty may look at. Logits and slopes are there where the critic's own loss needed them anyway."""

    critic: Critic
    real: Tensor  # [N, C, H, W]
    fake: Tensor  # [N, C, H, W], detached
    random: torch.Generator
    memory: Memory
    tick: Tick
    near: Callable[[float], Tensor] | None = None  # the fakes of z + s e, e standard normal
    logits: tuple[Tensor, Tensor] | None = None  # [N] of the reals and of the fakes
    slopes: tuple[Tensor, Tensor] | None = None  # their gradients there, [N, C, H, W]

    def on_both(self) -> tuple[Tensor, Tensor]:
        """The logits of the reals and of the fakes."""
        return self.logits or (self.critic(self.real), self.critic(self.fake))


class Penalty(Part, ABC):
    """A price on the critic's shape. Define `points` and `price`; or `cost` itself, for a price on more than that."""

    kind: ClassVar[str] = "penalty"
    slope_at_data: ClassVar[bool] = False  # uses `Look.slopes` where they are given
    moves: ClassVar[bool] = False  # shows D images whose pixels it has moved
    weight: float = 1.0
    every: int = Field(1, ge=1, description="on every k-th step, k times as strong (lazily, 1912.04958)")

    def points(self, real: Tensor, fake: Tensor, random: torch.Generator) -> Tensor:  # noqa: ARG002
        """Where to look: [N, C, H, W]."""
        raise TypeError(f"penalty {self.name!r} defines neither points nor cost")

    def price(self, points: Tensor, logits: Tensor) -> Tensor:  # noqa: ARG002
        """The price [N], not yet times `strength`; `points` have a gradient."""
        raise TypeError(f"penalty {self.name!r} defines neither price nor cost")

    def fitted(self, images: int) -> Self:  # noqa: ARG002
        """What is left to the length of the run, chosen for so many images; called once, and recorded."""
        return self

    def strength(self, tick: Tick) -> float:  # noqa: ARG002
        """The weight at this time."""
        return self.weight

    def cost(self, look: Look) -> Tensor:
        """The price [N], not yet times `strength`."""
        points = self.points(look.real, look.fake, look.random).detach().requires_grad_()
        return self.price(points, look.critic(points))

    def generator_cost(self, look: Look) -> Tensor | None:  # noqa: ARG002
        """A price [N] of G's own, weighed already; `look.fake` has its graph."""
        return None

    def memory(self) -> Memory:
        """What it remembers between steps, at the start; the keys begin with its name."""
        return {}


class Augment(Part, ABC):
    """A differentiable change of images, the same kind for reals and fakes."""

    kind: ClassVar[str] = "augment"

    @abstractmethod
    def __call__(self, x: Tensor, random: torch.Generator, memory: Memory) -> Tensor:
        """[N, C, H, W] -> [N, C, H, W]."""

    def memory(self) -> Memory:
        """What it remembers between steps, at the start; the keys begin with its name."""
        return {}

    def learn(self, on_real: Tensor, memory: Memory) -> None:
        """Called after each of D's turns with the logits of the reals: adaptive augmentation."""


class Condition(Part, ABC):
    """How what is known of an image (label, attributes) reaches the nets."""

    kind: ClassVar[str] = "condition"
    in_trunk: ClassVar[bool] = True  # D's trunk is given c; False: only the head is
    drawn: ClassVar[bool] = False  # in training c is drawn, whatever is known of the images (InfoGAN)
    judged: ClassVar[bool] = False  # there is an auxiliary loss

    @abstractmethod
    def width(self, shape: Shape) -> int:
        """The width of the vector c; 0 for none. Raises UsageError if the data has no such thing."""

    @abstractmethod
    def encode(
        self, y: Tensor | None, attributes: Tensor | None, shape: Shape, noise: Tensor | None = None
    ) -> Tensor | None:
        """c [N, width]. What is not given is drawn from `noise`, a standard normal [N, width]."""

    def asked(self, shape: Shape) -> tuple[int, int]:
        """How many classes and how many attributes there are to choose from at sampling, where `encode` heeds them."""
        return shape.classes, shape.attributes

    @abstractmethod
    def head(self, features: int, shape: Shape) -> nn.Module:
        """A module (features [N, F], c or None) -> logits [N]."""

    def seen(self, shape: Shape) -> int:
        """The width of c as the nets see it, after `embedding`."""
        return self.width(shape)

    def embedding(self, shape: Shape) -> nn.Module | None:  # noqa: ARG002
        """A learned module c [N, width] -> [N, seen], made once for each net."""
        return None

    def auxiliary(self, head: nn.Module, features: Tensor, c: Tensor, fake: bool) -> Tensor:  # noqa: ARG002
        """A further loss [N] of D's features of reals or of fakes; both nets minimize that of the fakes. If `judged`."""
        raise TypeError(f"condition {self.name!r} is not judged")


class Optimizer(Part, ABC):
    """An update rule. It keeps nothing itself: the engine holds the moments, float32 and as large as the weights, zero at first.

    `torch.optim` is not used: making one of its optimizers imports torch's compiler, a second and 150 MB of a short run.
    """

    kind: ClassVar[str] = "optimizer"
    lr: float
    schedule: Schedule = Field(Schedule(), description="the learning-rate schedule")

    @property
    def moments(self) -> tuple[str, ...]:
        """What is kept for each weight from step to step, by the names that torch.optim has for them."""
        return ()

    @abstractmethod
    def update(
        self, weights: Tensors, gradients: Tensors, moments: Mapping[str, Tensors], step: Tensor, lr: float
    ) -> None:
        """Change the weights and the moments in place; `step`, a float32 scalar, counts from 1. Called without gradients on."""


class Task(Part, ABC):
    """What a run learns. The only one that sees nets."""

    kind: ClassVar[str] = "task"
    ema: ClassVar[tuple[str, ...]] = ("G",)  # the nets of which an average is kept

    @abstractmethod
    def nets(self, shape: Shape) -> dict[str, nn.Module]: ...

    @abstractmethod
    def phases(self, nets: Nets) -> Sequence[Phase]: ...

    @abstractmethod
    def sample(
        self,
        nets: Nets,
        seeds: Sequence[int],
        shape: Shape,
        labels: Sequence[int] | None = None,
        attributes: Tensor | None = None,
        truncation: float = 1.0,
    ) -> Tensor:
        """Images [N, C, H, W] in [-1, 1]; image i depends on seeds[i], labels[i] and attributes[i] alone.

        Labels and attributes [N, A] that are not given are drawn from the seeds. `truncation` below 1 gives up variety for quality.
        """

    def fitted(self, images: int, shape: Shape) -> Self:  # noqa: ARG002
        """What is left to the length of the run, chosen for so many images; called once, and recorded."""
        return self

    @property
    def together(self) -> int:
        """How many rows of a batch cannot be parted."""
        return 1

    def memory(self) -> Memory:
        """What the task remembers between steps (replay pools, ADA's p), at the start; saved with the run."""
        return {}

    def begin(self, nets: Nets, batch: Batch, tick: Tick) -> Batch:  # noqa: ARG002
        """Called before each turn: progressive growth sets its level here, and prepares the batch."""
        return batch
