"""The losses of critic and generator, written once for all tasks.

A `critic` maps points [N, ...] to logits [N], or [N, P] of P patches; labels, pairs and augmentation are inside it. Adversarial losses
are elementwise on logits and averaged over the patches here; penalties are [N].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from gancli.core.contracts import Critic, Logs, Loss, Penalty, PenaltyInputs


def per_sample(x: Tensor) -> Tensor:
    """[N, ...] -> [N]: the mean over all but the first dimension."""
    return x if x.dim() == 1 else x.flatten(1).mean(1)


def critic_loss(
    inputs: PenaltyInputs, loss: Loss, penalties: Sequence[Penalty], joint: bool, name: str = "D"
) -> tuple[Tensor, Logs]:
    """The critic's loss.

    Where two penalties use the gradients at the data (R1 and R2), they share one backward pass of the loss's own logits.

    Args:
        inputs: the critic, N reals and N fakes.
        loss: the adversarial loss.
        penalties: added to it, weighted.
        joint: one pass over reals and fakes together: half as many, twice as large matmuls and convolutions. Must be false where
            the critic uses statistics of its batch. The critic's first 2 N rows are the reals, then the fakes, in either case.
        name: the critic's, in the log keys.

    Returns:
        The loss [N], and the logs `logit/NAME/real`, `logit/NAME/fake` and `penalty/NAME/PART`.
    """
    real, fake, shared = inputs.real, inputs.fake, sum(p.uses_input_gradients for p in penalties) > 1
    if shared:
        real, fake = real.detach().requires_grad_(), fake.detach().requires_grad_()
    on_real, on_fake = _both(inputs.critic, real, fake, joint)
    total = per_sample(loss.critic(on_real, on_fake))
    logs: Logs = {f"logit/{name}/real": on_real.detach(), f"logit/{name}/fake": on_fake.detach()}
    inputs = replace(inputs, logits=(on_real, on_fake))
    if shared:
        at_real, at_fake = torch.autograd.grad(on_real.sum() + on_fake.sum(), (real, fake), create_graph=True)
        inputs = replace(inputs, gradients=(at_real, at_fake))
    for penalty in penalties:
        term = penalty_loss(penalty, inputs)
        logs[f"penalty/{name}/{penalty.name}"] = term.detach()
        total = total + term
    return total, logs


def penalty_loss(penalty: Penalty, inputs: PenaltyInputs) -> Tensor:
    """The penalty [N], times its weight at this time and its interval (lazy regularization, 1912.04958)."""
    return per_sample(penalty.loss(inputs)) * (penalty.weight_at(inputs.tick) * penalty.every)


def generator_loss(critic: Critic, loss: Loss, real: Tensor, fake: Tensor, joint: bool) -> Tensor:
    """The generator's loss [N]. The reals pass through the critic only if the loss is relativistic."""
    if not loss.relativistic:
        return per_sample(loss.generator(critic(fake)))
    on_real, on_fake = _both(critic, real, fake, joint)
    return per_sample(loss.generator(on_fake, on_real))


def _both(critic: Critic, real: Tensor, fake: Tensor, joint: bool) -> tuple[Tensor, Tensor]:
    """The logits of reals and of fakes, in one pass or in two."""
    if not joint:
        return critic(real), critic(fake)
    on_real, on_fake = critic(torch.cat([real, fake])).chunk(2)
    return on_real, on_fake
