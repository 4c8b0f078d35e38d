"""WGAN-GP of lines of characters, written at once without recurrence (1704.00028, section 5.3).

    L_D = D(G(z)) - D(x) + 10 (|grad D| - 1)^2        L_G = - D(G(z))

G's outputs are softmax weights of tokens, reals are one-hot. A sample is the most likely token at each place, up to the first end
of a line. `temperature` multiplies z: below 1 lines are nearer to the mean of the noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.core.contracts import Logs, Nets, PenaltyInputs
from gancli.core.data import Spec
from gancli.core.errors import UsageError
from gancli.core.exportable import Draw, Exportable
from gancli.core.registry import of_kind
from gancli.core.samples import Ask
from gancli.core.seeds import generator
from gancli.core.specs import Tokens
from gancli.core.task import Context, Phase
from gancli.core.text import TextSamples
from gancli.data.tokens import UNKNOWN
from gancli.losses.adversarial import critic_loss, generator_loss
from gancli.models.text_resnet import LineCritic, LineGenerator
from gancli.tasks.line_export import exportable
from gancli.tasks.writing import Writing

if TYPE_CHECKING:
    from gancli.core.contracts import Loss, Penalty
else:
    from gancli.core.registry import Part

    Loss = Annotated[Part, *of_kind("loss")]
    Penalty = Annotated[Part, *of_kind("penalty")]


class TextWGAN(Writing):
    name = "text-wgan-gp"
    ema: ClassVar[tuple[str, ...]] = ("G",)
    quick: ClassVar[tuple[str, ...]] = ("lm-score", "lines")
    headline: ClassVar[str] = "reverse-lm-score"
    z: int = Field(128, ge=1, le=8192, description="width of the noise")
    width: int = Field(128, ge=1, le=4096, description="channels of G and D")
    blocks: int = Field(5, ge=1, le=64, description="residual blocks of G and of D")
    n_critic: int = Field(5, ge=1, description="steps of D per step of G")
    loss: Loss = Field("wasserstein", validate_default=True, description="the adversarial loss")
    penalty: Penalty = Field("gp", validate_default=True, description="regularization of D")

    def nets(self, spec: Spec) -> dict[str, nn.Module]:
        assert isinstance(spec, Tokens)
        classes, v = self.choices(spec).classes, spec.vocabulary
        g = LineGenerator(self.z, classes, self.width, spec.length, v, self.blocks)
        return {"G": g, "D": LineCritic(classes, self.width, spec.length, v, self.blocks)}

    def phases(self, nets: Nets) -> Sequence[Phase]:  # noqa: ARG002
        return [
            Phase("D", ("D",), self._d_loss, repeat=self.n_critic),
            Phase("G", ("G",), self._g_loss, new_batch=False),
        ]

    def _label(self, ctx: Context) -> Tensor | None:
        """One-hot labels [N, classes] of the batch, if the nets are conditional."""
        label = self.label(ctx.batch.get("label"), ctx.spec)
        return None if label is None else F.one_hot(label, self.choices(ctx.spec).classes).to(ctx.dtype)

    def _fake(self, ctx: Context) -> Tensor:
        c, z = self._label(ctx), ctx.noise(self.z)
        made: Tensor = ctx.nets["G"](z if c is None else torch.cat([z, c], 1)).softmax(2)
        return made

    def _inputs(self, ctx: Context, fake: Tensor) -> PenaltyInputs:
        assert isinstance(ctx.spec, Tokens)
        real = F.one_hot(ctx.batch["tokens"], ctx.spec.vocabulary).to(ctx.dtype)
        c = self._label(ctx)

        def critic(x: Tensor) -> Tensor:
            label = None if c is None else c.repeat(len(x) // len(c), 1)
            logits: Tensor = ctx.nets["D"](x, label)
            return logits

        return PenaltyInputs(critic, real, fake, ctx.random, ctx.memory, ctx.tick)

    def _d_loss(self, ctx: Context) -> tuple[Tensor, Logs]:
        with torch.no_grad():
            fake = self._fake(ctx)
        return critic_loss(self._inputs(ctx, fake), self.loss, (self.penalty,), True)

    def _g_loss(self, ctx: Context) -> tuple[Tensor, Logs]:
        inputs = self._inputs(ctx, self._fake(ctx))
        return generator_loss(inputs.critic, self.loss, inputs.real, inputs.fake, True), {}

    def critics(self, ctx: Context) -> dict[str, tuple[Tensor, Tensor]]:
        inputs = self._inputs(ctx, self._fake(ctx))
        return {"D": (inputs.critic(inputs.real), inputs.critic(inputs.fake))}

    def generate(self, nets: Nets, ask: Ask, spec: Spec) -> TextSamples:
        asked = self.request(ask, spec)
        if asked.prompt:
            raise UsageError(
                "this model writes whole lines at once: there is no --prompt", "train with --preset text-lm"
            )
        noise = [torch.randn(self.z, generator=generator("sample", seed)) for seed in asked.seeds]
        device = next(nets["G"].parameters()).device
        z, label = torch.stack(noise).to(device) * asked.temperature, self.labels_of(asked, spec)
        with torch.no_grad():
            tokens = most_likely(nets["G"], z, label, self.choices(spec).classes, asked.unknown)
        return self.samples(tokens, asked, spec)

    def exportable(self, nets: Nets, spec: Spec) -> Exportable:
        assert isinstance(spec, Tokens)
        classes, draws = self.choices(spec).classes, {"z": Draw(("sample", None), self.z)}
        return exportable(_Lines(nets["G"], classes), draws, classes, spec, prompted=False)


class _Lines(nn.Module):
    """The lines of a request, for export; what follows the end of a line is 0."""

    def __init__(self, net: nn.Module, classes: int) -> None:
        super().__init__()
        self.net, self.classes = net, classes

    def forward(self, z: Tensor, temperature: Tensor, label: Tensor | None = None) -> Tensor:
        tokens = most_likely(self.net, z * temperature[:, None].float(), label, self.classes)
        return tokens * ((tokens == 0).cumsum(1) == 0)


def most_likely(net: nn.Module, z: Tensor, label: Tensor | None, classes: int, unknown: bool = False) -> Tensor:
    """The most likely token at each place.

    Args:
        net: G.
        z: [N, z], multiplied by the temperature.
        label: int64 [N], of a conditional model.
        classes: of labels.
        unknown: whether the unknown token may be written.

    Returns:
        int64 [N, L].
    """
    logits: Tensor = net(z if label is None else torch.cat([z, F.one_hot(label, classes).to(z)], 1))
    banned = torch.arange(logits.shape[2], device=logits.device) == UNKNOWN
    return (logits if unknown else logits.masked_fill(banned, -torch.inf)).argmax(2)
