"""Contracts of losses, penalties, augmentations, degradations and optimizers.

A `Task` (`core/task.py`) combines them with the nets that a `Model` and a `Condition` (`core/nets.py`) build.
Images are [N, C, H, W] in [-1, 1]. Logits are [N], or [N, P] for a patch critic with P patches. Losses are per sample.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import torch
from pydantic import Field
from torch import Tensor, nn

from gancli.core.registry import Part
from gancli.core.schedules import Schedule

Nets = Mapping[str, nn.Module]
Logs = dict[str, Tensor]  # detached values by log key, each [N], [N, P] or a scalar
Tensors = list[Tensor] | tuple[Tensor, ...]  # one per weight
Critic = Callable[[Tensor], Tensor]  # inputs [N, ...] -> logits [N] or [N, P]
Memory = dict[str, Tensor]  # tensors that a task keeps from step to step, saved in checkpoints; see `Task.memory`


@dataclass(frozen=True)
class Tick:
    """Progress of training, the argument of everything that is scheduled."""

    seed: int  # of the run
    step: int  # steps done
    images: int  # training samples drawn so far


class Loss(Part, ABC):
    """An adversarial loss: two elementwise functions of logits.

    Attributes:
        relativistic: whether the generator's loss also depends on the logits of the reals.
    """

    kind: ClassVar[str] = "loss"
    relativistic: ClassVar[bool] = False

    @abstractmethod
    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        """The loss of the discriminator (critic).

        Args:
            real: logits of N reals, [N] or [N, P].
            fake: logits of N fakes, of the same shape.

        Returns:
            The loss, of the same shape.
        """

    @abstractmethod
    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """The loss of the generator.

        Args:
            fake: logits of N fakes, [N] or [N, P].
            real: logits of N reals, of the same shape; only given if `relativistic`.

        Returns:
            The loss, of the same shape.
        """

    def centered(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """Move logits so that 0 is where this loss separates reals from fakes.

        ADA, the monitor and the journal look at the sign of a logit. A loss that depends only on differences of logits
        leaves their offset free, and must override this.

        Args:
            real: logits of N reals, [N] or [N, P].
            fake: logits of N fakes, of the same shape.

        Returns:
            Logits of reals and of fakes, of the same shapes.
        """
        return real, fake


@dataclass(frozen=True)
class PenaltyInputs:
    """The inputs of a penalty. Logits and gradients are given where the adversarial loss has computed them already."""

    critic: Critic
    real: Tensor  # [N, C, H, W]
    fake: Tensor  # [N, C, H, W], detached
    random: torch.Generator
    memory: Memory
    tick: Tick
    perturbed: Callable[[float], Tensor] | None = None  # sigma -> G(z + sigma e), e ~ N(0, I)
    styled: Callable[[int], tuple[Tensor, Tensor]] | None = None  # k -> w [N / k, layers, w] of other z, and images
    net: nn.Module | None = None  # the net that the penalty applies to
    logits: tuple[Tensor, Tensor] | None = None  # of reals and fakes
    gradients: tuple[Tensor, Tensor] | None = None  # input gradients at reals and fakes, each [N, C, H, W]

    def both_logits(self) -> tuple[Tensor, Tensor]:
        """The logits of the reals and of the fakes, computed here if not given."""
        return self.logits or (self.critic(self.real), self.critic(self.fake))


class Penalty(Part, ABC):
    """A regularization term of the critic, or of the generator.

    A penalty on the input gradient defines `points` and `penalty`; any other overrides `loss`.

    Attributes:
        applies_to: the net whose loss it is part of: "D" or "G".
        uses_input_gradients: whether `loss` can use `PenaltyInputs.gradients`.
        transforms: whether it feeds geometrically transformed images to D.
        needs_styles: whether it needs a generator with styles.
        weight: coefficient of the penalty.
    """

    kind: ClassVar[str] = "penalty"
    applies_to: ClassVar[Literal["D", "G"]] = "D"
    uses_input_gradients: ClassVar[bool] = False
    transforms: ClassVar[bool] = False
    needs_styles: ClassVar[bool] = False
    weight: float = 1.0
    every: int = Field(
        1, ge=1, description="apply on every k-th step, k times as strong (lazy regularization, 1912.04958)"
    )
    lazy_correction: bool = Field(
        False, description="scale learning rate and betas of this net by k / (k + 1) (1912.04958, appendix B)"
    )

    def points(self, real: Tensor, fake: Tensor, random: torch.Generator) -> Tensor:  # noqa: ARG002
        """Choose the points at which the critic is penalized.

        Args:
            real: reals [N, C, H, W].
            fake: fakes [N, C, H, W], detached.
            random: generator of this turn, for `core.sharding`.

        Returns:
            Points [N, C, H, W].
        """
        raise TypeError(f"penalty {self.name!r} defines neither points nor loss")

    def penalty(self, points: Tensor, logits: Tensor) -> Tensor:  # noqa: ARG002
        """The unweighted penalty at `points`.

        Args:
            points: [N, C, H, W], a leaf that requires grad.
            logits: of the points, [N] or [N, P], with graph.

        Returns:
            The penalty [N].
        """
        raise TypeError(f"penalty {self.name!r} defines neither penalty nor loss")

    def resolved(self, images: int) -> Self:  # noqa: ARG002
        """Resolve schedule options that are `None`. Called once; the result is written to config.json.

        Args:
            images: total number of training images.

        Returns:
            A copy with all options set.
        """
        return self

    def weight_at(self, tick: Tick) -> float:  # noqa: ARG002
        """The weight at this point of training."""
        return self.weight

    def loss(self, inputs: PenaltyInputs) -> Tensor:
        """The unweighted penalty.

        Args:
            inputs: critic, reals, fakes and what is known of them.

        Returns:
            The penalty [N] or [N, P]; of part of the samples, or a scalar, if `applies_to` is "G".
        """
        points = self.points(inputs.real, inputs.fake, inputs.random).detach().requires_grad_()
        return self.penalty(points, inputs.critic(points))

    def generator_loss(self, inputs: PenaltyInputs) -> Tensor | None:  # noqa: ARG002
        """A term of the generator's loss.

        Args:
            inputs: as in `loss`, but `inputs.fake` has its graph.

        Returns:
            The weighted term [N], or None.
        """
        return None

    def memory(self) -> Memory:
        """The initial tensors to keep from step to step; keys begin with the name of the penalty."""
        return {}

    def observe(self, on_real: Tensor, on_fake: Tensor, tick: Tick, memory: Memory) -> None:
        """Follow the logits of D. Called in every turn of D, also of lazy penalties, before `loss`.

        Args:
            on_real: logits of the reals of this pass, [N] or [N, P], detached.
            on_fake: logits of the fakes of this pass.
            tick: progress of training.
            memory: of the task; changed in place, in the same way on all ranks (`sharding.mean_over_ranks`).
        """


class Augment(Part, ABC):
    """A differentiable augmentation of D's inputs, reals and fakes."""

    kind: ClassVar[str] = "augment"

    @abstractmethod
    def __call__(self, x: Tensor, random: torch.Generator, memory: Memory) -> Tensor:
        """Augment images.

        Args:
            x: images [N, C, H, W].
            random: generator of this turn, for `core.sharding`.
            memory: of the task, with what `memory()` returned; read only.

        Returns:
            Images [N, C, H, W].
        """

    def memory(self) -> Memory:
        """The initial tensors to keep from step to step; keys begin with the name of the augmentation."""
        return {}

    def resolved(self, images: int) -> Self:  # noqa: ARG002
        """Resolve schedule options that are `None`. Called once; the result is written to config.json.

        Args:
            images: total number of training images.

        Returns:
            A copy with all options set.
        """
        return self

    def adapt(self, on_real: Tensor, images: int, tick: Tick, memory: Memory) -> None:
        """Adapt the strength of the augmentation (2006.06676). Called once per turn of D.

        Args:
            on_real: centered logits (`Loss.centered`) of all reals of the batch, [N] or [N, P], one row per pack.
            images: number of reals in the batch; with packs, more than there are rows.
            tick: progress of training.
            memory: of the task; changed in place.
        """


