"""Image restoration in two stages: a faithful net G, then a realistic net R that continues from it.

Of a degraded image y and, if pixels are missing, the mask m (1: missing), with a net F = G or R:

    output = y + F(y)                              noise, JPEG, blur, color; of smaller images, y is enlarged first
    output = (1 - m) y + m F([(1 - m) y, m])       missing pixels: the known ones are returned as they are

Stage 1 (the first `1 - realistic` of the training images): L = |x - output|_1, of missing pixels the mean over these.
Stage 2: R starts from G. A critic D, whose input is the image with y and m concatenated, is trained with the hinge loss, and

    L_R = L + adversarial * l(D(output), 1) + lambda_features sum_k |D_k(x) - D_k(output)|_1 / K
          + lambda_perceptual d(x, output) - lambda_modes |output(z1) - output(z2)|_1 / |z1 - z2|_1

(feature matching of 1711.11585, d: perceptual distance of 1801.03924, mode seeking of 1903.05628). `realism` interpolates the
weights of both (1809.00219, section 3.4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, ClassVar, Self, cast

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import interpolate

from gancli.core.contracts import Logs, Nets, PenaltyInputs
from gancli.core.data import Batch, Dataset, Spec
from gancli.core.errors import UsageError
from gancli.core.exportable import Exportable
from gancli.core.images import PairSamples
from gancli.core.registry import of_kind
from gancli.core.samples import Ask, FromInput
from gancli.core.specs import Degraded, ImageMap
from gancli.core.task import Context, Phase, Task
from gancli.data.degraded import DegradedDataset
from gancli.data.images import ImageDataset
from gancli.degradations.chain import Chain
from gancli.losses.adversarial import critic_loss, generator_loss
from gancli.models.perceptual import perceptual_distance
from gancli.tasks.translation import PREVIEWS, noise_of, on_planes, outputs, spaced

if TYPE_CHECKING:
    from gancli.core.contracts import Loss
    from gancli.core.nets import PatchCritic, Translator
else:
    from gancli.core.registry import Part

    Loss = Annotated[Part, *of_kind("loss")]
    PatchCritic = Annotated[Part, *of_kind("critic")]
    Translator = Annotated[Part, *of_kind("translator")]

WEIGHTS = {"adversarial": 0.01, "lambda_l1": 1.0, "lambda_features": 0.1}
ENLARGED_BY = 2  # pixels around a pixel of a small image that its enlarged pixels depend on


class FromDegraded(FromInput):
    """A request for one restored image per degraded image."""

    realism: float | None = Field(
        None, ge=0, le=1, description="0: the most faithful, 1: the most realistic; default: 0, with seeds 1"
    )


class Restore(Task):
    name = "restore"
    accepts: ClassVar[type[Spec]] = Degraded
    is_default: ClassVar[bool] = True
    asks: ClassVar[type[Ask]] = FromDegraded
    ema: ClassVar[tuple[str, ...]] = ("G", "R")
    optional: ClassVar[tuple[str, ...]] = ("R", "D")
    quick: ClassVar[tuple[str, ...]] = ("psnr", "ssim")
    headline: ClassVar[str] = "psnr"
    degrade: Chain = Field(
        "gauss:25",
        validate_default=True,
        description="degradations of the training images, as in gauss:0-50+jpeg:10-40; fresh in each pass",
    )
    translator: Translator = Field("resunet", validate_default=True, description="architecture of G and R")
    critic: PatchCritic = Field(
        {"name": "patch", "norm": "none", "spectral": True}, validate_default=True, description="architecture of D"
    )
    loss: Loss = Field("hinge", validate_default=True, description="the adversarial loss")
    realistic: float = Field(0.35, ge=0, lt=1, description="fraction of the training images for stage 2; 0: no R and D")
    stage: int | None = Field(None, ge=0, description="training images of stage 1; default: by `realistic`")
    adversarial: float | None = Field(
        None, ge=0, description="weight of the adversarial loss; default: 0.01, with masks 1"
    )
    lambda_l1: float | None = Field(None, ge=0, description="weight of L1 in stage 2; default: 1, with masks 6")
    lambda_features: float | None = Field(
        None, ge=0, description="weight of feature matching; default: 0.1, with masks 10"
    )
    lambda_perceptual: float = Field(
        0.0, ge=0, description="weight of the perceptual distance by EfficientNet-Lite0 (1809.00219: by VGG)"
    )
    lambda_modes: float = Field(0.0, ge=0, description="weight of mode seeking: 1; needs z")
    z: int = Field(0, ge=0, le=1024, description="width of the noise of R, for several outputs per input (8); 0: none")

    def dataset(self, data: Dataset) -> Dataset:
        return DegradedDataset(data, self.degrade) if isinstance(data, ImageDataset) else data

    def resolved(self, images: int, spec: Spec) -> Self:  # noqa: ARG002
        stage = round(images * (1 - self.realistic)) if self.stage is None else self.stage
        masks = any(part.masks for part in self.degrade)
        weights = {"adversarial": 1.0, "lambda_l1": 6.0, "lambda_features": 10.0} if masks else WEIGHTS
        return self.replace(stage=stage, **{k: v for k, v in weights.items() if getattr(self, k) is None})

    @property
    def exact(self) -> bool:
        """Whether the pixels that are not missing are known exactly."""
        return all(part.masks for part in self.degrade)

    def nets(self, spec: Spec) -> dict[str, nn.Module]:
        assert isinstance(spec, Degraded)
        if spec.scale != self.scale:
            raise UsageError(
                f"inputs are {spec.scale} times smaller than images, and the degradations make them {self.scale} times smaller",
                "use another preset or --degrade",
            )
        image, masks = spec.image, int(spec.mask)
        size = (image.height, image.width)
        translators = ("G", "R") if self.realistic else ("G",)
        out = {n: self.translator.net(image.channels + masks + self.z, image.channels, size) for n in translators}
        return {**out, "D": self.critic.net(2 * image.channels + masks, size)} if self.realistic else out

    def phases(self, nets: Nets) -> Sequence[Phase]:
        if "R" not in nets:
            return [Phase("G", ("G",), self._faithful)]
        stage = self.stage or 0
        first = [Phase("G", ("G",), self._faithful, end=stage, after=_copy)] if stage else []
        return [
            *first,
            Phase("D", ("D",), self._d_loss, begin=stage),
            Phase("R", ("R",), self._realistic, begin=stage, new_batch=False),
        ]

    def _restored(self, net: nn.Module, batch: Batch, z: Tensor | None) -> Tensor:
        """Restored images [N, C, H, W], not clamped."""
        y, mask = self._enlarged(batch["source"]), batch.get("mask")
        if mask is None:
            return y + cast("Tensor", net(on_planes(y, z)))
        y, mask = y * (1 - mask), mask.to(y.dtype)
        made: Tensor = net(on_planes(torch.cat([y, mask], 1), z))
        return y + mask * made if self.exact else y + made

    def _enlarged(self, y: Tensor) -> Tensor:
        scale = self.scale
        return y if scale == 1 else interpolate(y.float(), scale_factor=scale, mode="bicubic").to(y.dtype)

    @property
    def scale(self) -> int:
        """Height and width of outputs as multiples of those of inputs."""
        return int(np.prod([part.scale for part in self.degrade]))

    def _l1(self, output: Tensor, batch: Batch) -> Tensor:
        """The mean absolute difference [N]; of missing pixels alone if the others are known."""
        apart, mask = (output - batch["real"]).abs(), batch.get("mask")
        if mask is None or not self.exact:
            return apart.flatten(1).mean(1)
        missing = mask.expand_as(apart).flatten(1)
        return (apart.flatten(1) * missing).sum(1) / missing.sum(1).clamp_min(1)

    def _faithful(self, ctx: Context) -> tuple[Tensor, Logs]:
        z = ctx.noise(self.z).zero_() if self.z else None  # the mean of the noise, as R starts from G
        l1 = self._l1(self._restored(ctx.nets["G"], ctx.batch, z), ctx.batch)
        return l1, {"l1/G": l1.detach()}

    def _fake(self, ctx: Context, graph: bool = False) -> Tensor:
        """R's output, with graph if needed here (`graph`) or in a later phase."""
        fake: Tensor | None = ctx.cache.get("fake")
        if fake is None:
            with torch.set_grad_enabled(graph or ctx.retain_graph):
                fake = self._restored(ctx.nets["R"], ctx.batch, ctx.noise(self.z) if self.z else None)
            if ctx.retain_graph:
                ctx.cache["fake"] = fake
        return fake

    def _inputs(self, ctx: Context, fake: Tensor) -> PenaltyInputs:
        """The inputs of D: the image, the degraded image and the mask, concatenated."""
        known = [self._enlarged(ctx.batch["source"])]
        known += [ctx.batch["mask"].to(known[0].dtype)] if "mask" in ctx.batch else []
        real, made = (torch.cat([x, *known], 1) for x in (ctx.batch["real"], fake))
        return PenaltyInputs(ctx.nets["D"], real, made, ctx.random, ctx.memory, ctx.tick)

    def _d_loss(self, ctx: Context) -> tuple[Tensor, Logs]:
        return critic_loss(self._inputs(ctx, self._fake(ctx).detach()), self.loss, (), True)

    def _realistic(self, ctx: Context) -> tuple[Tensor, Logs]:
        fake = self._fake(ctx, graph=True)
        inputs, maps = self._inputs(ctx, fake), list[Tensor]()

        def critic(x: Tensor) -> Tensor:
            logits: Tensor = ctx.nets["D"](x, maps)
            return logits

        with torch.no_grad():
            critic(inputs.real)
        real, maps = maps, []
        term = generator_loss(critic, self.loss, inputs.real, inputs.fake, True)
        apart = [(a - b[-len(a) :]).abs().flatten(1).mean(1) for a, b in zip(real, maps, strict=True)]
        l1, features = self._l1(fake, ctx.batch), torch.stack(apart).mean(0)
        weights = [WEIGHTS[k] if (w := getattr(self, k)) is None else w for k in WEIGHTS]
        total = weights[0] * term + weights[1] * l1 + weights[2] * features
        logs = {"l1/R": l1.detach(), "adversarial/R": term.detach(), "features/R": features.detach()}
        if self.lambda_perceptual:
            perceptual = perceptual_distance(fake, ctx.batch["real"])
            total, logs["perceptual/R"] = total + self.lambda_perceptual * perceptual, perceptual.detach()
        if self.z and self.lambda_modes:
            other = self._restored(ctx.nets["R"], ctx.batch, ctx.noise(self.z, "other"))
            near = (ctx.noise(self.z) - ctx.noise(self.z, "other")).abs().mean(1).clamp_min(1e-5)
            ratio = (fake - other).abs().flatten(1).mean(1) / near
            total, logs["modes/R"] = total - self.lambda_modes * ratio, ratio.detach()
        return total, logs

    def critics(self, ctx: Context) -> dict[str, tuple[Tensor, Tensor]]:
        if "D" not in ctx.nets or ctx.tick.images <= (self.stage or 0):
            return {}
        inputs = self._inputs(ctx, self._fake(ctx).detach())
        return {"D": (inputs.critic(inputs.real), inputs.critic(inputs.fake))}

    def maps(self, spec: Spec) -> Mapping[str, ImageMap]:
        assert isinstance(spec, Degraded)
        image, scale = spec.image, spec.scale
        source = image.replace(height=image.height // scale, width=image.width // scale)
        size = (image.height, image.width)
        reach = self.translator.reach(size)
        halo = None if reach is None else -(-reach // scale) + (ENLARGED_BY if scale > 1 else 0)
        grid = self.translator.grid(size)
        return {"restore": ImageMap(source, image, grid, halo, self.z > 0 and self.realistic > 0, scale, spec.mask)}

    def apply(self, nets: Nets, batch: Batch, ask: FromInput, spec: Spec) -> Tensor:  # noqa: ARG002
        realism = ask.realism if isinstance(ask, FromDegraded) else None
        realism = float(ask.seeds is not None) if realism is None else realism
        x = batch["source"]
        z = noise_of(ask.seeds if realism else None, x.shape[0], self.z, x)
        return self._restored(_Dial(nets, realism), batch, z).clamp(-1, 1)

    def generate(self, nets: Nets, ask: Ask, spec: Spec) -> PairSamples:
        assert isinstance(ask, FromInput)
        return replace(outputs(self, nets, ask, spec), masks=ask.masks)

    def _of(self, data: Dataset, n: int) -> FromDegraded:
        known = cast("PairSamples", data.take(slice(0, n)).samples())
        return FromDegraded(images=known.inputs, masks=known.masks, targets=known.images)

    def preview(self, spec: Spec, data: Dataset, n: int) -> Ask:  # noqa: ARG002
        return self._of(spaced(data, min(n, PREVIEWS)), n)

    def evaluation(self, spec: Spec, data: Dataset, n: int, seed: int) -> Ask:  # noqa: ARG002
        ask = self._of(data, n)
        return ask.replace(seeds=tuple(range(seed, seed + len(ask))), realism=0.0) if self.z else ask

    def exportable(self, nets: Nets, spec: Spec) -> Exportable:
        assert isinstance(spec, Degraded)
        return _exportable(self, nets["G"], spec)


class _Dial(nn.Module):
    """G and R with interpolated weights: (1 - realism) G + realism R."""

    def __init__(self, nets: Nets, realism: float) -> None:
        super().__init__()
        self.net, self.weights = nets["G"], dict[str, Tensor]()
        if realism and "R" in nets:
            ends = (dict(nets[name].named_parameters()) for name in ("G", "R"))
            faithful, realistic = ends
            self.weights = {k: torch.lerp(v, realistic[k], realism) for k, v in faithful.items()}

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = functional_call(self.net, self.weights, (x,))
        return out


@torch.no_grad()
def _copy(nets: Nets) -> None:
    """R follows G during stage 1."""
    for mine, theirs in zip(nets["R"].parameters(), nets["G"].parameters(), strict=True):
        mine.copy_(theirs)


class _Export(nn.Module):
    def __init__(self, task: Restore, net: nn.Module) -> None:
        super().__init__()
        self.task, self.net = task, net

    def forward(self, image: Tensor, mask: Tensor | None = None) -> Tensor:
        batch = Batch({"source": image} if mask is None else {"source": image, "mask": mask})
        z = image.new_zeros(image.shape[0], self.task.z) if self.task.z else None
        return self.task._restored(self.net, batch, z).clamp(-1, 1)


def _exportable(task: Restore, net: nn.Module, spec: Degraded) -> Exportable:
    height, width = spec.image.height // spec.scale, spec.image.width // spec.scale
    inputs = {"image": torch.zeros(2, spec.image.channels, height, width)}
    if spec.mask:
        inputs["mask"] = torch.zeros(2, 1, height, width)
    return Exportable(_Export(task, net), inputs)
