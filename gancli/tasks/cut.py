"""Unpaired image translation in one direction by contrastive learning (CUT and FastCUT, 2007.15651), section 3.

    L_G = adversarial * l(D(G(x)), 1) + lambda_nce / 2 [ NCE(x, G(x)) + NCE(y, G(y)) ]
    NCE(x, x') = mean over layers and places s of  -log softmax_t(h(x')_s . h(x)_t / tau)_s

h(x)_s is the normalized output of a two-layer MLP for place s of a feature map of G's encoder. Negatives are other places of the same
image; h(x) is not differentiated. Without `nce_identity` (FastCUT) the second term is omitted, and the first has weight lambda_nce.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from gancli.core.contracts import Logs, Nets, PenaltyInputs
from gancli.core.data import Batch, Dataset, Spec
from gancli.core.exportable import Exportable
from gancli.core.images import PairSamples
from gancli.core.registry import of_kind
from gancli.core.samples import Ask, FromInput
from gancli.core.seeds import generator
from gancli.core.specs import Domains, ImageMap
from gancli.core.task import Context, Phase, Task
from gancli.losses.adversarial import critic_loss, generator_loss
from gancli.tasks.translation import PREVIEWS, as_domains, direction_of, exportable, outputs, spaced, unpaired

if TYPE_CHECKING:
    from gancli.core.contracts import Loss
    from gancli.core.nets import PatchCritic, Translator
else:
    from gancli.core.registry import Part

    Loss = Annotated[Part, *of_kind("loss")]
    PatchCritic = Annotated[Part, *of_kind("critic")]
    Translator = Annotated[Part, *of_kind("translator")]


class Heads(nn.Module):
    """An MLP for each feature map: features of P places [N, P, C] -> unit vectors [N, P, width]."""

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(c, width), nn.ReLU(), nn.Linear(width, width)) for c in channels
        )
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, 0.0, 0.02)
                nn.init.zeros_(layer.bias)

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        return [normalize(head(x).float(), dim=2) for head, x in zip(self.heads, features, strict=True)]


class CUT(Task):
    name = "cut"
    accepts: ClassVar[type[Spec]] = Domains
    asks: ClassVar[type[Ask]] = FromInput
    quick: ClassVar[tuple[str, ...]] = ("kid", "l1")
    headline: ClassVar[str] = "kid"
    is_default: ClassVar[bool] = True
    direction: Literal["a-to-b", "b-to-a"] = Field("a-to-b", description="the mapping to learn")
    translator: Translator = Field("resnet", validate_default=True, description="architecture of G")
    critic: PatchCritic = Field("patch", validate_default=True, description="architecture of D")
    loss: Loss = Field("lsgan", validate_default=True, description="the adversarial loss")
    adversarial: float = Field(1.0, ge=0, description="weight of the adversarial loss of G")
    lambda_nce: float = Field(1.0, ge=0, description="weight of the contrastive loss")
    nce_identity: bool = Field(True, description="contrastive loss of images of the output domain, too")
    flip_equivariance: bool = Field(False, description="flip the input of half of the steps (FastCUT)")
    places: int = Field(256, ge=2, le=4096, description="places of each feature map")
    width: int = Field(256, ge=1, le=4096, description="width of the vectors that are compared")
    tau: float = Field(0.07, gt=0, description="temperature")

    def dataset(self, data: Dataset) -> Dataset:
        return as_domains(data, self.direction)

    def nets(self, spec: Spec) -> dict[str, nn.Module]:
        assert isinstance(spec, Domains)
        size = (spec.a.height, spec.a.width)
        g = self.translator.net(spec.a.channels, spec.b.channels, size)
        with torch.no_grad():
            features = g.encode(torch.zeros(1, spec.a.channels, *size))  # type: ignore[operator]
        heads = Heads([x.shape[1] for x in features], self.width)
        return {"G": g, "H": heads, "D": self.critic.net(spec.b.channels, size)}

    def phases(self, nets: Nets) -> Sequence[Phase]:  # noqa: ARG002
        return [Phase("D", ("D",), self._d_loss), Phase("G", ("G", "H"), self._g_loss, new_batch=False)]

    def _flipped(self, ctx: Context) -> bool:
        """Whether the input is flipped in this step."""
        coin = torch.rand((), generator=generator(ctx.tick.seed, ctx.tick.step, "flip"))
        return self.flip_equivariance and bool(coin < 0.5)

    def _fake(self, ctx: Context, graph: bool = False) -> tuple[Tensor, list[Tensor]]:
        """G's output and the features of its input, with graph if needed here (`graph`) or in a later phase."""
        known: tuple[Tensor, list[Tensor]] | None = ctx.cache.get("fake")
        if known is None:
            x = ctx.batch["a"].flip(3) if self._flipped(ctx) else ctx.batch["a"]
            features: list[Tensor] = []
            with torch.set_grad_enabled(graph or ctx.retain_graph):
                fake = ctx.nets["G"](x, features).tanh()
            known = fake, [f.detach() for f in features]
            if ctx.retain_graph:
                ctx.cache["fake"] = known
        return known

    def _inputs(self, ctx: Context, fake: Tensor) -> PenaltyInputs:
        return PenaltyInputs(ctx.nets["D"], ctx.batch["b"], fake, ctx.random, ctx.memory, ctx.tick)

    def _d_loss(self, ctx: Context) -> tuple[Tensor, Logs]:
        return critic_loss(self._inputs(ctx, self._fake(ctx)[0].detach()), self.loss, (), True)

    def _g_loss(self, ctx: Context) -> tuple[Tensor, Logs]:
        fake, of_input = self._fake(ctx, graph=True)
        inputs = self._inputs(ctx, fake)
        term = generator_loss(inputs.critic, self.loss, inputs.real, fake, True)
        if self._flipped(ctx):
            of_input = [f.detach() for f in ctx.nets["G"].encode(ctx.batch["a"])]  # type: ignore[operator]
        nce = self._nce(ctx, of_input, fake, self._flipped(ctx))
        logs: Logs = {"adversarial/G": term.detach(), "nce/G": nce.detach()}
        if self.nce_identity:
            features: list[Tensor] = []
            same = ctx.nets["G"](ctx.batch["b"], features).tanh()
            other = self._nce(ctx, [f.detach() for f in features], same)
            nce, logs["nce/identity"] = (nce + other) / 2, other.detach()
        return self.adversarial * term + self.lambda_nce * nce, logs

    def _nce(self, ctx: Context, of_input: Sequence[Tensor], output: Tensor, flipped: bool = False) -> Tensor:
        """The contrastive loss of outputs [N, C, H, W] and the features of their inputs, [N]."""
        of_output = ctx.nets["G"].encode(output)  # type: ignore[operator]
        keys, queries = [], []
        for i, (x, y) in enumerate(zip(of_input, of_output, strict=True)):
            total = x.shape[2] * x.shape[3]
            random = generator(ctx.tick.seed, ctx.tick.step, "places", i)
            at = torch.randperm(total, generator=random)[: self.places].to(x.device)
            keys.append(x.flatten(2)[:, :, at].transpose(1, 2))  # [N, P, C]
            queries.append((y.flip(3) if flipped else y).flatten(2)[:, :, at].transpose(1, 2))
        heads, terms = ctx.nets["H"], []
        for k, q in zip(heads(keys), heads(queries), strict=True):
            logits = q @ k.detach().transpose(1, 2) / self.tau  # [N, P, P]
            right = torch.arange(logits.shape[1], device=logits.device).expand(len(logits), -1)
            terms.append(cross_entropy(logits.transpose(1, 2), right, reduction="none").mean(1))
        return torch.stack(terms).mean(0)

    def critics(self, ctx: Context) -> dict[str, tuple[Tensor, Tensor]]:
        inputs = self._inputs(ctx, self._fake(ctx)[0].detach())
        return {"D": (inputs.critic(inputs.real), inputs.critic(inputs.fake))}

    def maps(self, spec: Spec) -> Mapping[str, ImageMap]:
        assert isinstance(spec, Domains)
        size = (spec.a.height, spec.a.width)
        grid, reach = self.translator.grid(size), self.translator.reach(size)
        return {self.direction: ImageMap(spec.a, spec.b, grid, reach)}

    def apply(self, nets: Nets, batch: Batch, ask: FromInput, spec: Spec) -> Tensor:
        direction_of(self, ask, spec)
        out: Tensor = nets["G"](batch["source"]).tanh()
        return out

    def generate(self, nets: Nets, ask: Ask, spec: Spec) -> PairSamples:
        assert isinstance(ask, FromInput)
        return outputs(self, nets, ask, spec)

    def preview(self, spec: Spec, data: Dataset, n: int) -> Ask:  # noqa: ARG002
        return unpaired(spaced(data, min(n, PREVIEWS)), n)

    def evaluation(self, spec: Spec, data: Dataset, n: int, seed: int) -> Ask:  # noqa: ARG002
        return unpaired(data, n)

    def exportable(self, nets: Nets, spec: Spec) -> Exportable:
        assert isinstance(spec, Domains)
        return exportable(nets["G"], (spec.a.channels, spec.a.height, spec.a.width))
