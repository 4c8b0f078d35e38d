"""What tasks that write lines of text have in common: the language model, sampling from seeds, previews, likelihoods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, cast

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from gancli.core import sharding
from gancli.core.contracts import Logs, Nets
from gancli.core.data import Dataset, Spec
from gancli.core.errors import UsageError
from gancli.core.exportable import Draw, Exportable
from gancli.core.registry import nearest
from gancli.core.samples import Ask, FromPrompt
from gancli.core.seeds import generator
from gancli.core.specs import Tokens
from gancli.core.task import Choices, Context, Task
from gancli.core.text import TextSamples
from gancli.data.tokens import UNKNOWN, Vocabulary
from gancli.models.line_writer import LineWriter
from gancli.models.lstm import LanguageModel, shortened, written
from gancli.tasks.line_export import exportable, vocabulary_of
from gancli.tasks.sampling import class_rows, labels_like

LINES = 20  # of a preview


class Writing(Task):
    """A task whose samples are lines of text."""

    accepts: ClassVar[type[Spec]] = Tokens
    asks: ClassVar[type[Ask]] = FromPrompt
    tradeoff: ClassVar[tuple[str, ...]] = ("lm-score", "reverse-lm-score", "fed")
    promises: ClassVar[tuple[tuple[int, str], ...]] = (
        (0, "letters in the right proportions"),
        (300, "lines of the right length, with parts of words"),
        (3_000, "words, mostly"),
        (20_000, "about what the preset can do"),
    )
    conditional: bool = Field(True, description="whether the nets are conditional on the labels, if there are any")

    def choices(self, spec: Spec) -> Choices:
        assert isinstance(spec, Tokens)
        return Choices(spec.classes if self.conditional and spec.classes > 1 else 0)

    def label(self, known: Tensor | None, spec: Spec) -> Tensor | None:
        """The labels [N] of a batch, if the nets are conditional."""
        return known if self.choices(spec).classes else None

    def preview(self, spec: Spec, data: Dataset, n: int) -> Ask:  # noqa: ARG002
        seeds = range(min(n, LINES))
        return FromPrompt(seeds=tuple(seeds), labels=class_rows(self.choices(spec), seeds, 4))

    def evaluation(self, spec: Spec, data: Dataset, n: int, seed: int) -> Ask:
        labels, _ = labels_like(self.choices(spec), data.samples(), n)
        return FromPrompt(seeds=tuple(range(seed, seed + n)), labels=labels, unknown=True)

    def request(self, ask: Ask, spec: Spec) -> FromPrompt:
        """The request, checked: text has no truncation. Raises UsageError."""
        assert isinstance(ask, FromPrompt) and isinstance(spec, Tokens)  # noqa: PT018
        if ask.truncation != 1:
            raise UsageError("text has no truncation", "use --temperature: below 1 less variety, more quality")
        return ask

    def labels_of(self, ask: FromPrompt, spec: Spec) -> Tensor | None:
        """The labels [N] of a request, or by the seed; None for an unconditional model."""
        labels = ask.labels if ask.labels is not None else class_rows(self.choices(spec), ask.seeds, 1)
        return None if labels is None or not self.choices(spec).classes else torch.tensor(labels)

    def samples(self, tokens: Tensor, ask: FromPrompt, spec: Spec) -> TextSamples:
        """Lines of tokens [N, L]; what follows the first 0 does not count."""
        assert isinstance(spec, Tokens)
        kept = (tokens * (tokens > 0).cumprod(1)).cpu().numpy()
        labels = None if ask.labels is None else np.array(ask.labels, np.int64)
        return TextSamples(vocabulary_of(spec).decode(kept), labels, bool(spec.separator))


class Recurrent(Writing):
    """A task whose lines come from a language model G, token by token."""

    ema: ClassVar[tuple[str, ...]] = ("G",)
    embedding: int = Field(64, ge=1, le=8192, description="width of the embedding of tokens")
    width: int = Field(256, ge=1, le=8192, description="width of the LSTM")
    layers: int = Field(1, ge=1, le=16, description="layers of the LSTM")
    dropout: float = Field(0.2, ge=0, lt=1, description="dropout of embeddings and outputs while training")
    tied: bool | None = Field(
        None, description="whether the output layer is the embedding; default: for more than 1,000 tokens"
    )

    def language_model(self, spec: Spec, dropout: float | None = None) -> LanguageModel:
        """A language model with the options of the task."""
        assert isinstance(spec, Tokens)
        tied = spec.vocabulary > 1000 if self.tied is None else self.tied
        p = self.dropout if dropout is None else dropout
        classes = self.choices(spec).classes
        return LanguageModel(spec.vocabulary, classes, self.embedding, self.width, self.layers, p, tied)

    def generate(self, nets: Nets, ask: Ask, spec: Spec) -> TextSamples:
        asked = self.request(ask, spec)
        assert isinstance(spec, Tokens)
        net = cast("LanguageModel", nets["G"])
        uniform = uniforms(asked.seeds, spec.length)
        tokens = write(net, uniform, self.labels_of(asked, spec), prompt_of(asked, spec), asked)
        return self.samples(tokens, asked, spec)

    def exportable(self, nets: Nets, spec: Spec) -> Exportable:
        assert isinstance(spec, Tokens)
        writer = LineWriter(cast("LanguageModel", nets["G"]), UNKNOWN)
        draws = {"uniform": Draw(("sample", None), spec.length, unit=True)}
        return exportable(writer, draws, self.choices(spec).classes, spec)

    def mle(self, ctx: Context, name: str = "G") -> tuple[Tensor, Logs]:
        """The loss of maximum likelihood of a net, in nats per line."""
        label = self.label(ctx.batch.get("label"), ctx.spec)
        line, token = nll(cast("LanguageModel", ctx.nets[name]), ctx.batch["tokens"], label)
        return line, {f"nll/{name}": token}

    def written(self, ctx: Context) -> Tensor:
        """Lines int64 [N, L] that G writes in training, with the labels of the batch; the same for all phases of a step."""
        fake: Tensor | None = ctx.cache.get("written")
        if fake is None:
            uniform = sharding.rand(ctx.batch.n, ctx.batch["tokens"].shape[1], random=ctx.random).double()
            label = self.label(ctx.batch.get("label"), ctx.spec)
            net = cast("LanguageModel", ctx.nets["G"])
            fake = ctx.cache["written"] = write(net, uniform, label, [], FromPrompt(seeds=(0,), unknown=True))
        return fake


class Autoregressive(Recurrent):
    """A recurrent task whose samples are those of G, so that lines have a likelihood."""

    def likelihood(self, nets: Nets, tokens: Tensor, labels: Tensor | None, spec: Spec) -> Tensor:
        """The log-likelihood of lines.

        Args:
            nets: in evaluation mode.
            tokens: int64 [N, L].
            labels: int64 [N], or None.
            spec: of the data.

        Returns:
            Of each line, in nats, float32 [N]; the end of a line counts.
        """
        net = cast("LanguageModel", nets["G"])
        place = net.embedding.weight.device
        tokens, label = shortened(tokens.to(place)), self.label(labels, spec)
        return net.log_likelihood(tokens, None if label is None else label.to(place)).sum(1)


def nll(net: LanguageModel, tokens: Tensor, label: Tensor | None) -> tuple[Tensor, Tensor]:
    """The loss of maximum likelihood.

    Args:
        net: in training.
        tokens: int64 [N, L].
        label: int64 [N], or None.

    Returns:
        In nats per line [N], and per token [N].
    """
    total = -net.log_likelihood(tokens, label).sum(1)
    return total, (total / written(tokens).sum(1)).detach()


def uniforms(seeds: Sequence[int], length: int) -> Tensor:
    """Uniform numbers float64 [N, length] for the tokens of lines, each row from its own seed."""
    drawn = [torch.rand(length, generator=generator("sample", seed), dtype=torch.float64) for seed in seeds]
    return torch.stack(drawn)


def prompt_of(ask: FromPrompt, spec: Tokens) -> list[int]:
    """The tokens of a request's prompt.

    Raises:
        UsageError: it is too long, or has units that the vocabulary does not contain.
    """
    vocabulary = Vocabulary(spec.words, spec.separator)
    units = vocabulary.units(ask.prompt)
    missing = [unit for unit in units if unit not in vocabulary.numbers]
    if missing:
        what = "words" if spec.separator else "characters"
        known = nearest(missing[0], spec.words[2:]) if spec.separator else f"among others: {' '.join(spec.words[2:40])}"
        raise UsageError(
            f"--prompt: the training lines do not contain the {what} {', '.join(map(repr, missing[:5]))}", known
        )
    if len(units) >= spec.length:
        raise UsageError(f"--prompt has {len(units)} units, and lines have at most {spec.length - 1}", "shorten it")
    return [vocabulary.numbers[unit] for unit in units]


@torch.no_grad()
def write(net: LanguageModel, uniform: Tensor, label: Tensor | None, prompt: Sequence[int], ask: FromPrompt) -> Tensor:
    """Write lines token by token, by inversion of the cumulative distribution.

    Args:
        net: in evaluation mode.
        uniform: [N, L], one number per token.
        label: int64 [N], or None.
        prompt: tokens that all lines begin with.
        ask: temperature, and whether unknown units may be written.

    Returns:
        int64 [N, L]; 0 from the end of a line on.
    """
    n, length = uniform.shape
    device = net.embedding.weight.device
    uniform = uniform.to(device)
    label = None if label is None else label.to(device)
    token, state = torch.zeros(n, dtype=torch.int64, device=device), net.lstm.begin(n)
    out = torch.zeros(n, length, dtype=torch.int64, device=device)
    alive = torch.ones(n, dtype=torch.bool, device=device)
    for i in range(length):
        logits, state = net.step(token, state, label)
        if i < len(prompt):
            token = torch.full_like(token, prompt[i])
        else:
            token = pick(logits, uniform[:, i], ask) * alive
            alive = alive & (token > 0)
        out[:, i] = token
        if device.type == "cpu" and not bool(alive.any()):
            break
    return out


def pick(logits: Tensor, uniform: Tensor, ask: FromPrompt) -> Tensor:
    """Draw a token for each row.

    Args:
        logits: [N, vocabulary].
        uniform: in [0, 1), [N].
        ask: temperature, and whether the unknown token may be drawn.

    Returns:
        int64 [N].
    """
    scaled = logits.double() / ask.temperature
    if not ask.unknown:
        scaled[:, UNKNOWN] = -torch.inf
    chances = scaled.softmax(1).cumsum(1)
    found = torch.searchsorted(chances, uniform[:, None] * chances[:, -1:], right=True)
    return found[:, 0].clamp_max(logits.shape[1] - 1)
