"""ScratchGAN (1905.09922): a recurrent generator of text trained by REINFORCE alone, without maximum likelihood.

D has a logit for each token, given those before it. With the rewards r_t = 2 sigmoid(D_t) - 1 of the lines that G writes,

    R_t = sum_s>=t gamma^(s - t) r_s        grad = - sum_t (R_t - b) grad log p(x_t | x_<t)        (equations 4 to 6)

where b is an exponentially weighted mean of the returns. D minimizes the cross-entropy, averaged over the tokens of a line.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.core import sharding
from gancli.core.contracts import Logs, Memory, Nets
from gancli.core.data import Spec
from gancli.core.specs import Tokens
from gancli.core.task import Context, Phase
from gancli.models.lstm import LanguageModel, written
from gancli.models.text_critics import StepCritic
from gancli.tasks.writing import Autoregressive


class TextScratch(Autoregressive):
    name = "text-scratchgan"
    quick: ClassVar[tuple[str, ...]] = ("lm-score", "lines")
    headline: ClassVar[str] = "reverse-lm-score"
    gamma: float = Field(0.23, ge=0, le=1, description="discount of later rewards")
    decay: float = Field(0.08, gt=0, le=1, description="weight of a batch in the mean of the returns")
    critic_width: int = Field(256, ge=1, le=8192, description="width of D's LSTM")
    critic_dropout: float = Field(0.1, ge=0, lt=1, description="dropout of D's embedding")

    def nets(self, spec: Spec) -> dict[str, nn.Module]:
        assert isinstance(spec, Tokens)
        classes, v = self.choices(spec).classes, spec.vocabulary
        critic = StepCritic(v, classes, self.embedding, self.critic_width, self.critic_dropout, spec.length)
        return {"G": self.language_model(spec, 0.0), "D": critic}

    def memory(self, spec: Spec) -> Memory:  # noqa: ARG002
        return {"baseline": torch.zeros(())}

    def phases(self, nets: Nets) -> Sequence[Phase]:  # noqa: ARG002
        return [Phase("D", ("D",), self._d_loss), Phase("G", ("G",), self._g_loss, new_batch=False)]

    def _d_loss(self, ctx: Context) -> tuple[Tensor, Logs]:
        label = self.label(ctx.batch.get("label"), ctx.spec)
        real, fake = ctx.batch["tokens"], self.written(ctx)
        both, twice = torch.cat([real, fake]), None if label is None else label.repeat(2)
        logits, mask = ctx.nets["D"](both, twice), written(both)
        sign = torch.ones(len(both), 1, device=logits.device)
        sign[: len(real)] = -1
        loss = (F.softplus(sign * logits) * mask).sum(1) / mask.sum(1)
        means = ((logits * mask).sum(1) / mask.sum(1)).detach()
        n = len(real)
        return loss[:n] + loss[n:], {"logit/D/real": means[:n], "logit/D/fake": means[n:]}

    def _g_loss(self, ctx: Context) -> tuple[Tensor, Logs]:
        label, fake = self.label(ctx.batch.get("label"), ctx.spec), self.written(ctx)
        mask = written(fake)
        with torch.no_grad():
            rewards = (2 * torch.sigmoid(ctx.nets["D"](fake, label)) - 1) * mask
            returns = discounted(rewards, self.gamma)
        baseline = ctx.memory["baseline"]
        advantage = (returns - baseline) * mask
        net = cast("LanguageModel", ctx.nets["G"])
        loss = -(advantage * net.log_likelihood(fake, label, dropped=False)).sum(1)
        mean = sharding.gather_rows("returns", returns.sum(1) / mask.sum(1))
        if mean is not None:
            baseline.lerp_(mean.mean(), self.decay)
        return loss, {"reward/G": (rewards.sum(1) / mask.sum(1))}

    def critics(self, ctx: Context) -> dict[str, tuple[Tensor, Tensor]]:
        label = self.label(ctx.batch.get("label"), ctx.spec)
        out = []
        for tokens in (ctx.batch["tokens"], self.written(ctx)):
            mask = written(tokens)
            out.append((ctx.nets["D"](tokens, label) * mask).sum(1) / mask.sum(1))
        return {"D": (out[0], out[1])}


def discounted(rewards: Tensor, gamma: float) -> Tensor:
    """Returns R_t = sum_s>=t gamma^(s - t) r_s of rewards [N, L]."""
    total, out = torch.zeros_like(rewards[:, 0]), []
    for i in reversed(range(rewards.shape[1])):
        total = rewards[:, i] + gamma * total
        out.append(total)
    return torch.stack(out[::-1], 1)
