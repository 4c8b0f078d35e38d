"""Consistency regularization: the critic's logit does not change as its image is mirrored or shifted.

    CR (1910.12027):   E[(D(x) - D(T(x)))^2]
    bCR (2002.04724):  the same of the fakes, too
    zCR (2002.04724):  E[(D(G(z)) - D(G(z')))^2] for D and -E[|G(z) - G(z')|^2] for G, z' = z + sigma e

T mirrors half of the images left to right (if asked) and shifts each by up to `shift` pixels, reflecting at the border.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import pad

from gancli.core import sharding
from gancli.core.contracts import Penalty, PenaltyInputs


def flip_and_shift(x: Tensor, shift: int, flip: bool, random: torch.Generator) -> Tensor:
    """T(x) for images [N, C, H, W]: each shifted by its own whole number of pixels."""
    n, _, h, w = x.shape
    shift = min(shift, h - 1, w - 1)
    if flip:
        coin = sharding.rand(n, 1, 1, 1, random=random).to(x.device) < 0.5
        x = torch.where(coin, x.flip(-1), x)
    offsets = sharding.randint(0, 2 * shift + 1, (2, n), random, dim=1).to(x.device)
    rows = offsets[0][:, None] + torch.arange(h, device=x.device)  # [N, H]
    columns = offsets[1][:, None] + torch.arange(w, device=x.device)  # [N, W]
    wide = pad(x, (shift,) * 4, mode="reflect").movedim(1, 3)
    each = torch.arange(n, device=x.device)[:, None, None]
    return wide[each, rows[:, :, None], columns[:, None, :]].movedim(3, 1)


class Consistency(Penalty):
    """CR (1910.12027): the logit of a real does not change as it is mirrored or shifted."""

    name = "cr"
    transforms: ClassVar[bool] = True
    weight: float = Field(10.0, ge=0, description="lambda of the reals")
    shift: int = Field(4, ge=0, description="pixels")
    flip: bool = Field(False, description="mirror half of the images: not for digits")

    def loss(self, inputs: PenaltyInputs) -> Tensor:
        there = inputs.critic(flip_and_shift(inputs.real, self.shift, self.flip, inputs.random))
        return (inputs.both_logits()[0] - there).square()


class BalancedConsistency(Consistency):
    """bCR (2002.04724): the same of the reals and of the fakes."""

    name = "bcr"
    weight: float = Field(10.0, ge=0, description="lambda of the reals and of the fakes")

    def loss(self, inputs: PenaltyInputs) -> Tensor:
        on_real, on_fake = inputs.both_logits()
        there = inputs.critic(flip_and_shift(inputs.real, self.shift, self.flip, inputs.random))
        made = inputs.critic(flip_and_shift(inputs.fake, self.shift, self.flip, inputs.random))
        return (on_real - there).square() + (on_fake - made).square()


class LatentConsistency(Penalty):
    """zCR (2002.04724): the logits of fakes of nearby z agree, while G makes the fakes differ (on every step, whatever `every` is)."""

    name = "zcr"
    weight: float = Field(5.0, ge=0, description="lambda of D")
    sigma: float = Field(0.05, ge=0, description="how far z' is from z")
    spread: float = Field(0.5, ge=0, description="lambda of G, whose images of z and z' should differ")

    def loss(self, inputs: PenaltyInputs) -> Tensor:
        assert inputs.perturbed is not None
        return (inputs.both_logits()[1] - inputs.critic(inputs.perturbed(self.sigma).detach())).square()

    def generator_loss(self, inputs: PenaltyInputs) -> Tensor | None:
        assert inputs.perturbed is not None
        return -self.spread * (inputs.fake - inputs.perturbed(self.sigma)).flatten(1).float().square().mean(1)