class Degradation(Part, ABC):
    """A degradation for restoration tasks, such as noise, missing regions or downsampling. Pure in (image, generator).

    Attributes:
        masks: whether it returns a mask.
        argument: the option that is set by the text after the colon in `gauss:25`; empty: none.
    """

    kind: ClassVar[str] = "degradation"
    masks: ClassVar[bool] = False
    argument: ClassVar[str] = ""

    @property
    def scale(self) -> int:
        """The factor by which height and width of the result are smaller."""
        return 1

    @abstractmethod
    def __call__(self, x: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """Degrade one image.

        Args:
            x: image [C, H, W], float32 in [-1, 1].
            random: seeded from (seed, position in the stream).

        Returns:
            The degraded image [C, H / scale, W / scale] in [-1, 1], and the mask [1, H, W] (1: missing) or None.
        """


class Optimizer(Part, ABC):
    """An update rule without state: the engine holds the moments, float32 tensors of the weights' shapes, initially zero.

    `torch.optim` is not used because constructing one of its optimizers imports torch's compiler, which takes a second
    and 150 MB.
    """

    kind: ClassVar[str] = "optimizer"
    lr: float
    schedule: Schedule = Field(Schedule(), description="the learning-rate schedule")

    @property
    def moments(self) -> tuple[str, ...]:
        """The names of the moments kept per weight, as in the state of the `torch.optim` optimizer."""
        return ()

    def lazily(self, interval: int) -> Self:
        """Correct the rule for a further step of lazy regularization every `interval` steps (1912.04958, appendix B).

        Args:
            interval: steps between those of the regularization.

        Returns:
            A copy whose learning rate (and decay rates, where it has any) are scaled by interval / (interval + 1).
        """
        return self.replace(lr=self.lr * interval / (interval + 1))

    def at(self, images: int, total: int) -> Self:  # noqa: ARG002
        """The rule at a point of training, if options other than the learning rate are scheduled.

        Args:
            images: training images drawn so far.
            total: the configured total; 0: no schedule.

        Returns:
            The rule whose `update` is called.
        """
        return self

    @abstractmethod
    def update(
        self, weights: Tensors, gradients: Tensors, moments: Mapping[str, Tensors], step: Tensor, lr: float
    ) -> None:
        """Update weights and moments in place. Called under `torch.no_grad()`.

        Args:
            weights: float32 tensors.
            gradients: one per weight.
            moments: by name, one tensor per weight.
            step: float32 scalar, counts from 1.
            lr: the learning rate, including the schedule.
        """
