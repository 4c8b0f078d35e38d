"""LeCam regularization, for small data sets (2104.03310, equation 3), as in the published code.

    E[relu(D(x) - a_F)^2] + E[relu(a_R - D(G(z)))^2]

where a_R and a_F are exponential moving averages of the mean logits of reals and fakes, of every turn of D. Until `start` steps
they are the current means and the penalty is 0. The paper's equation has no relu, which only matters where a logit is on
the wrong side of the average. The published code starts after 1,000 steps.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import relu

from gancli.core import sharding
from gancli.core.contracts import Memory, Penalty, PenaltyInputs, Tick


class LeCam(Penalty):
    name = "lecam"
    weight: float = Field(0.01, ge=0, description="lambda")
    decay: float = Field(0.99, ge=0, lt=1, description="decay of the moving averages, per turn of D")
    start: int = Field(0, ge=0, description="steps without penalty, in which the averages are the current means")

    def memory(self) -> Memory:
        return {"lecam_real": torch.zeros(()), "lecam_fake": torch.zeros(())}

    def observe(self, on_real: Tensor, on_fake: Tensor, tick: Tick, memory: Memory) -> None:
        rate = 1.0 if tick.step < self.start else (1 - self.decay) * sharding.fraction()
        for key, logits in (("lecam_real", on_real), ("lecam_fake", on_fake)):
            memory[key].lerp_(sharding.mean_over_ranks(logits.float().mean()), rate)

    def weight_at(self, tick: Tick) -> float:
        return 0.0 if tick.step < self.start else self.weight

    def loss(self, inputs: PenaltyInputs) -> Tensor:
        on_real, on_fake = inputs.both_logits()
        real, fake = inputs.memory["lecam_real"].clone(), inputs.memory["lecam_fake"].clone()
        return relu(on_real - fake).square() + relu(real - on_fake).square()
