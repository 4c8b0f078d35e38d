"""Image generation with a generator G and a discriminator D (1406.2661).

Phases: `n_critic` turns of D, lazy penalties of D, one turn of G. The turn of G reuses the fakes of the last turn of D, since G
has not changed in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Self, cast

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from gancli.core.contracts import Critic, Logs, Memory, Nets, PenaltyInputs, Tick
from gancli.core.data import Batch, Dataset, Spec
from gancli.core.errors import UsageError
from gancli.core.images import ImageSamples, to_uint8
from gancli.core.registry import of_kind
from gancli.core.samples import Ask, FromSeeds
from gancli.core.schedules import every
from gancli.core.seeds import generator
from gancli.core.sharding import gather_rows
from gancli.core.specs import Images
from gancli.core.task import Choices, Context, Exportable, Phase, Task
from gancli.losses.adversarial import critic_loss, generator_loss, penalty_loss
from gancli.models.latents import Points, mix_styles, synthesize
from gancli.models.layers import Discriminator, EmbeddedGenerator, has_batch_statistics
from gancli.tasks.sampling import Generator, class_rows, labels_like

if TYPE_CHECKING:
    from gancli.core.contracts import Augment, Loss, Penalty
    from gancli.core.nets import Condition, Model
else:
    from gancli.core.registry import Part

    Augment = Annotated[Part, *of_kind("augment")]
    Condition = Annotated[Part, *of_kind("condition")]
    Loss = Annotated[Part, *of_kind("loss")]
    Model = Annotated[Part, *of_kind("model")]
    Penalty = Annotated[Part, *of_kind("penalty")]


class Generate(Task):
    name = "generate"
    accepts: ClassVar[type[Spec]] = Images
    asks: ClassVar[type[Ask]] = FromSeeds
    quick: ClassVar[tuple[str, ...]] = ("fid", "prc")
    headline: ClassVar[str] = "fid"
    model: Model = Field("mlp", validate_default=True, description="architecture of the nets")
    loss: Loss = Field("nonsaturating", validate_default=True, description="the adversarial loss")
    penalties: tuple[Penalty, ...] = Field((), description="regularization terms of the critic")
    augment: tuple[Augment, ...] = Field((), description="augmentations of the inputs of D")
    condition: Condition = Field("none", validate_default=True, description="how labels and attributes enter the nets")
    n_critic: int = Field(1, ge=1, description="steps of D per step of G")
    clip: float = Field(0.0, ge=0, description="D's weights are clipped to [-clip, clip] (WGAN, 1701.07875); 0: off")
    pack: int = Field(1, ge=1, le=1024, description="images per sample of D (PacGAN, 1712.04086)")

    @property
    def group_size(self) -> int:
        return self.pack

    def resolved(self, images: int, spec: Spec) -> Self:
        assert isinstance(spec, Images)
        penalties = tuple(p.resolved(images) for p in self.penalties)
        return self.replace(model=self.model.resolved(images, spec), penalties=penalties)

    def nets(self, spec: Spec) -> dict[str, nn.Module]:
        assert isinstance(spec, Images)
        width = self.condition.embedded_width(spec)
        self._check(spec)
        d_spec = spec.replace(channels=spec.channels * self.pack)
        trunk = self.model.discriminator(d_spec, width if self.condition.in_trunk else 0)
        head = trunk.wrap_head(self.condition.head(trunk.out_features, spec))
        net = self.model.generator(spec, width)
        g_embedding, d_embedding = self.condition.embedding(spec), self.condition.embedding(spec)
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
        lazy = [self._lazy(p) for p in self.penalties if p.every > 1]
        clip = self._clip if self.clip else None
        return [
            Phase("D", ("D",), lambda ctx: self._d_loss(ctx, joint), repeat=self.n_critic, after=clip),
            *lazy,
            Phase("G", ("G",), lambda ctx: self._g_loss(ctx, joint), new_batch=False),
        ]

    def _d_loss(self, ctx: Context, joint: bool) -> tuple[Tensor, Logs]:
        every_step = [p for p in self.penalties if p.every == 1]
        features: list[Tensor] = []
        inputs = self._inputs(ctx, self._fake(ctx).detach(), features)
        total, logs = critic_loss(inputs, self.loss, every_step, joint)
        on_all_reals = gather_rows("logit/D/real", logs["logit/D/real"]) if self.augment else None
        if on_all_reals is not None:
            for augment in self.augment:
                augment.adapt(on_all_reals, ctx.memory)
        if self.condition.has_auxiliary:
            n = len(inputs.real)
            on_real, on_fake = torch.cat(features)[: 2 * n].chunk(2)
            term = self._auxiliary(ctx, on_real, False) + self._auxiliary(ctx, on_fake, True)
            total, logs["auxiliary/D"] = total + term, term.detach()
        return total, logs

    def _g_loss(self, ctx: Context, joint: bool) -> tuple[Tensor, Logs]:
        features: list[Tensor] = []
        inputs = self._inputs(ctx, self._fake(ctx, graph=True), features, graph=True)
        total, logs = generator_loss(inputs.critic, self.loss, inputs.real, inputs.fake, joint), {}
        for penalty in self.penalties:
            term = penalty.generator_loss(inputs)
            if term is not None:
                total, logs[f"penalty/G/{penalty.name}"] = total + term, term.detach()
        if self.condition.has_auxiliary:
            term = self._auxiliary(ctx, torch.cat(features)[-len(inputs.fake) :], True)
            total, logs["auxiliary/G"] = total + term, term.detach()
        return total, logs

    def _lazy(self, penalty: Penalty) -> Phase:
        def loss(ctx: Context) -> tuple[Tensor, Logs]:
            return penalty_loss(penalty, self._inputs(ctx, self._fake(ctx).detach())), {}

        return Phase(f"D/{penalty.name}", ("D",), loss, new_batch=False, when=every(penalty.every))

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
                fake = self._generated(ctx, ctx.noise(self.model.z))
            if ctx.retain_graph:
                ctx.cache["fake"] = fake
        return fake

    def _generated(self, ctx: Context, z: Tensor) -> Tensor:
        """G's images for z and the condition of the batch, converted to D's input (in evaluation mode G's are full size)."""
        images: Tensor = ctx.nets["G"](z, self._condition(ctx))
        is_view = images.shape[2:] == ctx.batch["real"].shape[2:]
        return images if is_view else self.model.view(ctx.nets, images)

    def _inputs(
        self, ctx: Context, fake: Tensor, features: list[Tensor] | None = None, graph: bool = False
    ) -> PenaltyInputs:
        """The inputs of losses and penalties. The critic appends D's features to `features`."""

        def perturbed(sigma: float) -> Tensor:
            z = ctx.noise(self.model.z) + sigma * ctx.noise(self.model.z, "near")
            with torch.set_grad_enabled(graph):
                return self._packed(self._generated(ctx, z))

        real, fake = self._packed(ctx.batch["real"]), self._packed(fake)
        return PenaltyInputs(self._critic(ctx, features), real, fake, ctx.random, ctx.memory, ctx.tick, perturbed)

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

    def choices(self, spec: Spec) -> Choices:
        assert isinstance(spec, Images)
        classes, attributes = self.condition.choices(spec)
        return Choices(classes if classes > 1 else 0, attributes, not self.condition.sampled)

    def latents(self, seeds: Sequence[int]) -> Tensor:
        """Latent vectors [N, z], each from its own seed."""
        return torch.stack([torch.randn(self.model.z, generator=generator("sample", s)) for s in seeds])

    def condition_vectors(
        self, seeds: Sequence[int], spec: Images, labels: Sequence[int] | None = None, attributes: Tensor | None = None
    ) -> Tensor | None:
        """Condition vectors for sampling.

        Args:
            seeds: N seeds, from which labels and attributes that are None are sampled.
            spec: of the data.
            labels: N labels, or None.
            attributes: [N, A], or None.

        Returns:
            [N, width]; None for an unconditional model.
        """
        width = self.condition.width(spec)
        y = None if labels is None else torch.tensor(labels)
        noise = (
            torch.stack([torch.randn(width, generator=generator("sample", s, "c")) for s in seeds]) if width else None
        )
        return self.condition.encode(y, attributes, spec, noise)

    def decode(
        self,
        nets: Nets,
        z: Tensor,
        c: Tensor | None,
        spec: Images,
        seeds: Sequence[int] | None = None,
        truncation: float = 1.0,
        clamp: bool = True,
    ) -> Tensor:
        """Generate images from latent vectors; differentiable in z.

        Args:
            nets: in evaluation mode.
            z: latent vectors [N, z].
            c: condition vectors [N, width], or None.
            spec: of the data.
            seeds: N seeds of the noise inside G; None: the same noise for all.
            truncation: as in `models.latents.synthesize`.
            clamp: whether to clamp to [-1, 1], where the gradient becomes 0.

        Returns:
            Images [N, C, H, W].
        """
        images = synthesize(nets["G"], z, c, seeds, truncation)[:, :, : spec.height, : spec.width]
        return images.clamp(-1, 1) if clamp else images

    def mix(
        self,
        nets: Nets,
        coarse: Points,
        fine: Points,
        spec: Images,
        cut: int | None = None,
        seeds: Sequence[int] | None = None,
        truncation: float = 1.0,
    ) -> Tensor:
        """Style mixing (1812.04948, section 3.1).

        Args:
            nets: in evaluation mode.
            coarse: latent and condition vectors of the styles of layers before `cut`.
            fine: those of layers from `cut` on.
            spec: of the data.
            cut: index of a layer; default: half the layers.
            seeds: as in `decode`.
            truncation: as in `decode`.

        Returns:
            Images [N, C, H, W] in [-1, 1].

        Raises:
            UsageError: G has no styles, or no layer `cut`.
        """
        images = mix_styles(nets["G"], coarse, fine, cut, seeds, truncation)
        return images[:, :, : spec.height, : spec.width].clamp(-1, 1)

    def images(self, nets: Nets, ask: FromSeeds, spec: Images) -> Tensor:
        """Images [N, C, H, W] in [-1, 1] for a request; image i depends only on row i."""
        attributes = None if ask.attributes is None else torch.from_numpy(ask.attributes)
        with torch.no_grad():
            c = self.condition_vectors(ask.seeds, spec, ask.labels, attributes)
            return self.decode(nets, self.latents(ask.seeds), c, spec, ask.seeds, ask.truncation)

    def generate(self, nets: Nets, ask: Ask, spec: Spec) -> ImageSamples:
        assert isinstance(ask, FromSeeds) and isinstance(spec, Images)  # noqa: PT018
        labels = None if ask.labels is None else np.array(ask.labels, np.int64)
        return ImageSamples(to_uint8(self.images(nets, ask, spec)), labels, ask.attributes)

    def preview(self, spec: Spec, data: Dataset, n: int) -> Ask:  # noqa: ARG002
        return FromSeeds(seeds=tuple(range(n)), labels=class_rows(self.choices(spec), range(n)))

    def evaluation(self, spec: Spec, data: Dataset, n: int, seed: int) -> Ask:
        labels, attributes = labels_like(self.choices(spec), data.samples(), n)
        return FromSeeds(seeds=tuple(range(seed, seed + n)), labels=labels, attributes=attributes)

    def exportable(self, nets: Nets, spec: Spec) -> Exportable:
        assert isinstance(spec, Images)
        inputs = {"z": self.latents([0, 1])}
        classes, attributes = self.condition.choices(spec)
        if classes:
            inputs["label"] = torch.zeros(2, dtype=torch.int64)
        if attributes:
            inputs["attributes"] = torch.zeros(2, attributes)
        return Exportable(Generator(nets["G"], self.condition, spec, list(inputs)), inputs)
