"""The two halves of every adversarial game, written once for all tasks.

A `critic` maps points [N, ...] to logits [N]; labels, pairs and augmentation are inside it. Losses and penalties are per sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from gancli.core.contracts import Critic, Logs, Look, Loss, Penalty


def critic_loss(look: Look, loss: Loss, penalties: Sequence[Penalty], joint: bool) -> tuple[Tensor, Logs]:
    """The discriminator's loss [N] and values for the journal.

    `joint` asks for one pass over reals and fakes together: half as many, twice as large products. It must be false where the
    critic looks at statistics of its batch. The critic's first 2 N rows are the reals, then the fakes, in either case.
    Where two penalties ask for the slope at the data (R1 and R2), they share one backward pass of the loss's own logits.
    """
    real, fake, shared = look.real, look.fake, sum(p.slope_at_data for p in penalties) > 1
    if shared:
        real, fake = real.detach().requires_grad_(), fake.detach().requires_grad_()
    on_real, on_fake = _both(look.critic, real, fake, joint)
    total = loss.critic(on_real, on_fake)
    logs: Logs = {"logit_real": on_real.detach(), "logit_fake": on_fake.detach()}
    look = replace(look, logits=(on_real, on_fake))
    if shared:
        at_real, at_fake = torch.autograd.grad(on_real.sum() + on_fake.sum(), (real, fake), create_graph=True)
        look = replace(look, slopes=(at_real, at_fake))
    for penalty in penalties:
        price = penalty_loss(penalty, look)
        logs[f"d_{penalty.name}"] = price.detach()
        total = total + price
    return total, logs


def penalty_loss(penalty: Penalty, look: Look) -> Tensor:
    """The penalty's price [N], times its strength at this time and its interval."""
    return penalty.cost(look) * (penalty.strength(look.tick) * penalty.every)


def generator_loss(critic: Critic, loss: Loss, real: Tensor, fake: Tensor, joint: bool) -> tuple[Tensor, Logs]:
    """The generator's loss [N]. The reals pass through the critic only if the loss compares."""
    if not loss.compares:
        return loss.generator(critic(fake)), {}
    on_real, on_fake = _both(critic, real, fake, joint)
    return loss.generator(on_fake, on_real), {}


def _both(critic: Critic, real: Tensor, fake: Tensor, joint: bool) -> tuple[Tensor, Tensor]:
    """The logits of reals and of fakes, in one pass or in two."""
    if not joint:
        return critic(real), critic(fake)
    on_real, on_fake = critic(torch.cat([real, fake])).chunk(2)
    return on_real, on_fake
