"""The contracts of the parts that a task is made of: models, losses, penalties, augmentations, conditions, degradations, optimizers.

A `Model` builds nets. A `Loss` sees logits. A `Penalty` sees points and logits. None of them sees the run: a `Task`
(`core/task.py`) puts them together, and the engine knows none of them by name.
Tensors: images are [N, C, H, W] in [-1, 1]; logits are [N], or [N, P] of a critic that judges P patches; losses are unreduced.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from gancli.core.registry import Part
from gancli.core.schedules import Schedule
from gancli.core.specs import Images

Nets = Mapping[str, nn.Module]
Logs = dict[str, Tensor]
Tensors = list[Tensor] | tuple[Tensor, ...]  # one for each weight
Critic = Callable[[Tensor], Tensor]  # points [N, ...] -> logits [N] or [N, P]
Memory = dict[str, Tensor]  # what a run remembers between steps, saved with it; see `Task.memory`


@dataclass(frozen=True)
class Tick:
    """The time. `images` counts the real data that have been drawn."""

    seed: int
    step: int
    images: int


class Trunk(nn.Module, ABC):
    """A discriminator without its head."""

    out_features: int

    def wrap_head(self, head: nn.Module) -> nn.Module:
        """The head as this family wants it: spectrally normalized, say."""
        return head

    @abstractmethod
    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Features [N, out_features] of x [N, C, H, W] and the condition c [N, condition], if the trunk is given it."""


MAX_WIDTH = 2**24  # of any number in a model's options


class Model(Part, ABC):
    """Builds a generator and a discriminator for a size of image. `z` is the width of the latent vector."""

    kind: ClassVar[str] = "model"
    single_scale: ClassVar[bool] = (
        True  # D sees images; False: several scales packed in one tensor, which nothing else may touch
    )
    z: int

    @model_validator(mode="after")
    def _widths_are_in_range(self) -> Model:
        """Widths whose products no number holds are an error of the user's, not torch's."""
        for key, value in self:
            if any(isinstance(n, int) and n > MAX_WIDTH for n in (value if isinstance(value, tuple) else (value,))):
                raise ValueError(f"{key} is more than {MAX_WIDTH:,}")
        return self

    @abstractmethod
    def generator(self, spec: Images, condition: int) -> nn.Module:
        """A module (z [N, z], c [N, condition] or None) -> images [N, C, H, W] in [-1, 1]."""

    @abstractmethod
    def discriminator(self, spec: Images, condition: int) -> Trunk:
        """(x [N, C, H, W], c [N, condition] or None) -> features [N, out_features]; the condition's head comes on top."""

    def resolved(self, images: int, spec: Images) -> Self:  # noqa: ARG002
        """Schedule options that are None, resolved from the total number of training images. Called once; recorded."""
        return self

    def prepare(self, nets: Nets, spec: Images, tick: Tick) -> None:
        """Called before each turn, and once nets are loaded: sets their scale (progressive growing)."""

    def view(self, nets: Nets, x: Tensor) -> Tensor:  # noqa: ARG002
        """Images [N, C, H, W] as D is to see them: at the nets' scale, or at all scales in one tensor."""
        return x


class Loss(Part, ABC):
    """An adversarial loss: two elementwise functions of logits."""

    kind: ClassVar[str] = "loss"
    relativistic: ClassVar[bool] = False  # the generator's loss needs the reals' logits, too

    @abstractmethod
    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        """The discriminator's loss [N] or [N, P] of the logits of N reals and N fakes."""

    @abstractmethod
    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """The generator's loss [N] or [N, P]; `real` is given where `relativistic` is true."""


@dataclass(frozen=True)
class PenaltyInputs:
    """What a penalty may use. Logits and gradients are there where the critic's own loss needed them anyway."""

    critic: Critic
    real: Tensor  # [N, C, H, W]
    fake: Tensor  # [N, C, H, W], detached
    random: torch.Generator
    memory: Memory
    tick: Tick
    perturbed: Callable[[float], Tensor] | None = None  # the fakes of z + sigma e, e standard normal
    logits: tuple[Tensor, Tensor] | None = None  # of the reals and of the fakes
    gradients: tuple[Tensor, Tensor] | None = None  # of the logits with respect to the images, [N, C, H, W]

    def both_logits(self) -> tuple[Tensor, Tensor]:
        """The logits of the reals and of the fakes."""
        return self.logits or (self.critic(self.real), self.critic(self.fake))


