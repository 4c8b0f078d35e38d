"""Unpaired image translation in both directions (CycleGAN, 1703.10593), section 3. G maps A to B, F maps B to A:

    L_D_B = l(D_B(y), 1) + l(D_B(pool(G(x))), 0)
    L_G = l(D_B(G(x)), 1) + l(D_A(F(y)), 1) + lambda_cycle [ |F(G(x)) - x|_1 + |G(F(y)) - y|_1
          + lambda_identity (|G(y) - y|_1 + |F(x) - x|_1) ]

The identity term (section 5.2) needs domains with the same channels. The critics see a pool of earlier outputs (section 4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from gancli.core import pool
from gancli.core.contracts import Logs, Memory, Nets, PenaltyInputs
from gancli.core.data import Batch, Dataset, Spec
from gancli.core.exportable import Exportable
from gancli.core.images import CycleSamples, to_uint8
from gancli.core.registry import of_kind
from gancli.core.samples import Ask, FromInput
from gancli.core.seeds import derive, generator
from gancli.core.specs import Domains, ImageMap, Images
from gancli.core.task import Context, Phase, Task
from gancli.losses.adversarial import critic_loss, generator_loss
from gancli.tasks.translation import (
    DIRECTIONS,
    PREVIEWS,
    as_domains,
    direction_of,
    exportable,
    spaced,
    to_float,
    unpaired,
)

if TYPE_CHECKING:
    from gancli.core.contracts import Loss
    from gancli.core.nets import PatchCritic, Translator
else:
    from gancli.core.registry import Part

    Loss = Annotated[Part, *of_kind("loss")]
    PatchCritic = Annotated[Part, *of_kind("critic")]
    Translator = Annotated[Part, *of_kind("translator")]

NOISE = 3.0  # standard deviation, of 255, that reveals hidden information (1712.02950)


def size_of(images: Images) -> tuple[int, int]:
    """Height and width."""
    return images.height, images.width


class CycleGAN(Task):
    name = "cyclegan"
    accepts: ClassVar[type[Spec]] = Domains
    asks: ClassVar[type[Ask]] = FromInput
    ema: ClassVar[tuple[str, ...]] = ("G", "F")
    quick: ClassVar[tuple[str, ...]] = ("kid", "cycle", "l1")
    headline: ClassVar[str] = "kid"
    direction: Literal["a-to-b", "b-to-a"] = Field("a-to-b", description="the mapping of G; F is its inverse")
    translator: Translator = Field("resnet", validate_default=True, description="architecture of G and F")
    critic: PatchCritic = Field("patch", validate_default=True, description="architecture of D_A and D_B")
    loss: Loss = Field("lsgan", validate_default=True, description="the adversarial loss")
    adversarial: float = Field(1.0, ge=0, description="weight of the adversarial losses of G and F")
    lambda_cycle: float = Field(10.0, ge=0, description="weight of the cycle consistency")
    lambda_identity: float = Field(0.5, ge=0, description="weight of the identity mapping, times lambda_cycle; 0: off")
    pool_size: int = Field(50, ge=0, le=10_000, description="earlier outputs of each direction that the critics see")

    def dataset(self, data: Dataset) -> Dataset:
        return as_domains(data, self.direction)

    def nets(self, spec: Spec) -> dict[str, nn.Module]:
        assert isinstance(spec, Domains)
        a, b = spec.a, spec.b
        return {
            "G": self.translator.net(a.channels, b.channels, size_of(a)),
            "F": self.translator.net(b.channels, a.channels, size_of(b)),
            "D_B": self.critic.net(b.channels, size_of(a)),
            "D_A": self.critic.net(a.channels, size_of(b)),
        }

    def memory(self, spec: Spec) -> Memory:
        assert isinstance(spec, Domains)
        b = pool.empty("B", self.pool_size, (spec.b.channels, *size_of(spec.a)))
        return b | pool.empty("A", self.pool_size, (spec.a.channels, *size_of(spec.b)))

    def phases(self, nets: Nets) -> Sequence[Phase]:  # noqa: ARG002
        return [
            Phase("D_B", ("D_B",), lambda ctx: self._d_loss(ctx, "B")),
            Phase("D_A", ("D_A",), lambda ctx: self._d_loss(ctx, "A"), new_batch=False),
            Phase("G", ("G", "F"), self._g_loss, new_batch=False),
        ]

    def _fake(self, ctx: Context, domain: str, graph: bool = False) -> Tensor:
        """Images mapped to a domain, with graph if needed here (`graph`) or in a later phase."""
        fake: Tensor | None = ctx.cache.get(domain)
        if fake is None:
            net, source = ("G", "a") if domain == "B" else ("F", "b")
            with torch.set_grad_enabled(graph or ctx.retain_graph):
                fake = ctx.nets[net](ctx.batch[source]).tanh()
            if ctx.retain_graph:
                ctx.cache[domain] = fake
        return fake

    def _inputs(self, ctx: Context, domain: str, fake: Tensor) -> PenaltyInputs:
        real = ctx.batch[domain.lower()]
        return PenaltyInputs(ctx.nets[f"D_{domain}"], real, fake, ctx.random, ctx.memory, ctx.tick)

    def _d_loss(self, ctx: Context, domain: str) -> tuple[Tensor, Logs]:
        seed = derive(ctx.tick.seed, ctx.tick.step, "pool")
        shown = pool.exchange(ctx.memory, domain, self._fake(ctx, domain), seed)
        return critic_loss(self._inputs(ctx, domain, shown), self.loss, (), True, f"D_{domain}")

    def _g_loss(self, ctx: Context) -> tuple[Tensor, Logs]:
        g, f, a, b = ctx.nets["G"], ctx.nets["F"], ctx.batch["a"], ctx.batch["b"]
        total, logs = a.new_zeros(len(a), dtype=torch.float32), Logs()
        fakes = {domain: self._fake(ctx, domain, graph=True) for domain in ("B", "A")}
        for domain, fake in fakes.items():
            inputs = self._inputs(ctx, domain, fake)
            term = generator_loss(inputs.critic, self.loss, inputs.real, fake, True)
            total, logs[f"adversarial/{domain}"] = total + self.adversarial * term, term.detach()
        terms = {"cycle/A": distance(f(fakes["B"]).tanh(), a), "cycle/B": distance(g(fakes["A"]).tanh(), b)}
        weights = dict.fromkeys(terms, self.lambda_cycle)
        if self.lambda_identity and a.shape[1] == b.shape[1]:
            same = {"identity/B": distance(g(b).tanh(), b), "identity/A": distance(f(a).tanh(), a)}
            terms, weights = terms | same, weights | dict.fromkeys(same, self.lambda_cycle * self.lambda_identity)
        for key, term in terms.items():
            total, logs[key] = total + weights[key] * term, term.detach()
        return total, logs

    def critics(self, ctx: Context) -> dict[str, tuple[Tensor, Tensor]]:
        out = {}
        for domain in ("B", "A"):
            inputs = self._inputs(ctx, domain, self._fake(ctx, domain).detach())
            out[f"D_{domain}"] = (inputs.critic(inputs.real), inputs.critic(inputs.fake))
        return out

    def maps(self, spec: Spec) -> Mapping[str, ImageMap]:
        assert isinstance(spec, Domains)
        back = next(d for d in DIRECTIONS if d != self.direction)
        return {self.direction: self._map(spec.a, spec.b), back: self._map(spec.b, spec.a)}

    def _map(self, source: Images, target: Images) -> ImageMap:
        size = size_of(source)
        return ImageMap(source, target, self.translator.grid(size), self.translator.reach(size))

    def apply(self, nets: Nets, batch: Batch, ask: FromInput, spec: Spec) -> Tensor:
        forward = direction_of(self, ask, spec) == self.direction
        out: Tensor = nets["G" if forward else "F"](batch["source"]).tanh()
        return out

    def generate(self, nets: Nets, ask: Ask, spec: Spec) -> CycleSamples:
        assert isinstance(ask, FromInput)
        forward = direction_of(self, ask, spec) == self.direction
        there, back = (nets["G"], nets["F"]) if forward else (nets["F"], nets["G"])
        x = to_float(ask.images, next(there.parameters()))
        made = there(x).tanh()
        images = to_uint8(made)
        noise = torch.randn(made.shape[1:], generator=generator("steganography")).to(made.device) * (NOISE / 127.5)
        noisy = to_float(to_uint8((to_float(images, made) + noise).clamp(-1, 1)), made)
        same = to_uint8(back(x).tanh()) if images.shape[1] == x.shape[1] else None
        return CycleSamples(
            images, inputs=ask.images, targets=ask.targets, cycles=to_uint8(back(made).tanh()),
            noisy_cycles=to_uint8(back(noisy).tanh()), identities=same,
        )  # fmt: skip

    def preview(self, spec: Spec, data: Dataset, n: int) -> Ask:  # noqa: ARG002
        return unpaired(spaced(data, min(n, PREVIEWS)), n)

    def evaluation(self, spec: Spec, data: Dataset, n: int, seed: int) -> Ask:  # noqa: ARG002
        return unpaired(data, n)

    def exportable(self, nets: Nets, spec: Spec) -> Exportable:
        assert isinstance(spec, Domains)
        return exportable(nets["G"], (spec.a.channels, spec.a.height, spec.a.width))


def distance(a: Tensor, b: Tensor) -> Tensor:
    """The mean absolute difference of images, [N]."""
    return (a - b).abs().flatten(1).float().mean(1)
