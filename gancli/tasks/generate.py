"""Image generation: the game of a generator G and a discriminator D (1406.2661).

Phases: `turns` steps of D, the lazy penalties' steps of D, one step of G. G's step takes the fakes of D's last one:
G has not changed in between, so its pass need not be made twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Self, cast

import torch
from pydantic import Field
from torch import Tensor, nn

from gancli.core.contracts import Batch, Critic, Logs, Look, Memory, Nets, Phase, Shape, Task, Tick, Turn
from gancli.core.errors import UsageError
from gancli.core.registry import of_kind
from gancli.core.schedules import every
from gancli.core.seeds import generator
from gancli.core.sharding import whole
from gancli.losses.adversarial import critic_loss, generator_loss, penalty_loss
from gancli.models.latents import Points, mixed, sampling, truncated
from gancli.models.layers import Discriminator, Embedded, has_batch_statistics

if TYPE_CHECKING:
    from gancli.core.contracts import Augment, Condition, Loss, Model, Penalty
else:
    from gancli.core.registry import Part

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
    pack: int = Field(1, ge=1, le=1024, description="images that D judges together (PacGAN, 1712.04086)")

    @property
    def together(self) -> int:
        return self.pack

    def fitted(self, images: int, shape: Shape) -> Self:
        prices = tuple(p.fitted(images) for p in self.penalties)
        return self.but(model=self.model.fitted(images, shape), penalties=prices)

    def nets(self, shape: Shape) -> dict[str, nn.Module]:
        width = self.condition.seen(shape)
        self._check(shape)
        seen = replace(shape, channels=shape.channels * self.pack)
        trunk = self.model.discriminator(seen, width if self.condition.in_trunk else 0)
        head = trunk.finish(self.condition.head(trunk.out_features, shape))
        net = self.model.generator(shape, width)
        own, ds = self.condition.embedding(shape), self.condition.embedding(shape)
        return {
            "G": net if own is None else Embedded(net, own),
            "D": Discriminator(trunk, head, ds, self.condition.in_trunk),
        }

    def _check(self, shape: Shape) -> None:
        """Raises UsageError for parts that do not go together."""
        moving = [*(a.name for a in self.augment), *(p.name for p in self.penalties if p.moves)]
        if moving and not self.model.plain:
            raise UsageError(
                f"the model {self.model.name!r} shows D several scales at once: {moving[0]!r} cannot move them"
            )
        if self.pack > 1 and (self.condition.width(shape) or not self.model.plain):
            raise UsageError("packing is for unconditional nets of one scale", "use --set task.pack=1")

    def phases(self, nets: Nets) -> Sequence[Phase]:
        joint = not has_batch_statistics(nets["D"])
        lazy = [self._lazy(p) for p in self.penalties if p.every > 1]
        return [
            Phase("D", ("D",), self._d_loss(joint), repeat=self.turns, after=self._cut if self.clip else None),
            *lazy,
            Phase("G", ("G",), self._g_loss(joint), fresh=False),
        ]

    def _d_loss(self, joint: bool) -> Callable[[Turn], tuple[Tensor, Logs]]:
        now = [p for p in self.penalties if p.every == 1]

        def loss(turn: Turn) -> tuple[Tensor, Logs]:
            seen: list[Tensor] = []
            look = self._look(turn, self._fake(turn).detach(), seen)
            total, logs = critic_loss(look, self.loss, now, joint)
            on_all_reals = whole("logit_real", logs["logit_real"]) if self.augment else None
            if on_all_reals is not None:
                for augment in self.augment:
                    augment.learn(on_all_reals, turn.memory)
            if self.condition.judged:
                n = len(look.real)
                on_real, on_fake = torch.cat(seen)[: 2 * n].chunk(2)
                price = self._judged(turn, on_real, False) + self._judged(turn, on_fake, True)
                total, logs["d_aux"] = total + price, price.detach()
            return total, logs

        return loss

    def _g_loss(self, joint: bool) -> Callable[[Turn], tuple[Tensor, Logs]]:
        def loss(turn: Turn) -> tuple[Tensor, Logs]:
            seen: list[Tensor] = []
            look = self._look(turn, self._fake(turn, graph=True), seen, graph=True)
            total, logs = generator_loss(look.critic, self.loss, look.real, look.fake, joint)
            for penalty in self.penalties:
                price = penalty.generator_cost(look)
                if price is not None:
                    total, logs[f"g_{penalty.name}"] = total + price, price.detach()
            if self.condition.judged:
                price = self._judged(turn, torch.cat(seen)[-len(look.fake) :], True)
                total, logs["g_aux"] = total + price, price.detach()
            return total, logs

        return loss

    def _lazy(self, penalty: Penalty) -> Phase:
        def loss(turn: Turn) -> tuple[Tensor, Logs]:
            return penalty_loss(penalty, self._look(turn, self._fake(turn).detach())), {}

        return Phase(f"D/{penalty.name}", ("D",), loss, fresh=False, when=every(penalty.every))

    def _cut(self, nets: Nets) -> None:
        for p in nets["D"].parameters():
            p.clamp_(-self.clip, self.clip)

    def memory(self) -> Memory:
        out: Memory = {}
        for penalty in self.penalties:
            out |= penalty.memory()
        for augment in self.augment:
            out |= augment.memory()
        return out

    def begin(self, nets: Nets, batch: Batch, tick: Tick) -> Batch:
        return replace(batch, x=self.model.begin(nets, batch.x, tick))

    def _condition(self, turn: Turn) -> Tensor | None:
        """The batch's labels and attributes as a vector; where they are codes, drawn."""
        if self.condition.drawn:
            return self.condition.encode(None, None, turn.shape, turn.noise(self.condition.width(turn.shape), "c"))
        return self.condition.encode(turn.batch.y, turn.batch.attributes, turn.shape)

    def _judged(self, turn: Turn, features: Tensor, fake: bool) -> Tensor:
        c = self._condition(turn)
        assert c is not None
        return self.condition.auxiliary(cast(Discriminator, turn.nets["D"]).head, features, c, fake)

    def _packed(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N / pack, pack C, H, W]; what does not fill a pack is left out."""
        if self.pack == 1:
            return x
        n, c, h, w = x.shape
        if n < self.pack:
            raise UsageError(f"a batch of {n} has no pack of {self.pack}", "use a larger --batch-size")
        return x[: n // self.pack * self.pack].reshape(-1, self.pack * c, h, w)

    def _fake(self, turn: Turn, graph: bool = False) -> Tensor:
        """Fakes [N, C, H, W] of this turn's noise; with their graph if it is asked for here or may be in a later phase."""
        fake: Tensor | None = turn.carry.get("fake")
        if fake is None:
            with torch.set_grad_enabled(graph or turn.keep):
                fake = self._made(turn, turn.noise(self.model.z))
            if turn.keep:
                turn.carry["fake"] = fake
        return fake

    def _made(self, turn: Turn, z: Tensor) -> Tensor:
        """G's images of z under the batch's condition, as D is to see them."""
        made: Tensor = turn.nets["G"](z, self._condition(turn))
        return made if made.shape[2:] == turn.batch.x.shape[2:] else self.model.begin(turn.nets, made, turn.tick)

    def _look(self, turn: Turn, fake: Tensor, seen: list[Tensor] | None = None, graph: bool = False) -> Look:
        """What losses and penalties are given; D's features are left in `seen`."""
        real, fake = self._packed(turn.batch.x), self._packed(fake)
        near = self._near(turn, graph)
        return Look(self._critic(turn, seen), real, fake, turn.random, turn.memory, turn.tick, near)

    def _near(self, turn: Turn, graph: bool) -> Callable[[float], Tensor]:
        def near(sigma: float) -> Tensor:
            z = turn.noise(self.model.z) + sigma * turn.noise(self.model.z, "near")
            with torch.set_grad_enabled(graph):
                return self._packed(self._made(turn, z))

        return near

    def _critic(self, turn: Turn, seen: list[Tensor] | None = None) -> Critic:
        """D with the batch's condition and the augmentation in it. Several batches in one call share the condition."""
        c, n = self._condition(turn), len(turn.batch.x)

        def critic(x: Tensor) -> Tensor:
            if self.augment:
                packs = x.shape
                x = x.reshape(-1, turn.shape.channels, *packs[2:])
                for augment in self.augment:
                    x = augment(x, turn.random, turn.memory)
                x = x.reshape(packs)
            labels = None if c is None else c.repeat(len(x) // n, 1)
            logits: Tensor = turn.nets["D"](x, labels, seen)
            return logits

        return critic

    @property
    def told(self) -> bool:
        return not self.condition.drawn

    def latents(self, seeds: Sequence[int]) -> Tensor:
        """z [N, z], each of its own seed."""
        return torch.stack([torch.randn(self.model.z, generator=generator("sample", s)) for s in seeds])

    def codes(
        self, seeds: Sequence[int], shape: Shape, labels: Sequence[int] | None = None, attributes: Tensor | None = None
    ) -> Tensor | None:
        """The condition's vector [N, width], or None; what is not given is drawn, each of its own seed."""
        width = self.condition.width(shape)
        y = None if labels is None else torch.tensor(labels)
        noise = (
            torch.stack([torch.randn(width, generator=generator("sample", s, "c")) for s in seeds]) if width else None
        )
        return self.condition.encode(y, attributes, shape, noise)

    def decode(
        self,
        nets: Nets,
        z: Tensor,
        c: Tensor | None,
        shape: Shape,
        seeds: Sequence[int] | None = None,
        truncation: float = 1.0,
        clamp: bool = True,
    ) -> Tensor:
        """Images of z [N, z] and c; `seeds` are those of the net's noise (not given: the same for all). Differentiable in z.

        Without `clamp` they may be beyond [-1, 1], where their gradient would end.
        """
        net = nets["G"]
        like = next(net.parameters())
        z = truncated(net, z.to(like.device, like.dtype), truncation)
        with sampling(net, seeds, truncation):
            images: Tensor = net(z, None if c is None else c.to(like.device))
        images = images[:, :, : shape.height, : shape.width]
        return images.clamp(-1, 1) if clamp else images

    def mix(
        self,
        nets: Nets,
        coarse: Points,
        fine: Points,
        shape: Shape,
        cut: int | None = None,
        seeds: Sequence[int] | None = None,
        truncation: float = 1.0,
    ) -> Tensor:
        """Images with the styles of `coarse` up to layer `cut`, of `fine` from there on.

        Raises UsageError if G has no styles.
        """
        net = nets["G"]
        with sampling(net, seeds, truncation):
            return mixed(net, coarse, fine, cut)[:, :, : shape.height, : shape.width].clamp(-1, 1)

    def sample(
        self,
        nets: Nets,
        seeds: Sequence[int],
        shape: Shape,
        labels: Sequence[int] | None = None,
        attributes: Tensor | None = None,
        truncation: float = 1.0,
    ) -> Tensor:
        with torch.no_grad():
            c = self.codes(seeds, shape, labels, attributes)
            return self.decode(nets, self.latents(seeds), c, shape, seeds, truncation)
