"""A plug-in: lines of letters as data, samples of a type of their own, a task that writes them, features, and metrics of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.core.data import Batch, Dataset, Reading, Source, Split, Window
from gancli.core.samples import Ask, File, FromSeeds, Samples
from gancli.core.seeds import generator
from gancli.core.specs import Tokens
from gancli.core.task import Context, Phase, Task
from gancli.evaluation.contracts import Chart, Extractor, Features, Inputs, Metric, Score

LETTERS = "abcd"
LENGTH = 6


@dataclass(frozen=True)
class ToyLines(Samples):
    """Lines of letters."""

    media: ClassVar[str] = "text"
    tokens: np.ndarray  # uint8 [N, LENGTH]

    def __len__(self) -> int:
        return len(self.tokens)

    def take(self, index: np.ndarray | slice) -> Self:
        return type(self)(self.tokens[index])

    def lines(self) -> list[str]:
        return ["".join(LETTERS[t] for t in row) for row in self.tokens]

    def render(self, columns: int | None = None, recipe: dict[str, Any] | None = None) -> File:
        return File(".txt", "".join(f"{line}\n" for line in self.lines()).encode())

    def file(self, i: int, recipe: dict[str, Any] | None = None) -> File:
        return File(".txt", f"{self.lines()[i]}\n".encode())

    def arrays(self) -> dict[str, np.ndarray]:
        return {"lines": np.array(self.lines())}

    def vectors(self) -> np.ndarray:
        return self.tokens.astype(np.float32)

    def pack(self) -> dict[str, np.ndarray]:
        return {"tokens": self.tokens}

    @classmethod
    def unpack(cls, arrays: dict[str, np.ndarray]) -> Self:
        return cls(arrays["tokens"])

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        return cls(np.concatenate([part.tokens for part in parts]))


@dataclass(frozen=True)
class ToySet(Dataset):
    """Lines, mostly of one letter."""

    tokens: np.ndarray

    @property
    def spec(self) -> Tokens:
        return Tokens(length=LENGTH, vocabulary=len(LETTERS))

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.tokens.tobytes()).hexdigest()

    def __len__(self) -> int:
        return len(self.tokens)

    def batch(self, window: Window) -> Batch:
        return Batch({"tokens": torch.from_numpy(self.tokens[window.indices(len(self)).numpy()].astype(np.int64))})

    def take(self, index: np.ndarray | slice, how: Reading | None = None) -> Self:
        return replace(self, tokens=self.tokens[index])

    def samples(self) -> ToyLines:
        return ToyLines(self.tokens)


class ToySource(Source):
    """Lines of letters."""

    name = "toy-lines"

    def read(self, how: Reading) -> Split[ToySet]:
        rng = np.random.default_rng(0)
        tokens = rng.choice(len(LETTERS), (400, LENGTH), p=[0.7, 0.1, 0.1, 0.1]).astype(np.uint8)
        every = ToySet(tokens)
        return Split(every.take(slice(0, 240)), every.take(slice(240, 320)), every.take(slice(320, 400)))


class ToyWriter(Task):
    """A generator of lines and a critic."""

    name = "toy-writer"
    accepts = Tokens
    asks: ClassVar[type[Ask]] = FromSeeds
    quick = ("toy-letters",)
    headline = "toy-letters"

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        return {"G": nn.Linear(4, LENGTH * len(LETTERS)), "D": nn.Linear(LENGTH * len(LETTERS), 1)}

    def phases(self, nets: Any) -> Sequence[Phase]:
        return [Phase("D", ("D",), self._d), Phase("G", ("G",), self._g, new_batch=False)]

    def _soft(self, ctx: Context) -> Tensor:
        logits: Tensor = ctx.nets["G"](ctx.noise(4)).view(-1, LENGTH, len(LETTERS))
        return logits.softmax(2).flatten(1)

    def _logits(self, ctx: Context) -> tuple[Tensor, Tensor]:
        real = F.one_hot(ctx.batch["tokens"], len(LETTERS)).flatten(1).to(ctx.dtype)
        return ctx.nets["D"](real)[:, 0], ctx.nets["D"](self._soft(ctx).detach())[:, 0]

    def _d(self, ctx: Context) -> tuple[Tensor, dict[str, Tensor]]:
        real, fake = self._logits(ctx)
        return F.softplus(-real) + F.softplus(fake), {}

    def _g(self, ctx: Context) -> tuple[Tensor, dict[str, Tensor]]:
        return F.softplus(-ctx.nets["D"](self._soft(ctx))[:, 0]), {}

    def critics(self, ctx: Context) -> dict[str, tuple[Tensor, Tensor]]:
        return {"D": self._logits(ctx)}

    def generate(self, nets: Any, ask: Ask, spec: Any) -> ToyLines:
        assert isinstance(ask, FromSeeds)
        z = torch.stack([torch.randn(4, generator=generator("toy", seed)) for seed in ask.seeds])
        tokens = nets["G"](z).view(-1, LENGTH, len(LETTERS)).argmax(2)
        return ToyLines(tokens.to(torch.uint8).numpy())

    def preview(self, spec: Any, data: Dataset, n: int) -> Ask:
        return FromSeeds(seeds=tuple(range(n)))

    def evaluation(self, spec: Any, data: Dataset, n: int, seed: int) -> Ask:
        return FromSeeds(seeds=tuple(range(seed, seed + n)))


def shares(tokens: np.ndarray) -> np.ndarray:
    """How often each letter occurs, [letters]."""
    return np.bincount(tokens.ravel(), minlength=len(LETTERS)) / tokens.size


class ToyLetters(Metric):
    """Total variation between the shares of letters."""

    name = "toy-letters"
    accepts = ToyLines
    gives = ("toy-letters",)
    space = "text"
    rank = 5
    headlines = gives
    charts: ClassVar[dict[str, Chart]] = {"toy-letters": Chart("Letters", "%", "detail")}

    def compute(self, inputs: Inputs) -> dict[str, Score]:
        real, fake = (shares(np.concatenate([c.tokens for c in s.chunks(9)])) for s in (inputs.real, inputs.fake))
        detail = dict(zip(LETTERS, fake.tolist(), strict=True))
        value = float(np.abs(real - fake).sum() / 2)
        return {"toy-letters": Score(value, "how unlike letters occur", detail=detail)}

    def baselines(self, inputs: Inputs) -> dict[str, dict[str, Score]]:
        real = shares(inputs.real.take(np.arange(len(inputs.real))).tokens)
        value = float(np.abs(real - 1 / len(LETTERS)).sum() / 2)
        return {**super().baselines(inputs), "uniform": {"toy-letters": Score(value, "every letter as often")}}


class ToyVariety(Metric):
    """The share of lines that are different, without looking at any data."""

    name = "toy-variety"
    accepts = ToyLines
    reference = "none"
    gives = ("toy-variety",)
    space = "text"

    def compute(self, inputs: Inputs) -> dict[str, Score]:
        lines = [line for chunk in inputs.fake.chunks() for line in chunk.lines()]
        return {"toy-variety": Score(len(set(lines)) / len(lines), "share of lines that are different", "reference")}


class ToyCounts(Features):
    """How often each letter occurs in a line."""

    name = "toy-counts"
    accepts = ToyLines

    @classmethod
    def suits(cls, train: Dataset) -> int:
        return 1

    def prepare(self, train: Dataset, cache_dir: Any, device: Any, progress: Any = None) -> Extractor:
        def net(samples: ToyLines) -> tuple[Tensor, None]:
            tokens = torch.from_numpy(samples.tokens.astype(np.int64))
            return F.one_hot(tokens, len(LETTERS)).sum(1).float(), None

        return Extractor("toy-counts", "0" * 64, "as they are", net)


class ToyGap(Metric):
    """The distance of the features' means."""

    name = "toy-gap"
    accepts = ToyLines
    gives = ("toy-gap",)

    def compute(self, inputs: Inputs) -> dict[str, Score]:
        gap = inputs.real.features.mean(0) - inputs.fake.features.mean(0)
        return {"toy-gap": Score(float(np.linalg.norm(gap)), "distance of the means")}
