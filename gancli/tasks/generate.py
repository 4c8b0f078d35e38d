"""Image generation: the game of a generator G and a discriminator D (1406.2661).

Phases: `turns` steps of D, the lazy penalties' steps of D, one step of G. G's step takes the fakes of D's last one:
G has not changed in between, so its pass need not be made twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from gancli.clock import every, generator
from gancli.contracts import Critic, Logs, Nets, Phase, Shape, Task, Turn
from gancli.losses.halves import critic_loss, generator_loss, penalty_loss
from gancli.models.layers import Discriminator, has_batch_statistics
from gancli.registry import of_kind

if TYPE_CHECKING:
    from gancli.contracts import Augment, Condition, Loss, Model, Penalty
else:
    from gancli.registry import Part

    Augment = Annotated[Part, *of_kind("augment")]
    Condition = Annotated[Part, *of_kind("condition")]
    Loss = Annotated[Part, *of_kind("loss")]
    Model = Annotated[Part, *of_kind("model")]
    Penalty = Annotated[Part, *of_kind("penalty")]


class Generate(Task):
    name = "generate"
    model: Model = Field("mlp", validate_default=True, description="the nets")
    loss: Loss = Field("nonsaturating", validate_default=True, description="the adversarial loss")
    penalties: tuple[Penalty, ...] = Field((), description="prices on the critic")
    augment: tuple[Augment, ...] = Field((), description="changes that D sees its images through")
    condition: Condition = Field("none", validate_default=True, description="how labels reach the nets")
    turns: int = Field(1, ge=1, description="steps of D per step of G")
    clip: float = Field(0.0, ge=0, description="D's weights are cut to this (WGAN, 1701.07875); 0: not")

    def nets(self, shape: Shape) -> dict[str, nn.Module]:
        c = self.condition.width(shape)
        trunk = self.model.discriminator(shape, c)
        head = self.condition.head(trunk.out_features, shape)
        return {"G": self.model.generator(shape, c), "D": Discriminator(trunk, head)}

    def phases(self, nets: Nets) -> Sequence[Phase]:
        joint = not has_batch_statistics(nets["D"])
        now = [p for p in self.penalties if p.every == 1]

        def d_loss(turn: Turn) -> tuple[Tensor, Logs]:
            fake = self._fake(turn).detach()
            return critic_loss(self._critic(turn), self.loss, now, turn.batch.x, fake, turn.random, joint)

        def g_loss(turn: Turn) -> tuple[Tensor, Logs]:
            return generator_loss(self._critic(turn), self.loss, turn.batch.x, self._fake(turn, graph=True), joint)

        lazy = [self._lazy(p) for p in self.penalties if p.every > 1]
        return [
            Phase("D", ("D",), d_loss, repeat=self.turns, after=self._cut if self.clip else None),
            *lazy,
            Phase("G", ("G",), g_loss, fresh=False),
        ]

    def _lazy(self, penalty: Penalty) -> Phase:
        def loss(turn: Turn) -> tuple[Tensor, Logs]:
            fake = self._fake(turn).detach()
            return penalty_loss(self._critic(turn), penalty, turn.batch.x, fake, turn.random), {}

        return Phase(f"D/{penalty.name}", ("D",), loss, fresh=False, when=every(penalty.every))

    def _cut(self, nets: Nets) -> None:
        for p in nets["D"].parameters():
            p.clamp_(-self.clip, self.clip)

    def _condition(self, turn: Turn) -> Tensor | None:
        return self.condition.encode(turn.batch.y, turn.batch.attributes, turn.shape)

    def _fake(self, turn: Turn, graph: bool = False) -> Tensor:
        """Fakes [N, C, H, W] of this turn's noise; with their graph if it is asked for here or may be in a later phase."""
        fake: Tensor | None = turn.carry.get("fake")
        if fake is None:
            with torch.set_grad_enabled(graph or turn.keep):
                fake = turn.nets["G"](turn.noise(self.model.z), self._condition(turn))
            if turn.keep:
                turn.carry["fake"] = fake
        return fake

    def _critic(self, turn: Turn) -> Critic:
        """D with the batch's condition and the augmentation in it. Several batches in one call share both."""
        c, n = self._condition(turn), len(turn.batch.x)

        def critic(x: Tensor) -> Tensor:
            for augment in self.augment:
                x = augment(x, turn.random)
            labels = None if c is None else c.repeat(len(x) // n, 1)
            logits: Tensor = turn.nets["D"](x, labels)
            return logits

        return critic

    def sample(self, nets: Nets, seeds: Sequence[int], shape: Shape, labels: Sequence[int] | None = None) -> Tensor:
        net = nets["G"]
        device = next(net.parameters()).device
        z = torch.stack([torch.randn(self.model.z, generator=generator("sample", s)) for s in seeds]).to(device)
        y = None if labels is None else torch.tensor(labels, device=device)
        images: Tensor = net(z, self.condition.encode(y, None, shape))
        return images
