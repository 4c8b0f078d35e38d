"""A toy in one file: aligned pictures, a task that translates one into the other, and a metric of its own.

A generator, a patch critic and a critic of whole pictures (1611.07004), a replay pool of pairs (1703.10593), on synthetic pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal, cast

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from gancli.core import pool
from gancli.core.contracts import Critic, Logs, Memory, Nets, PenaltyInputs
from gancli.core.data import Dataset, Reading, Source, Spec, Split
from gancli.core.exportable import Exportable
from gancli.core.images import PairSamples, to_uint8
from gancli.core.registry import build
from gancli.core.samples import Ask, FromInput, Samples
from gancli.core.seeds import derive
from gancli.core.specs import Pairs
from gancli.core.task import Context, Phase, Task
from gancli.data.images import ImageDataset
from gancli.data.pairs import PairDataset
from gancli.evaluation.contracts import Inputs, Metric, Score
from gancli.losses.adversarial import critic_loss, generator_loss

if TYPE_CHECKING:
    from gancli.core.contracts import Loss


class Negatives(Source):
    """Blobs (A) and their negatives (B)."""

    name = "toy-blobs"
    n: int = 160

    def read(self, how: Reading) -> Split[PairDataset]:
        random = np.random.Generator(np.random.PCG64(0))
        small = random.integers(0, 256, (self.n, 1, 4, 4), np.uint8)
        inputs = small.repeat(4, axis=2).repeat(4, axis=3)
        every = PairDataset(ImageDataset(inputs), ImageDataset(255 - inputs))
        return Split(every.take(slice(0, 100)), every.take(slice(130, None)), every.take(slice(100, 130)))


class Convolutions(nn.Module):
    """Two convolutions: a translator, or logits [N, P] of patches, or one logit [N] of the whole."""

    def __init__(self, a: int, b: int, width: int, stride: int) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(a, width, 3, stride, 1), nn.Conv2d(width, b, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.last(leaky_relu(self.first(x), 0.2))
        return out


class Translator(Convolutions):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).tanh()


class PatchCritic(Convolutions):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).flatten(1).float()


class WholeCritic(Convolutions):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).mean((1, 2, 3)).float()


class Translate(Task):
    """A into B, with pairs."""

    name = "toy-translate"
    accepts: ClassVar[type[Spec]] = Pairs
    asks: ClassVar[type[Ask]] = FromInput
    quick: ClassVar[tuple[str, ...]] = ("toy-distance",)
    headline: ClassVar[str] = "toy-distance"
    width: int = Field(8, ge=1)
    pool: int = Field(20, ge=0)
    l1: float = Field(10.0, ge=0)

    def nets(self, spec: Spec) -> dict[str, nn.Module]:
        assert isinstance(spec, Pairs)
        a, b = spec.source.channels, spec.target.channels
        return {
            "G": Translator(a, b, self.width, 1),
            "D": PatchCritic(a + b, 1, self.width, 2),
            "D_whole": WholeCritic(a + b, 1, self.width, 2),
        }

    def memory(self, spec: Spec) -> Memory:
        assert isinstance(spec, Pairs)
        shape = (spec.source.channels + spec.target.channels, spec.source.height, spec.source.width)
        return pool.empty("toy_pool", self.pool, shape)

    def phases(self, nets: Nets) -> Sequence[Phase]:
        return [
            Phase("D", ("D",), self._patches),
            Phase("D_whole", ("D_whole",), self._whole, new_batch=False),
            Phase("G", ("G",), self._translator, new_batch=False),
        ]

    def _fake(self, ctx: Context, graph: bool = False) -> Tensor:
        fake: Tensor | None = ctx.cache.get("fake")
        if fake is None:
            with torch.set_grad_enabled(graph or ctx.retain_graph):
                fake = ctx.nets["G"](ctx.batch["source"])
            if ctx.retain_graph:
                ctx.cache["fake"] = fake
        return fake

    def _inputs(self, ctx: Context, critic: Critic, fake: Tensor) -> PenaltyInputs:
        """What a critic sees: A beside B."""
        real = torch.cat([ctx.batch["source"], ctx.batch["real"]], 1)
        return PenaltyInputs(critic, real, fake, ctx.random, ctx.memory, ctx.tick)

    def _beside(self, ctx: Context, graph: bool = False) -> Tensor:
        return torch.cat([ctx.batch["source"], self._fake(ctx, graph)], 1)

    def _patches(self, ctx: Context) -> tuple[Tensor, Logs]:
        turn = derive(ctx.tick.seed, ctx.tick.step, "pool")
        shown = pool.exchange(ctx.memory, "toy_pool", self._beside(ctx), turn)
        return critic_loss(self._inputs(ctx, ctx.nets["D"], shown), least_squares(), (), True, "D")

    def _whole(self, ctx: Context) -> tuple[Tensor, Logs]:
        fake = self._beside(ctx).detach()
        return critic_loss(self._inputs(ctx, ctx.nets["D_whole"], fake), least_squares(), (), True, "D_whole")

    def _translator(self, ctx: Context) -> tuple[Tensor, Logs]:
        fake, real = self._beside(ctx, graph=True), ctx.batch["real"]
        terms = [generator_loss(ctx.nets[n], least_squares(), real, fake, True) for n in ("D", "D_whole")]
        away = (self._fake(ctx, graph=True) - real).abs().flatten(1).mean(1)
        return terms[0] + terms[1] + self.l1 * away, {"l1/G": away.detach()}

    def critics(self, ctx: Context) -> dict[str, tuple[Tensor, Tensor]]:
        real, fake = torch.cat([ctx.batch["source"], ctx.batch["real"]], 1), self._beside(ctx)
        return {name: (ctx.nets[name](real), ctx.nets[name](fake)) for name in ("D", "D_whole")}

    def generate(self, nets: Nets, ask: Ask, spec: Spec) -> PairSamples:
        assert isinstance(ask, FromInput)
        x = torch.from_numpy(ask.images).float() / 127.5 - 1
        return PairSamples(to_uint8(nets["G"](x)), inputs=ask.images)

    def preview(self, spec: Spec, data: Dataset, n: int) -> Ask:
        known = data.samples().take(slice(0, n))
        assert isinstance(known, PairSamples)
        return FromInput(images=known.inputs)

    def evaluation(self, spec: Spec, data: Dataset, n: int, seed: int) -> Ask:
        return self.preview(spec, data, n)

    def exportable(self, nets: Nets, spec: Spec) -> Exportable:
        assert isinstance(spec, Pairs)
        source = spec.source
        return Exportable(nets["G"], {"image": torch.zeros(2, source.channels, source.height, source.width)})


def least_squares() -> Loss:
    return cast("Loss", build("loss", "lsgan"))


def outputs(samples: PairSamples) -> np.ndarray:
    return samples.images


class L1(Metric):
    """Mean absolute difference from the targets, 0 to 255."""

    name = "toy-distance"
    accepts: ClassVar[type[Samples]] = PairSamples
    reference: ClassVar[Literal["real", "paired", "none"]] = "paired"
    gives: ClassVar[tuple[str, ...]] = ("toy-distance",)
    space: ClassVar[str] = "pixels"

    def compute(self, inputs: Inputs) -> dict[str, Score]:
        made, wanted = inputs.fake.view(outputs).astype(float), inputs.real.view(outputs)
        apart = np.abs(made - wanted).mean((1, 2, 3))
        return {"toy-distance": Score(float(apart.mean()), "mean absolute difference from the targets", "lower")}
