"""A plug-in: pictures and their negatives as data, a task that makes one of the other, and a metric of pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from gancli.core.data import Dataset, Reading, Source, Split
from gancli.core.images import PairSamples, to_uint8
from gancli.core.samples import Ask, FromInput
from gancli.core.specs import Pairs
from gancli.core.task import Context, Phase, Task
from gancli.data.images import ImageDataset
from gancli.data.pairs import PairDataset
from gancli.evaluation.contracts import Inputs, Metric, Score


class ToyPairs(Source):
    """Noise and its negative."""

    name = "toy-pairs"

    def read(self, how: Reading) -> Split[PairDataset]:
        images = np.random.default_rng(0).integers(0, 256, (120, 1, 8, 8), np.uint8)
        every = PairDataset(ImageDataset(images), ImageDataset(255 - images))
        return Split(every.take(slice(0, 60)), every.take(slice(60, 90)), every.take(slice(90, 120)))


class ToyNegative(Task):
    """One factor is learned."""

    name = "toy-negative"
    accepts = Pairs
    asks: ClassVar[type[Ask]] = FromInput
    quick = ("toy-l1",)
    headline = "toy-l1"

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        return {"G": nn.Conv2d(1, 1, 1), "D": nn.Conv2d(1, 1, 1)}

    def phases(self, nets: Any) -> Sequence[Phase]:
        return [Phase("G", ("G",), self._g), Phase("D", ("D",), self._d, new_batch=False)]

    def _g(self, ctx: Context) -> tuple[Tensor, dict[str, Tensor]]:
        return (ctx.nets["G"](ctx.batch["source"]) - ctx.batch["real"]).abs().mean((1, 2, 3)), {}

    def _d(self, ctx: Context) -> tuple[Tensor, dict[str, Tensor]]:
        return ctx.nets["D"](ctx.batch["real"]).square().mean((1, 2, 3)), {}

    def critics(self, ctx: Context) -> dict[str, tuple[Tensor, Tensor]]:
        logits = ctx.nets["D"](ctx.batch["real"]).flatten(1)
        return {"D": (logits, logits)}

    def generate(self, nets: Any, ask: Ask, spec: Any) -> PairSamples:
        assert isinstance(ask, FromInput)
        x = torch.from_numpy(ask.images).float() / 127.5 - 1
        return PairSamples(to_uint8(nets["G"](x).clamp(-1, 1)), inputs=ask.images)

    def preview(self, spec: Any, data: Dataset, n: int) -> Ask:
        samples = data.samples()
        assert isinstance(samples, PairSamples)
        return FromInput(images=samples.inputs[:n])

    def evaluation(self, spec: Any, data: Dataset, n: int, seed: int) -> Ask:
        return self.preview(spec, data, n)


class ToyL1(Metric):
    """The mean difference of an output and its target."""

    name = "toy-l1"
    accepts = PairSamples
    reference = "paired"
    gives = ("toy-l1",)
    space = "pixels"

    def compute(self, inputs: Inputs) -> dict[str, Score]:
        return {"toy-l1": Score(self._apart(inputs, "images"), "difference from the target, of 255")}

    def baselines(self, inputs: Inputs) -> dict[str, dict[str, Score]]:
        return {"input": {"toy-l1": Score(self._apart(inputs, "inputs"), "the input as it is")}}

    def _apart(self, inputs: Inputs, what: str) -> float:
        both = zip(inputs.fake.chunks(7), inputs.real.chunks(7), strict=True)
        gaps = [np.abs(getattr(a, what).astype(int) - b.images).mean((1, 2, 3)) for a, b in both]
        return float(np.concatenate(gaps).mean())
