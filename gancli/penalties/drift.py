"""Drift penalty of progressive growing (1710.10196, appendix A.1): E[D(x)^2], keeps the logits of reals near zero."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from gancli.core.contracts import Penalty, PenaltyInputs


class Drift(Penalty):
    name = "drift"
    weight: float = Field(1e-3, ge=0, description="epsilon")

    def loss(self, inputs: PenaltyInputs) -> Tensor:
        return inputs.both_logits()[0].square()
