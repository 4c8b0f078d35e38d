"""The two halves of every adversarial game, written once for all tasks.

A `critic` maps points [N, ...] to logits [N]; labels, pairs and augmentation are inside it. Losses and penalties are per sample.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gancli.contracts import Critic, Logs, Loss, Penalty


def critic_loss(
    critic: Critic,
    loss: Loss,
    penalties: Sequence[Penalty],
    real: Tensor,
    fake: Tensor,
    random: torch.Generator,
    joint: bool,
) -> tuple[Tensor, Logs]:
    """The discriminator's loss [N] and values for the journal.

    `joint` asks for one pass over reals and fakes together: half as many, twice as large products. It must be false where the
    critic looks at statistics of its batch.
    """
    if joint:
        on_real, on_fake = critic(torch.cat([real, fake])).chunk(2)
    else:
        on_real, on_fake = critic(real), critic(fake)
    total = loss.critic(on_real, on_fake)
    logs: Logs = {"logit_real": on_real.detach(), "logit_fake": on_fake.detach()}
    for penalty in penalties:
        price = penalty_loss(critic, penalty, real, fake, random)
        logs[f"d_{penalty.name}"] = price.detach()
        total = total + price
    return total, logs


def penalty_loss(critic: Critic, penalty: Penalty, real: Tensor, fake: Tensor, random: torch.Generator) -> Tensor:
    """The penalty's price [N], times its weight and its interval."""
    points = penalty.points(real, fake, random).detach().requires_grad_()
    return penalty.price(points, critic(points)) * (penalty.weight * penalty.every)


def generator_loss(critic: Critic, loss: Loss, real: Tensor, fake: Tensor, joint: bool) -> tuple[Tensor, Logs]:
    """The generator's loss [N]. The reals pass through the critic only if the loss compares."""
    if not loss.compares:
        return loss.generator(critic(fake)), {}
    if joint:
        on_real, on_fake = critic(torch.cat([real, fake])).chunk(2)
    else:
        on_real, on_fake = critic(real), critic(fake)
    return loss.generator(on_fake, on_real), {}