class Penalty(Part, ABC):
    """A regularization term of the critic. Define `points` and `penalty`; or `loss` itself, for one that needs more than that."""

    kind: ClassVar[str] = "penalty"
    uses_input_gradients: ClassVar[bool] = (
        False  # of the logits at the data, `PenaltyInputs.gradients`, where they are given
    )
    transforms: ClassVar[bool] = False  # shows D images whose pixels it has moved
    weight: float = 1.0
    every: int = Field(1, ge=1, description="on every k-th step, k times as strong (lazy regularization, 1912.04958)")

    def points(self, real: Tensor, fake: Tensor, random: torch.Generator) -> Tensor:  # noqa: ARG002
        """Where the critic is penalized: [N, C, H, W]."""
        raise TypeError(f"penalty {self.name!r} defines neither points nor loss")

    def penalty(self, points: Tensor, logits: Tensor) -> Tensor:  # noqa: ARG002
        """The penalty [N] at points that require a gradient, not yet weighted."""
        raise TypeError(f"penalty {self.name!r} defines neither penalty nor loss")

    def resolved(self, images: int) -> Self:  # noqa: ARG002
        """Schedule options that are None, resolved from the total number of training images. Called once; recorded."""
        return self

    def weight_at(self, tick: Tick) -> float:  # noqa: ARG002
        """The weight at this time."""
        return self.weight

    def loss(self, inputs: PenaltyInputs) -> Tensor:
        """The penalty [N], not yet weighted."""
        points = self.points(inputs.real, inputs.fake, inputs.random).detach().requires_grad_()
        return self.penalty(points, inputs.critic(points))

    def generator_loss(self, inputs: PenaltyInputs) -> Tensor | None:  # noqa: ARG002
        """A term [N] of the generator's loss, weighted already; `inputs.fake` has its graph."""
        return None

    def memory(self) -> Memory:
        """What it remembers between steps, at the start; the keys begin with its name."""
        return {}


class Augment(Part, ABC):
    """A differentiable augmentation, the same kind for reals and fakes."""

    kind: ClassVar[str] = "augment"

    @abstractmethod
    def __call__(self, x: Tensor, random: torch.Generator, memory: Memory) -> Tensor:
        """[N, C, H, W] -> [N, C, H, W]."""

    def memory(self) -> Memory:
        """What it remembers between steps, at the start; the keys begin with its name."""
        return {}

    def adapt(self, on_real: Tensor, memory: Memory) -> None:
        """Called after each of D's turns with the logits of the reals: adaptive augmentation (2006.06676)."""


class Degradation(Part, ABC):
    """What a restoration is to undo: noise, holes, a smaller size. A pure function of (image, generator)."""

    kind: ClassVar[str] = "degradation"
    masks: ClassVar[bool] = False  # gives a mask of what is missing

    @abstractmethod
    def __call__(self, x: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """The degraded image and its mask.

        Args:
            x: one image [C, H, W], float32 in [-1, 1].
            random: seeded from (seed, position in the stream).

        Returns:
            The degraded image [C, H, W] in [-1, 1], and the mask [1, H, W] (1: missing) or None.
        """


class Condition(Part, ABC):
    """How what is known beside a datum (label, attributes) reaches the nets."""

    kind: ClassVar[str] = "condition"
    in_trunk: ClassVar[bool] = True  # D's trunk is given c; False: only the head is
    sampled: ClassVar[bool] = False  # in training c is sampled, whatever is known of the data (InfoGAN, 1606.03657)
    has_auxiliary: ClassVar[bool] = False  # there is an auxiliary loss (AC-GAN, 1610.09585)

    @abstractmethod
    def width(self, spec: Images) -> int:
        """The width of the vector c; 0 for none. Raises UsageError if the data has no such thing."""

    @abstractmethod
    def encode(
        self, y: Tensor | None, attributes: Tensor | None, spec: Images, noise: Tensor | None = None
    ) -> Tensor | None:
        """c [N, width]. What is not given is drawn from `noise`, a standard normal [N, width]."""

    def choices(self, spec: Images) -> tuple[int, int]:
        """How many classes and how many attributes `encode` heeds: what there is to choose from at sampling."""
        return spec.classes, spec.attributes

    @abstractmethod
    def head(self, features: int, spec: Images) -> nn.Module:
        """A module (features [N, F], c or None) -> logits [N]."""

    def embedded_width(self, spec: Images) -> int:
        """The width of c as the nets see it, after `embedding`."""
        return self.width(spec)

    def embedding(self, spec: Images) -> nn.Module | None:  # noqa: ARG002
        """A learned module c [N, width] -> [N, embedded_width], made once for each net."""
        return None

    def auxiliary(self, head: nn.Module, features: Tensor, c: Tensor, fake: bool) -> Tensor:  # noqa: ARG002
        """A further loss [N] of D's features of reals or of fakes; both nets minimize that of the fakes. If `has_auxiliary`."""
        raise TypeError(f"condition {self.name!r} has no auxiliary loss")


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
