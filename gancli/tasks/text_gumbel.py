"""A recurrent generator of text trained through Gumbel-softmax samples (1611.01144), after RelGAN (Nie et al. 2019).

Stage 1 trains a language model LM by maximum likelihood, which G copies. In stage 2, G's next token is y = softmax(beta (logits + g))
with Gumbel noise g; forward, the one-hot token of its maximum is used (straight-through). The inverse temperature grows exponentially
(section 2.2 of RelGAN):

    beta = beta_max^progress        progress: 0 to 1 over stage 2

The loss is relativistic. D reads several embeddings of a line, with a logit each; the losses are averaged over them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Self, cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.core import sharding
from gancli.core.contracts import Logs, Nets, PenaltyInputs
from gancli.core.data import Spec
from gancli.core.registry import of_kind
from gancli.core.specs import Tokens
from gancli.core.task import Context, Phase
from gancli.losses.adversarial import critic_loss, generator_loss
from gancli.models.lstm import LanguageModel, written
from gancli.models.text_critics import ConvCritic
from gancli.tasks.writing import Autoregressive

if TYPE_CHECKING:
    from gancli.core.contracts import Loss
else:
    from gancli.core.registry import Part

    Loss = Annotated[Part, *of_kind("loss")]


class TextGumbel(Autoregressive):
    name = "text-gumbel"
    ema: ClassVar[tuple[str, ...]] = ("LM", "G")
    quick: ClassVar[tuple[str, ...]] = ("nll", "lm-score", "lines")
    headline: ClassVar[str] = "reverse-lm-score"
    pretrain: float = Field(0.6, ge=0, lt=1, description="fraction of the training lines for maximum likelihood")
    stage: int | None = Field(None, ge=0, description="training lines of stage 1; default: by `pretrain`")
    total: int | None = Field(None, ge=1, description="training lines at which beta is `beta`; default: all")
    beta: float = Field(100.0, ge=1, description="largest inverse temperature of the Gumbel-softmax")
    n_critic: int = Field(1, ge=1, description="steps of D per step of G")
    loss: Loss = Field("rpgan", validate_default=True, description="the adversarial loss")
    representations: int = Field(8, ge=1, le=64, description="embeddings of a line that D reads")
    filters: int = Field(64, ge=1, le=8192, description="convolutions of D of each width")
    critic_embedding: int = Field(64, ge=1, le=8192, description="width of D's embeddings together")
    critic_dropout: float = Field(0.25, ge=0, lt=1, description="dropout before D's last layer")

    def resolved(self, images: int, spec: Spec) -> Self:  # noqa: ARG002
        stage = round(images * self.pretrain) if self.stage is None else self.stage
        return self.replace(stage=stage, total=self.total or max(images, stage + 1))

    def nets(self, spec: Spec) -> dict[str, nn.Module]:
        assert isinstance(spec, Tokens)
        critic = ConvCritic(
            spec.vocabulary, self.choices(spec).classes, self.critic_embedding, self.filters, self.critic_dropout,
            self.representations,
        )  # fmt: skip
        return {"LM": self.language_model(spec), "G": self.language_model(spec, 0.0), "D": critic}

    def phases(self, nets: Nets) -> Sequence[Phase]:  # noqa: ARG002
        stage = self.stage or 0
        first = [Phase("LM", ("LM",), lambda ctx: self.mle(ctx, "LM"), end=stage, after=_copy)] if stage else []
        return [
            *first,
            Phase("D", ("D",), self._d_loss, repeat=self.n_critic, begin=stage),
            Phase("G", ("G",), self._g_loss, new_batch=False, begin=stage),
        ]

    def inverse_temperature(self, images: int) -> float:
        """beta after so many training lines."""
        stage = self.stage or 0
        progress = (images - stage) / max(1, (self.total or images) - stage)
        return float(self.beta ** min(1.0, max(0.0, progress)))

    def _fake(self, ctx: Context) -> Tensor:
        """Lines [N, L, V], one-hot forward; after the end of a line token 0."""
        net, label = cast("LanguageModel", ctx.nets["G"]), self.label(ctx.batch.get("label"), ctx.spec)
        spec, beta = ctx.spec, self.inverse_temperature(ctx.tick.images)
        assert isinstance(spec, Tokens)
        n, v = ctx.batch.n, spec.vocabulary
        token, state = torch.zeros(n, dtype=torch.int64, device=ctx.device), net.lstm.begin(n)
        end = F.one_hot(token, v).float()
        alive, out = torch.ones(n, 1, device=ctx.device), []
        for _ in range(spec.length):
            logits, state = net.step(token, state, label)
            uniform = sharding.rand(n, v, random=ctx.random).to(ctx.device).clamp(1e-7, 1 - 1e-7)
            soft = (beta * (logits - (-uniform.log()).log())).softmax(1)
            hard = F.one_hot(soft.argmax(1), v).float()
            straight = (hard - soft.detach() + soft) * alive + end * (1 - alive)
            out.append(straight)
            alive = alive * (1 - hard[:, :1])
            token = straight
        return torch.stack(out, 1)

    def _inputs(self, ctx: Context, fake: Tensor) -> PenaltyInputs:
        assert isinstance(ctx.spec, Tokens)
        real = F.one_hot(ctx.batch["tokens"], ctx.spec.vocabulary).float()
        label = self.label(ctx.batch.get("label"), ctx.spec)

        def critic(x: Tensor) -> Tensor:
            y = None if label is None else label.repeat(len(x) // len(label))
            logits: Tensor = ctx.nets["D"](x.to(ctx.dtype), written(x.detach().argmax(2)), y)
            return logits

        return PenaltyInputs(critic, real, fake, ctx.random, ctx.memory, ctx.tick)

    def _d_loss(self, ctx: Context) -> tuple[Tensor, Logs]:
        with torch.no_grad():
            fake = self._fake(ctx)
        return critic_loss(self._inputs(ctx, fake), self.loss, (), True)

    def _g_loss(self, ctx: Context) -> tuple[Tensor, Logs]:
        inputs = self._inputs(ctx, self._fake(ctx))
        loss = generator_loss(inputs.critic, self.loss, inputs.real, inputs.fake, True)
        beta = torch.full((), self.inverse_temperature(ctx.tick.images), device=ctx.device)
        return loss, {"beta/G": beta}

    def critics(self, ctx: Context) -> dict[str, tuple[Tensor, Tensor]]:
        if ctx.tick.images <= (self.stage or 0):
            return {}
        inputs = self._inputs(ctx, self._fake(ctx))
        return {"D": (inputs.critic(inputs.real), inputs.critic(inputs.fake))}


@torch.no_grad()
def _copy(nets: Nets) -> None:
    """G follows LM during stage 1."""
    for mine, theirs in zip(nets["G"].parameters(), nets["LM"].parameters(), strict=True):
        mine.copy_(theirs)
