"""A toy in one file: lines of tokens, a task that writes them with tied embeddings, and a metric of its own.

An autoregressive generator whose output layer is its embedding, learned by maximum likelihood and against two critics (of each token and of
the line) through straight-through Gumbel softmax (1611.01144).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import TYPE_CHECKING, ClassVar, Literal, cast

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.core.contracts import Critic, Logs, Nets, PenaltyInputs
from gancli.core.data import Dataset, Reading, Source, Spec, Split
from gancli.core.registry import build
from gancli.core.samples import Ask, FromSeeds, Samples
from gancli.core.seeds import generator
from gancli.core.specs import Tokens
from gancli.core.task import Context, Phase, Task
from gancli.core.text import TextSamples
from gancli.data.tokens import TokenDataset, Vocabulary
from gancli.evaluation.contracts import Inputs, Metric, Score
from gancli.losses.adversarial import critic_loss, generator_loss

if TYPE_CHECKING:
    from gancli.core.contracts import Loss

LETTERS = " abcd"


class Steps(Source):
    """Lines in which each letter is followed by itself or by the next."""

    name = "toy-steps"
    n: int = 240
    length: int = 6

    def read(self, how: Reading) -> Split[TokenDataset]:
        random = np.random.Generator(np.random.PCG64(0))
        first, steps = random.integers(0, 4, (self.n, 1)), random.integers(0, 2, (self.n, self.length - 1))
        tokens = (np.concatenate([first, steps], 1).cumsum(1) % 4 + 1).astype(np.uint16)
        every = TokenDataset(tokens, Vocabulary(tuple(LETTERS)))
        return Split(every.take(slice(0, 160)), every.take(slice(200, None)), every.take(slice(160, 200)))


class Writer(nn.Module):
    """Logits of the next token; the output layer is the embedding."""

    def __init__(self, vocabulary: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.cell = nn.GRUCell(width, width)
        self.output = nn.Linear(width, vocabulary, bias=False)
        self.output.weight = self.embedding.weight

    def forward(self, token: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """A token as one-hot [N, V], the state [N, H] -> logits [N, V], the state."""
        state = self.cell(token @ self.embedding.weight, state)
        return self.output(state), state

    def begin(self, n: int) -> tuple[Tensor, Tensor]:
        weight = self.embedding.weight
        token = F.one_hot(torch.zeros(n, dtype=torch.int64, device=weight.device), len(weight)).to(weight.dtype)
        return token, weight.new_zeros(n, weight.shape[1])


class TokenCritic(nn.Module):
    """Logits [N, L] of soft lines [N, L, V]."""

    def __init__(self, vocabulary: int, width: int) -> None:
        super().__init__()
        self.first, self.last = nn.Conv1d(vocabulary, width, 3, padding=1), nn.Conv1d(width, 1, 1)

    def forward(self, lines: Tensor) -> Tensor:
        out: Tensor = self.last(F.leaky_relu(self.first(lines.transpose(1, 2)), 0.2)).flatten(1)
        return out.float()


class LineCritic(TokenCritic):
    """Logits [N]."""

    def forward(self, lines: Tensor) -> Tensor:
        return super().forward(lines).mean(1)


class Write(Task):
    """Lines of text."""

    name = "toy-write"
    accepts: ClassVar[type[Spec]] = Tokens
    asks: ClassVar[type[Ask]] = FromSeeds
    quick: ClassVar[tuple[str, ...]] = ("toy-unique",)
    headline: ClassVar[str] = "toy-unique"
    width: int = Field(12, ge=1)

    def nets(self, spec: Spec) -> dict[str, nn.Module]:
        assert isinstance(spec, Tokens)
        v = spec.vocabulary
        return {"G": Writer(v, self.width), "D": TokenCritic(v, self.width), "D_line": LineCritic(v, self.width)}

    def phases(self, nets: Nets) -> Sequence[Phase]:
        return [
            Phase("MLE", ("G",), self._likelihood),
            Phase("D", ("D",), lambda ctx: self._critic(ctx, "D"), new_batch=False),
            Phase("D_line", ("D_line",), lambda ctx: self._critic(ctx, "D_line"), new_batch=False),
            Phase("G", ("G",), self._writer, new_batch=False),
        ]

    def _real(self, ctx: Context) -> Tensor:
        spec = ctx.spec
        assert isinstance(spec, Tokens)
        return F.one_hot(ctx.batch["tokens"], spec.vocabulary).to(ctx.dtype)

    def _fake(self, ctx: Context) -> Tensor:
        """Soft lines [N, L, V], one-hot forward, soft backward."""
        spec, net = ctx.spec, ctx.nets["G"]
        assert isinstance(spec, Tokens) and isinstance(net, Writer)  # noqa: PT018
        normal = ctx.noise(spec.length * spec.vocabulary).float().reshape(-1, spec.length, spec.vocabulary)
        uniform = (torch.erf(normal / sqrt(2)) / 2 + 0.5).clamp(1e-6, 1 - 1e-6)
        gumbel = -(-uniform.log()).log()
        token, state = net.begin(ctx.batch.n)
        out = []
        for i in range(spec.length):
            logits, state = net(token, state)
            soft = (logits.float() + gumbel[:, i]).softmax(1)
            hard = F.one_hot(soft.argmax(1), spec.vocabulary).float()
            token = (hard - soft.detach() + soft).to(ctx.dtype)
            out.append(token)
        return torch.stack(out, 1)

    def _likelihood(self, ctx: Context) -> tuple[Tensor, Logs]:
        real, net, tokens = self._real(ctx), ctx.nets["G"], ctx.batch["tokens"]
        assert isinstance(net, Writer)
        token, state = net.begin(ctx.batch.n)
        losses = []
        for i in range(real.shape[1]):
            logits, state = net(token, state)
            losses.append(F.cross_entropy(logits.float(), tokens[:, i], reduction="none"))
            token = real[:, i]
        return torch.stack(losses, 1).mean(1), {}

    def _critic(self, ctx: Context, name: str) -> tuple[Tensor, Logs]:
        with torch.no_grad():
            fake = self._fake(ctx)
        net: Critic = ctx.nets[name]
        inputs = PenaltyInputs(net, self._real(ctx), fake, ctx.random, ctx.memory, ctx.tick)
        return critic_loss(inputs, hinge(), (), True, name)

    def _writer(self, ctx: Context) -> tuple[Tensor, Logs]:
        fake = self._fake(ctx)
        terms = [generator_loss(ctx.nets[n], hinge(), fake, fake, True) for n in ("D", "D_line")]
        return terms[0] + terms[1], {}

    def critics(self, ctx: Context) -> dict[str, tuple[Tensor, Tensor]]:
        real, fake = self._real(ctx), self._fake(ctx)
        return {name: (ctx.nets[name](real), ctx.nets[name](fake)) for name in ("D", "D_line")}

    def generate(self, nets: Nets, ask: Ask, spec: Spec) -> TextSamples:
        assert isinstance(ask, FromSeeds) and isinstance(spec, Tokens)  # noqa: PT018
        net = nets["G"]
        assert isinstance(net, Writer)
        random = torch.stack([torch.rand(spec.length, generator=generator("sample", seed)) for seed in ask.seeds])
        token, state = net.begin(len(ask))
        tokens = []
        for i in range(spec.length):
            logits, state = net(token, state)
            at = (logits.softmax(1).cumsum(1) < random[:, i, None]).sum(1).clamp_max(spec.vocabulary - 1)
            tokens.append(at)
            token = F.one_hot(at, spec.vocabulary).to(token.dtype)
        rows = torch.stack(tokens, 1).tolist()
        return TextSamples(tuple("".join(LETTERS[t] for t in row).rstrip() for row in rows))

    def preview(self, spec: Spec, data: Dataset, n: int) -> Ask:
        return FromSeeds(seeds=tuple(range(min(n, 20))))

    def evaluation(self, spec: Spec, data: Dataset, n: int, seed: int) -> Ask:
        return FromSeeds(seeds=tuple(range(seed, seed + n)))


def hinge() -> Loss:
    return cast("Loss", build("loss", "hinge"))


class Unique(Metric):
    """The share of lines that are not written twice."""

    name = "toy-unique"
    accepts: ClassVar[type[Samples]] = TextSamples
    reference: ClassVar[Literal["real", "paired", "none"]] = "none"
    gives: ClassVar[tuple[str, ...]] = ("toy-unique",)
    space: ClassVar[str] = "lines"

    def compute(self, inputs: Inputs) -> dict[str, Score]:
        lines = [line for chunk in inputs.fake.chunks() for line in chunk.lines]
        share = len(set(lines)) / len(lines)
        return {"toy-unique": Score(share, "share of lines that are not written twice", "higher")}
