"""A residual energy-based model of text (2004.11714): a frozen language model, and a discriminator that resamples its lines.

    p(x) = p_LM(x) exp(D(x)) / Z

Stage 1 trains the language model G by maximum likelihood. Stage 2 freezes it and trains D by noise-contrastive estimation
(equation 5): reals against lines of G,

    L_D = softplus(-D(x)) + softplus(D(x')),    x' ~ p_LM

A sample is one of `candidates` lines of G, drawn with probabilities proportional to exp(D): importance resampling (section 3.3).
With one candidate it is a line of the language model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self, cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.core.contracts import Logs, Nets
from gancli.core.data import Spec
from gancli.core.exportable import Draw, Exportable
from gancli.core.samples import Ask
from gancli.core.seeds import generator
from gancli.core.specs import Tokens
from gancli.core.task import Context, Phase
from gancli.core.text import TextSamples
from gancli.data.tokens import UNKNOWN
from gancli.models.line_writer import LineWriter
from gancli.models.lstm import LanguageModel, written
from gancli.models.text_critics import ConvCritic
from gancli.tasks.line_export import exportable
from gancli.tasks.writing import Recurrent, prompt_of, write


class TextResidual(Recurrent):
    name = "text-residual"
    ema: ClassVar[tuple[str, ...]] = ("G", "D")
    quick: ClassVar[tuple[str, ...]] = ("lm-score", "lines")
    headline: ClassVar[str] = "reverse-lm-score"
    pretrain: float = Field(0.6, gt=0, lt=1, description="fraction of the training lines for the language model")
    stage: int | None = Field(None, ge=0, description="training lines of stage 1; default: by `pretrain`")
    candidates: int = Field(16, ge=1, le=256, description="lines of the language model of which one is chosen")
    states: bool = Field(False, description="whether D reads the states of the language model at each token, too")
    filters: int = Field(128, ge=1, le=8192, description="convolutions of D of each width")
    critic_embedding: int = Field(64, ge=1, le=8192, description="width of D's embedding of tokens")
    critic_dropout: float = Field(0.3, ge=0, lt=1, description="dropout before D's last layer")

    def resolved(self, images: int, spec: Spec) -> Self:  # noqa: ARG002
        return self if self.stage is not None else self.replace(stage=round(images * self.pretrain))

    def nets(self, spec: Spec) -> dict[str, nn.Module]:
        assert isinstance(spec, Tokens)
        classes = self.choices(spec).classes
        own = self.width if self.states else 0
        critic = ConvCritic(
            spec.vocabulary, classes, self.critic_embedding, self.filters, self.critic_dropout, states=own
        )
        return {"G": self.language_model(spec), "D": critic}

    def phases(self, nets: Nets) -> Sequence[Phase]:  # noqa: ARG002
        stage = self.stage or 0
        first = [Phase("G", ("G",), self.mle, end=stage)] if stage else []  # an end of 0 would be none
        return [*first, Phase("D", ("D",), self._contrast, begin=stage)]

    def _logits(self, ctx: Context) -> tuple[Tensor, Tensor]:
        label = self.label(ctx.batch.get("label"), ctx.spec)
        real, fake = ctx.batch["tokens"], self.written(ctx)
        both = energies(ctx.nets, torch.cat([real, fake]), None if label is None else label.repeat(2), ctx.spec)
        return both[: len(real)], both[len(real) :]

    def _contrast(self, ctx: Context) -> tuple[Tensor, Logs]:
        real, fake = self._logits(ctx)
        return F.softplus(-real) + F.softplus(fake), {"logit/D/real": real.detach(), "logit/D/fake": fake.detach()}

    def critics(self, ctx: Context) -> dict[str, tuple[Tensor, Tensor]]:
        return {"D": self._logits(ctx)} if ctx.tick.images > (self.stage or 0) else {}

    def generate(self, nets: Nets, ask: Ask, spec: Spec) -> TextSamples:
        asked, k = self.request(ask, spec), self.candidates
        assert isinstance(spec, Tokens)
        label = self.labels_of(asked, spec)
        many = None if label is None else label.repeat_interleave(k)
        rows = [_candidates(seed, k, spec.length) for seed in asked.seeds]
        uniform, choice = torch.cat([r[:, :-1] for r in rows]), torch.stack([r[0, -1] for r in rows])
        tokens = write(cast("LanguageModel", nets["G"]), uniform, many, prompt_of(asked, spec), asked)
        if k > 1:
            with torch.no_grad():
                tokens = resampled(tokens, energies(nets, tokens, many, spec), choice)
        return self.samples(tokens, asked, spec)

    def exportable(self, nets: Nets, spec: Spec) -> Exportable:
        assert isinstance(spec, Tokens)
        module = _Resampled(nets, self.candidates, spec)
        draws = {"uniform": Draw(("sample", None), self.candidates * (spec.length + 1), unit=True)}
        return exportable(module, draws, self.choices(spec).classes, spec)


class _Resampled(nn.Module):
    """The lines of a request, for export: see `models.line_writer.LineWriter`; `uniform` is [N, k (L + 1)]."""

    def __init__(self, nets: Nets, k: int, spec: Tokens) -> None:
        super().__init__()
        self.writer, self.critic = LineWriter(cast("LanguageModel", nets["G"]), UNKNOWN), nets["D"]
        self.k, self.spec = k, spec

    def forward(self, uniform: Tensor, temperature: Tensor, prompt: Tensor, label: Tensor | None = None) -> Tensor:
        k, rows = self.k, uniform.view(uniform.shape[0], self.k, -1)
        many = [x if x is None else x.repeat_interleave(k, 0) for x in (temperature, prompt, label)]
        tokens = self.writer(rows[:, :, :-1].flatten(0, 1), *many)
        return resampled(
            tokens, energies({"G": self.writer.net, "D": self.critic}, tokens, many[2], self.spec), rows[:, 0, -1]
        )


def resampled(tokens: Tensor, logits: Tensor, choice: Tensor) -> Tensor:
    """Importance resampling: one of k lines, with chances proportional to exp(D).

    Args:
        tokens: of all candidates, int64 [N k, L].
        logits: D's, [N k].
        choice: uniform numbers in [0, 1), float64 [N].

    Returns:
        int64 [N, L].
    """
    n, length = choice.shape[0], tokens.shape[1]
    logits = logits.view(n, -1).double()
    chances = (logits - logits.amax(1, keepdim=True)).exp().cumsum(1)
    at = (chances <= choice[:, None].to(chances.device) * chances[:, -1:]).sum(1).clamp_max(chances.shape[1] - 1)
    return tokens.view(n, -1, length).gather(1, at[:, None, None].expand(-1, 1, length))[:, 0]


def energies(nets: Nets, tokens: Tensor, label: Tensor | None, spec: Spec) -> Tensor:
    """D's logits float32 [N] of lines int64 [N, L]."""
    assert isinstance(spec, Tokens)
    net, lm = nets["D"], cast("LanguageModel", nets["G"])
    weight = next(net.parameters())
    tokens = tokens.to(weight.device)
    label = None if label is None else label.to(weight.device)
    lines = F.one_hot(tokens, spec.vocabulary).to(weight.dtype)
    with torch.no_grad():
        states = lm.states(tokens, label) if getattr(net, "states", None) is not None else None
    logits: Tensor = net(lines, written(tokens), label, states)
    return logits


def _candidates(seed: int, k: int, length: int) -> Tensor:
    """Uniform numbers float64 [k, L + 1] of a seed: for the tokens of each candidate, and for the choice."""
    return torch.rand(k, length + 1, generator=generator("sample", seed), dtype=torch.float64)
