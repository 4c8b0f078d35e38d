"""Consistency regularization: penalizes changes of the critic's logit under image transforms T or latent perturbations.

    CR (1910.12027):   E[(D(x) - D(T(x)))^2]
    bCR (2002.04724):  CR + E[(D(G(z)) - D(T(G(z))))^2]
    zCR (2002.04724):  E[(D(G(z)) - D(G(z')))^2] for D and -E[|G(z) - G(z')|^2] for G, z' = z + sigma e, e ~ N(0, I)

zCR's distance of images is the mean over pixels, so that `spread` does not depend on the image size.
T shifts each image by up to `shift` pixels with reflection padding and, with `flip`, flips half of the images horizontally.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import pad

from gancli.core import sharding
from gancli.core.contracts import Penalty, PenaltyInputs
from gancli.core.images import crop_each


def flip_and_shift(x: Tensor, shift: int, flip: bool, random: torch.Generator) -> Tensor:
    """T(x): flip half of the images (if `flip`) and shift each by its own integer number of pixels.

    Args:
        x: images [N, C, H, W].
        shift: largest shift in each direction.
        flip: whether to flip.
        random: generator of this turn.

    Returns:
        [N, C, H, W].
    """
    n, _, h, w = x.shape
    shift = min(shift, h - 1, w - 1)
    if flip:
        flipped = sharding.rand(n, 1, 1, 1, random=random).to(x.device) < 0.5
        x = torch.where(flipped, x.flip(-1), x)
    top, left = sharding.randint(0, 2 * shift + 1, (2, n), random, dim=1).to(x.device)
    return crop_each(pad(x, (shift,) * 4, mode="reflect"), top, left, h, w)


class Consistency(Penalty):
    """CR (1910.12027): squared change of the logits of reals under random shifts and flips."""

    name = "cr"
    transforms: ClassVar[bool] = True
    weight: float = Field(10.0, ge=0, description="lambda")
    shift: int = Field(4, ge=0, description="largest shift in pixels")
    flip: bool = Field(False, description="flip half of the images horizontally; not for digits")

    def loss(self, inputs: PenaltyInputs) -> Tensor:
        on_transformed = self._on_transformed(inputs, inputs.real)
        return (inputs.both_logits()[0] - on_transformed).square()

    def _on_transformed(self, inputs: PenaltyInputs, x: Tensor) -> Tensor:
        """The logits of T(x)."""
        return inputs.critic(flip_and_shift(x, self.shift, self.flip, inputs.random))


class BalancedConsistency(Consistency):
    """bCR (2002.04724): squared change of the logits of reals and fakes under random shifts and flips."""

    name = "bcr"
    weight: float = Field(10.0, ge=0, description="lambda of reals and of fakes")

    def loss(self, inputs: PenaltyInputs) -> Tensor:
        on_real, on_fake = inputs.both_logits()
        change_real = on_real - self._on_transformed(inputs, inputs.real)
        change_fake = on_fake - self._on_transformed(inputs, inputs.fake)
        return change_real.square() + change_fake.square()


class LatentConsistency(Penalty):
    """zCR (2002.04724): small change of D's logits and large change of G's images under latent perturbations.

    `every` applies to D's term only; G's term is part of every step.
    """

    name = "zcr"
    weight: float = Field(5.0, ge=0, description="lambda of D's term")
    sigma: float = Field(0.05, ge=0, description="standard deviation of the perturbation of z")
    spread: float = Field(0.5, ge=0, description="lambda of G's term")

    def loss(self, inputs: PenaltyInputs) -> Tensor:
        assert inputs.perturbed is not None
        return (inputs.both_logits()[1] - inputs.critic(inputs.perturbed(self.sigma).detach())).square()

    def generator_loss(self, inputs: PenaltyInputs) -> Tensor | None:
        assert inputs.perturbed is not None
        return -self.spread * (inputs.fake - inputs.perturbed(self.sigma)).flatten(1).float().square().mean(1)
