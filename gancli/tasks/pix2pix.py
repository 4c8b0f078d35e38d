"""Paired image translation with a conditional GAN (pix2pix, 1611.07004), equation 4, with optional terms:

    L_D = 1/2 [ l(D(x, y), 1) + l(D(x, G(x)), 0) ]
    L_G = adversarial * l(D(x, G(x)), 1) + lambda_l1 |y - G(x)|_1 + lambda_features sum_k |D_k(x, y) - D_k(x, G(x))|_1 / K
          - lambda_modes |G(x, z1) - G(x, z2)|_1 / |z1 - z2|_1

The third term is the feature matching of 1711.11585, the last one mode seeking (1903.05628), which needs noise z. Without z the
mapping is deterministic: unlike in the paper, dropout is off when the net is applied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from gancli.core.contracts import Logs, Nets, PenaltyInputs
from gancli.core.data import Batch, Dataset, Spec
from gancli.core.exportable import Exportable
from gancli.core.images import ManySamples, PairSamples
from gancli.core.registry import of_kind
from gancli.core.samples import Ask, FromInput
from gancli.core.seeds import derive
from gancli.core.specs import ImageMap, Pairs
from gancli.core.task import Context, Phase, Task
from gancli.data.pairs import PairDataset
from gancli.losses.adversarial import critic_loss, generator_loss
from gancli.tasks.translation import (
    DIRECTIONS,
    PREVIEWS,
    direction_of,
    exportable,
    noise_of,
    on_planes,
    outputs,
    paired,
    spaced,
)

if TYPE_CHECKING:
    from gancli.core.contracts import Loss
    from gancli.core.nets import PatchCritic, Translator
else:
    from gancli.core.registry import Part

    Loss = Annotated[Part, *of_kind("loss")]
    PatchCritic = Annotated[Part, *of_kind("critic")]
    Translator = Annotated[Part, *of_kind("translator")]


class Pix2Pix(Task):
    name = "pix2pix"
    accepts: ClassVar[type[Spec]] = Pairs
    is_default: ClassVar[bool] = True
    asks: ClassVar[type[Ask]] = FromInput
    optional: ClassVar[tuple[str, ...]] = ("D",)
    quick: ClassVar[tuple[str, ...]] = ("l1", "ssim", "kid")
    headline: ClassVar[str] = "l1"
    direction: Literal["a-to-b", "b-to-a"] = Field("a-to-b", description="the mapping to learn")
    translator: Translator = Field("unet", validate_default=True, description="architecture of G")
    critic: PatchCritic = Field("patch", validate_default=True, description="architecture of D")
    loss: Loss = Field("nonsaturating", validate_default=True, description="the adversarial loss")
    adversarial: float = Field(1.0, ge=0, description="weight of the adversarial loss of G; 0: no D, only the L1 loss")
    lambda_l1: float = Field(100.0, ge=0, description="weight of the L1 distance to the target; 10 with noise")
    lambda_features: float = Field(0.0, ge=0, description="weight of feature matching (1711.11585: 10)")
    lambda_modes: float = Field(0.0, ge=0, description="weight of mode seeking (1903.05628: 1); needs z")
    z: int = Field(0, ge=0, le=1024, description="width of the noise, for several outputs per input (8); 0: none")

    def dataset(self, data: Dataset) -> Dataset:
        return data.swapped() if self.direction == DIRECTIONS[1] and isinstance(data, PairDataset) else data

    def nets(self, spec: Spec) -> dict[str, nn.Module]:
        assert isinstance(spec, Pairs)
        source, target, size = spec.source.channels, spec.target.channels, (spec.source.height, spec.source.width)
        out = {"G": self.translator.net(source + self.z, target, size)}
        return {**out, "D": self.critic.net(source + target, size)} if self.adversarial else out

    def phases(self, nets: Nets) -> Sequence[Phase]:
        if "D" not in nets:
            return [Phase("G", ("G",), self._g_loss)]
        return [Phase("D", ("D",), self._d_loss), Phase("G", ("G",), self._g_loss, new_batch=False)]

    def _output(self, ctx: Context, noise: str = "z") -> Tensor:
        z = ctx.noise(self.z, noise) if self.z else None
        out: Tensor = ctx.nets["G"](on_planes(ctx.batch["source"], z)).tanh()
        return out

    def _fake(self, ctx: Context, graph: bool = False) -> Tensor:
        """G's output, with graph if needed here (`graph`) or in a later phase."""
        fake: Tensor | None = ctx.cache.get("fake")
        if fake is None:
            with torch.set_grad_enabled(graph or ctx.retain_graph):
                fake = self._output(ctx)
            if ctx.retain_graph:
                ctx.cache["fake"] = fake
        return fake

    def _inputs(self, ctx: Context, fake: Tensor) -> PenaltyInputs:
        """The inputs of D: source and target, concatenated."""
        source = ctx.batch["source"]
        real, fake = torch.cat([source, ctx.batch["real"]], 1), torch.cat([source, fake], 1)
        return PenaltyInputs(ctx.nets["D"], real, fake, ctx.random, ctx.memory, ctx.tick)

    def _d_loss(self, ctx: Context) -> tuple[Tensor, Logs]:
        total, logs = critic_loss(self._inputs(ctx, self._fake(ctx).detach()), self.loss, (), True)
        return total / 2, logs

    def _g_loss(self, ctx: Context) -> tuple[Tensor, Logs]:
        fake = self._fake(ctx, graph=True)
        l1 = (fake - ctx.batch["real"]).abs().flatten(1).mean(1)
        total, logs = self.lambda_l1 * l1, {"l1/G": l1.detach()}
        if self.adversarial:
            term, features = self._adversarial(ctx, fake)
            total = total + self.adversarial * term + self.lambda_features * features
            logs |= {"adversarial/G": term.detach()}
            logs |= {"features/G": features.detach()} if self.lambda_features else {}
        if self.z and self.lambda_modes:
            ratio = self._modes(ctx, fake)
            total, logs = total - self.lambda_modes * ratio, {**logs, "modes/G": ratio.detach()}
        return total, logs

    def _adversarial(self, ctx: Context, fake: Tensor) -> tuple[Tensor, Tensor]:
        """The adversarial loss and the distance of D's features, each [N]."""
        inputs = self._inputs(ctx, fake)
        if not self.lambda_features:
            return generator_loss(inputs.critic, self.loss, inputs.real, inputs.fake, True), fake.new_zeros(len(fake))
        maps: list[Tensor] = []

        def critic(x: Tensor) -> Tensor:
            logits: Tensor = ctx.nets["D"](x, maps)
            return logits

        with torch.no_grad():
            critic(inputs.real)
        real, maps = maps, []
        term = generator_loss(critic, self.loss, inputs.real, inputs.fake, True)
        apart = [(a - b[-len(a) :]).abs().flatten(1).mean(1) for a, b in zip(real, maps, strict=True)]
        return term, torch.stack(apart).mean(0)

    def _modes(self, ctx: Context, fake: Tensor) -> Tensor:
        """How far apart two outputs of an input are, over the distance of their noise (1903.05628, equation 4), [N]."""
        other, near = self._output(ctx, "other"), (ctx.noise(self.z) - ctx.noise(self.z, "other")).abs().mean(1)
        return (fake - other).abs().flatten(1).mean(1) / near.clamp_min(1e-5)

    def critics(self, ctx: Context) -> dict[str, tuple[Tensor, Tensor]]:
        if not self.adversarial:
            return {}
        inputs = self._inputs(ctx, self._fake(ctx).detach())
        return {"D": (inputs.critic(inputs.real), inputs.critic(inputs.fake))}

    def maps(self, spec: Spec) -> Mapping[str, ImageMap]:
        assert isinstance(spec, Pairs)
        size = (spec.source.height, spec.source.width)
        grid, reach = self.translator.grid(size), self.translator.reach(size)
        return {self.direction: ImageMap(spec.source, spec.target, grid, reach, answers=self.z > 0)}

    def apply(self, nets: Nets, batch: Batch, ask: FromInput, spec: Spec) -> Tensor:
        direction_of(self, ask, spec)
        x = batch["source"]
        out: Tensor = nets["G"](on_planes(x, noise_of(ask.seeds, x.shape[0], self.z, x))).tanh()
        return out

    def generate(self, nets: Nets, ask: Ask, spec: Spec) -> PairSamples:
        assert isinstance(ask, FromInput)
        made = outputs(self, nets, ask, spec)
        if not self.z:
            return made
        seeds = range(len(ask)) if ask.seeds is None else ask.seeds
        other = outputs(self, nets, ask.replace(seeds=tuple(derive(seed, "other") for seed in seeds)), spec)
        return ManySamples(made.images, inputs=made.inputs, targets=made.targets, others=other.images)

    def preview(self, spec: Spec, data: Dataset, n: int) -> Ask:  # noqa: ARG002
        ask = paired(spaced(data, min(n, PREVIEWS)), n)
        return ask.replace(seeds=tuple(range(len(ask)))) if self.z else ask

    def evaluation(self, spec: Spec, data: Dataset, n: int, seed: int) -> Ask:  # noqa: ARG002
        ask = paired(data, n)
        return ask.replace(seeds=tuple(range(seed, seed + len(ask)))) if self.z else ask

    def exportable(self, nets: Nets, spec: Spec) -> Exportable:
        assert isinstance(spec, Pairs)
        source = spec.source
        return exportable(nets["G"], (source.channels + self.z, source.height, source.width))
