"""Image generation with a generator G and a discriminator D (1406.2661).

Phases: `n_critic` turns of D, lazy penalties of D, `g_steps` turns of G, lazy penalties of G. The first turn of G reuses the
fakes of the last turn of D, since G has not changed in between, unless `data.fresh_real` gives it a batch of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Self, cast

import torch
from pydantic import Field
from torch import Tensor, nn

from gancli.core.contracts import Critic, Logs, Memory, Nets, Optimizer, PenaltyInputs, Tick
from gancli.core.data import Batch, Spec
from gancli.core.errors import UsageError
from gancli.core.registry import of_kind
from gancli.core.samples import FromSeeds
from gancli.core.schedules import every
from gancli.core.sharding import gather_rows
from gancli.core.specs import Images
from gancli.core.task import Context, Phase
from gancli.losses.adversarial import critic_loss, generator_loss, penalty_loss, per_sample
from gancli.models.latents import style_generator, styles
from gancli.models.layers import Discriminator, EmbeddedGenerator, has_batch_statistics
from gancli.tasks.seeded import Seeded

if TYPE_CHECKING:
    from gancli.core.contracts import Augment, Loss, Penalty
else:
    from gancli.core.registry import Part

    Augment = Annotated[Part, *of_kind("augment")]
    Loss = Annotated[Part, *of_kind("loss")]
    Penalty = Annotated[Part, *of_kind("penalty")]


class Generate(Seeded):
    name = "generate"
    quick: ClassVar[tuple[str, ...]] = ("fid", "prc")
    headline: ClassVar[str] = "fid"
    loss: Loss = Field("nonsaturating", validate_default=True, description="the adversarial loss")
    penalties: tuple[Penalty, ...] = Field((), description="regularization terms of D and G")
    augment: tuple[Augment, ...] = Field((), description="augmentations of the inputs of D")
    n_critic: int = Field(1, ge=1, description="turns of D per step, each with a new batch")
    g_steps: int = Field(1, ge=1, description="turns of G per step, with the same latent vectors")
    clip: float = Field(0.0, ge=0, description="D's weights are clipped to [-clip, clip] (WGAN, 1701.07875); 0: off")
    pack: int = Field(1, ge=1, le=1024, description="images per sample of D (PacGAN, 1712.04086)")

    @property
    def group_size(self) -> int:
        return self.pack

    def resolved(self, images: int, spec: Spec) -> Self:
        assert isinstance(spec, Images)
        penalties = tuple(p.resolved(images) for p in self.penalties)
        augment = tuple(a.resolved(images) for a in self.augment)
        return self.replace(model=self.model.resolved(images, spec), penalties=penalties, augment=augment)

    def nets(self, spec: Spec) -> dict[str, nn.Module]:
        assert isinstance(spec, Images)
        width = self.condition.embedded_width(spec)
        self._check(spec)
        d_spec = spec.replace(channels=spec.channels * self.pack)
        trunk = self.model.discriminator(d_spec, width if self.condition.in_trunk else 0)
        head = trunk.wrap_head(self.condition.head(trunk.out_features, spec))
        net = self.model.generator(spec, width)
        styled = [p.name for p in self.penalties if p.needs_styles]
        if styled and style_generator(net) is None:
            raise UsageError(f"{styled[0]!r} needs a generator with styles", "use the model style, or leave it out")
        g_embedding, d_embedding = self.condition.embedding(spec, "G"), self.condition.embedding(spec, "D")
        return {
            "G": net if g_embedding is None else EmbeddedGenerator(net, g_embedding),
            "D": Discriminator(trunk, head, d_embedding, self.condition.in_trunk),
        }

    def _check(self, spec: Images) -> None:
        """Reject combinations of parts that do not work. Raises UsageError."""
        transforms = [*(a.name for a in self.augment), *(p.name for p in self.penalties if p.transforms)]
        if transforms and not self.model.single_scale:
            raise UsageError(
                f"{transforms[0]!r} cannot transform the multi-scale inputs of the model {self.model.name!r}"
            )
        if self.pack > 1 and (self.condition.width(spec) or not self.model.single_scale):
            raise UsageError("packing needs an unconditional model with a single scale", "use --set task.pack=1")

    def phases(self, nets: Nets) -> Sequence[Phase]:
        joint = not has_batch_statistics(nets["D"])
        lazy = {net: [self._lazy(p) for p in self.penalties if p.every > 1 and p.applies_to == net] for net in "DG"}
        clip = self._clip if self.clip else None
        return [
            Phase("D", ("D",), lambda ctx: self._d_loss(ctx, joint), repeat=self.n_critic, after=clip),
            *lazy["D"],
            Phase("G", ("G",), lambda ctx: self._g_loss(ctx, joint), repeat=self.g_steps, new_batch=False),
            *lazy["G"],
        ]

    def _d_loss(self, ctx: Context, joint: bool) -> tuple[Tensor, Logs]:
        features: list[Tensor] = []
        inputs = self._inputs(ctx, self._fake(ctx).detach(), features)
        total, logs = critic_loss(inputs, self.loss, self._penalties_of("D"), joint)
        on_all_reals = gather_rows("logit/D/real", logs["logit/D/real"]) if self.augment else None
        if on_all_reals is not None:
            for augment in self.augment:
                augment.adapt(on_all_reals, len(on_all_reals) * self.pack, ctx.tick, ctx.memory)
        if self.condition.has_auxiliary:
            n = len(inputs.real)
            on_real, on_fake = torch.cat(features)[: 2 * n].chunk(2)
            term = self._auxiliary(ctx, on_real, False) + self._auxiliary(ctx, on_fake, True)
            total, logs["auxiliary/D"] = total + term, term.detach()
        return total, logs

    def _g_loss(self, ctx: Context, joint: bool) -> tuple[Tensor, Logs]:
        features: list[Tensor] = []
        inputs = self._inputs(ctx, self._fake(ctx, graph=True), features, graph=True, net="G")
        ctx.cache.pop("fake", None)  # G's next turn makes its own, after the update
        total, logs = generator_loss(inputs.critic, self.loss, inputs.real, inputs.fake, joint), {}
        for penalty in self.penalties:
            term = penalty.generator_loss(inputs)
            if term is not None:
                total, logs[f"penalty/G/{penalty.name}"] = total + term, term.detach()
        for penalty in self._penalties_of("G"):
            if penalty.every == 1:
                term = penalty_loss(penalty, inputs).mean()
                total, logs[f"penalty/G/{penalty.name}"] = total + term, term.detach()
        if self.condition.has_auxiliary:
            term = self._auxiliary(ctx, torch.cat(features)[-len(inputs.fake) :], True)
            total, logs["auxiliary/G"] = total + term, term.detach()
        return total, logs

    def _lazy(self, penalty: Penalty) -> Phase:
        def loss(ctx: Context) -> tuple[Tensor, Logs]:
            inputs = self._inputs(ctx, self._fake(ctx).detach() if net == "D" else ctx.batch["real"], net=net)
            return penalty_loss(penalty, inputs), {}

        net = penalty.applies_to
        return Phase(f"{net}/{penalty.name}", (net,), loss, new_batch=False, when=every(penalty.every))

    def _penalties_of(self, net: str) -> list[Penalty]:
        """The penalties of a net."""
        return [p for p in self.penalties if p.applies_to == net]

    def optimizer(self, net: str, rule: Optimizer) -> Optimizer:
        for penalty in self._penalties_of(net):
            if penalty.every > 1 and penalty.lazy_correction:
                rule = rule.lazily(penalty.every)
        return rule

    def _clip(self, nets: Nets) -> None:
        for p in nets["D"].parameters():
            p.clamp_(-self.clip, self.clip)

    def critics(self, ctx: Context) -> dict[str, tuple[Tensor, Tensor]]:
        inputs = self._inputs(ctx, self._fake(ctx).detach())
        return {"D": (inputs.critic(inputs.real), inputs.critic(inputs.fake))}

    def memory(self, spec: Spec) -> Memory:  # noqa: ARG002
        out: Memory = {}
        for penalty in self.penalties:
            out |= penalty.memory()
        for augment in self.augment:
            out |= augment.memory()
        return out

    def prepare(self, nets: Nets, spec: Spec, tick: Tick) -> None:
        assert isinstance(spec, Images)
        self.model.prepare(nets, spec, tick)

    def view(self, nets: Nets, batch: Batch) -> Batch:
        return batch.replace(real=self.model.view(nets, batch["real"]))

    def _condition(self, ctx: Context) -> Tensor | None:
        """The condition vectors [N, width] of the batch; latent codes are sampled."""
        spec = cast(Images, ctx.spec)
        if self.condition.sampled:
            return self.condition.encode(None, None, spec, ctx.noise(self.condition.width(spec), "c"))
        return self.condition.encode(ctx.batch.get("label"), ctx.batch.get("attributes"), spec)

    def _auxiliary(self, ctx: Context, features: Tensor, fake: bool) -> Tensor:
        c = self._condition(ctx)
        assert c is not None
        return self.condition.auxiliary(cast(Discriminator, ctx.nets["D"]).head, features, c, fake)

    def _packed(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N // pack, pack C, H, W]; an incomplete pack is dropped."""
        if self.pack == 1:
            return x
        n, c, h, w = x.shape
        if n < self.pack:
            raise UsageError(f"a batch of {n} is smaller than a pack of {self.pack}", "use a larger --batch-size")
        return x[: n // self.pack * self.pack].reshape(-1, self.pack * c, h, w)

    def _fake(self, ctx: Context, graph: bool = False) -> Tensor:
        """Fakes [N, C, H, W] from the noise of this turn, with graph if needed here (`graph`) or in a later phase."""
        fake: Tensor | None = ctx.cache.get("fake")
        if fake is None:
            with torch.set_grad_enabled(graph or ctx.retain_graph):
                fake = self._generated(ctx, self.prior(ctx.noise(self.model.z)))
            if ctx.retain_graph:
                ctx.cache["fake"] = fake
        return fake

    def _generated(self, ctx: Context, z: Tensor) -> Tensor:
        """G's images for z and the condition of the batch, converted to D's input (in evaluation mode G's are full size)."""
        images: Tensor = ctx.nets["G"](z, self._condition(ctx))
        is_view = images.shape[2:] == ctx.batch["real"].shape[2:]
        return images if is_view else self.model.view(ctx.nets, images)

    def _inputs(
        self, ctx: Context, fake: Tensor, features: list[Tensor] | None = None, graph: bool = False, net: str = "D"
    ) -> PenaltyInputs:
        """The inputs of losses and penalties of a net. The critic appends D's features to `features`."""

        def perturbed(sigma: float) -> Tensor:
            z = self.prior(ctx.noise(self.model.z)) + sigma * ctx.noise(self.model.z, "near")
            with torch.set_grad_enabled(graph):
                return self._packed(self._generated(ctx, z))

        def styled(step: int) -> tuple[Tensor, Tensor]:
            some = slice(
                -ctx.first % step if ctx.batch.n > step else 0, None, step
            )  # the same rows however it is divided
            c, z = self._condition(ctx), self.prior(ctx.noise(self.model.z, "styles"))
            w = styles(ctx.nets["G"], z[some], None if c is None else c[some])
            generator = style_generator(ctx.nets["G"])
            assert generator is not None
            return w, generator.synthesis(w)

        real, fake = self._packed(ctx.batch["real"]), self._packed(fake)
        critic, applied = self._critic(ctx, features), ctx.nets[net]
        return PenaltyInputs(critic, real, fake, ctx.random, ctx.memory, ctx.tick, perturbed, styled, applied)

    def _critic(self, ctx: Context, features: list[Tensor] | None = None) -> Critic:
        """D with augmentation and the condition of the batch, which is repeated for concatenated batches."""
        c, n, channels = self._condition(ctx), ctx.batch.n, cast(Images, ctx.spec).channels

        def critic(x: Tensor) -> Tensor:
            if self.augment:
                shape = x.shape
                x = x.reshape(-1, channels, *shape[2:])  # images of a pack are augmented independently
                for augment in self.augment:
                    x = augment(x, ctx.random, ctx.memory)
                x = x.reshape(shape)
            repeated = None if c is None else c.repeat(len(x) // n, 1)
            logits: Tensor = ctx.nets["D"](x, repeated, features)
            return logits

        return critic

    def logits(self, nets: Nets, ask: FromSeeds, images: Tensor, spec: Images) -> Tensor:
        """D's logits [N] of images [N, C, H, W] that were made for a request; the mean over patches."""
        c, x = self.requested(ask, spec), self.model.view(nets, images).repeat(1, self.pack, 1, 1)
        return per_sample(nets["D"](x, None if c is None else c.to(x.device)))
