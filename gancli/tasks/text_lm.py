"""A language model of lines, trained by maximum likelihood: the baseline of every GAN of text (1811.02549).

L = - sum_t log p(x_t | x_1, ..., x_t-1, y)        in nats per line, the end of the line included
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from gancli.core.contracts import Nets
from gancli.core.data import Spec
from gancli.core.task import Context, Phase
from gancli.tasks.writing import Autoregressive


class TextLM(Autoregressive):
    name = "text-lm"
    is_default: ClassVar[bool] = True
    quick: ClassVar[tuple[str, ...]] = ("nll", "lines")
    headline: ClassVar[str] = "nll"

    def nets(self, spec: Spec) -> dict[str, nn.Module]:
        return {"G": self.language_model(spec)}

    def phases(self, nets: Nets) -> Sequence[Phase]:  # noqa: ARG002
        return [Phase("G", ("G",), self.mle)]

    def critics(self, ctx: Context) -> dict[str, tuple[Tensor, Tensor]]:  # noqa: ARG002
        return {}
