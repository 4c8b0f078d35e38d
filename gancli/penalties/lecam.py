"""LeCam regularization, for small data sets (2104.03310, equation 3).

    E[(D(x) - a_F)^2] + E[(D(G(z)) - a_R)^2]

where a_R and a_F are exponential moving averages of the logits of reals and fakes.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from gancli.core import sharding
from gancli.core.contracts import Memory, Penalty, PenaltyInputs


class LeCam(Penalty):
    name = "lecam"
    weight: float = Field(0.01, ge=0, description="lambda")
    decay: float = Field(0.99, ge=0, lt=1, description="decay of the moving averages, per turn of D")

    def memory(self) -> Memory:
        return {"lecam_real": torch.zeros(()), "lecam_fake": torch.zeros(())}

    def loss(self, inputs: PenaltyInputs) -> Tensor:
        on_real, on_fake = inputs.both_logits()
        real, fake = inputs.memory["lecam_real"], inputs.memory["lecam_fake"]
        with torch.no_grad():
            rate = (1 - self.decay) * sharding.fraction()
            real.lerp_(sharding.mean_over_ranks(on_real.detach().mean()), rate)
            fake.lerp_(sharding.mean_over_ranks(on_fake.detach().mean()), rate)
        return (on_real - fake.clone()).square() + (on_fake - real.clone()).square()
