"""The losses of critic and generator, for all tasks.

A `Critic` maps inputs [N, ...] to logits [N], or [N, P] for P patches; it includes conditions, source images and
augmentation. Adversarial losses are elementwise on logits, and are averaged over patches here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from gancli.core.contracts import Critic, Logs, Loss, Penalty, PenaltyInputs


def per_sample(x: Tensor) -> Tensor:
    """Average over all but the first dimension: [N, ...] -> [N]; a scalar stays one."""
    return x if x.dim() < 2 else x.flatten(1).mean(1)


def critic_loss(
    inputs: PenaltyInputs, loss: Loss, penalties: Sequence[Penalty], joint: bool, name: str = "D"
) -> tuple[Tensor, Logs]:
    """The loss of the critic: adversarial loss plus penalties.

    If several penalties use the input gradients at the data (R1 and R2), these come from one backward pass through the
    logits of the adversarial loss.

    Args:
        inputs: critic, N reals and N fakes.
        loss: the adversarial loss.
        penalties: weighted and added; lazy ones (`every` > 1), which have a phase of their own, only observe the logits.
        joint: concatenate reals and fakes to one forward pass, with half as many, twice as large matmuls and convolutions.
            Must be false if the critic uses batch statistics. In both cases, the first 2 N rows that the critic gets are
            the reals, then the fakes.
        name: of the critic in log keys.

    Returns:
        The loss [N], and logs with the keys `logit/NAME/real`, `logit/NAME/fake` (centered, see `Loss.centered`) and
        `penalty/NAME/PART`.
    """
    now = [p for p in penalties if p.every == 1]
    real, fake, shared = inputs.real, inputs.fake, sum(p.uses_input_gradients for p in now) > 1
    if shared:
        real, fake = real.detach().requires_grad_(), fake.detach().requires_grad_()
    on_real, on_fake = _both(inputs.critic, real, fake, joint)
    total = per_sample(loss.critic(on_real, on_fake))
    logged = loss.centered(on_real.detach(), on_fake.detach())
    logs: Logs = {f"logit/{name}/real": logged[0], f"logit/{name}/fake": logged[1]}
    inputs = replace(inputs, logits=(on_real, on_fake))
    if shared:
        at_real, at_fake = torch.autograd.grad(on_real.sum() + on_fake.sum(), (real, fake), create_graph=True)
        inputs = replace(inputs, gradients=(at_real, at_fake))
    for penalty in penalties:
        penalty.observe(on_real.detach(), on_fake.detach(), inputs.tick, inputs.memory)
    for penalty in now:
        term = penalty_loss(penalty, inputs)
        logs[f"penalty/{name}/{penalty.name}"] = term.detach()
        total = total + term
    return total, logs


def penalty_loss(penalty: Penalty, inputs: PenaltyInputs) -> Tensor:
    """The weighted penalty.

    Args:
        penalty: the penalty.
        inputs: critic, N reals and N fakes.

    Returns:
        The penalty [N], times its current weight and `every` (lazy regularization, 1912.04958).
    """
    return per_sample(penalty.loss(inputs)) * (penalty.weight_at(inputs.tick) * penalty.every)


def generator_loss(critic: Critic, loss: Loss, real: Tensor, fake: Tensor, joint: bool) -> Tensor:
    """The adversarial loss of the generator.

    Args:
        critic: the critic.
        loss: the adversarial loss.
        real: reals [N, ...], an input of the critic only if the loss is relativistic.
        fake: fakes [N, ...], with graph.
        joint: as in `critic_loss`.

    Returns:
        The loss [N].
    """
    if not loss.relativistic:
        return per_sample(loss.generator(critic(fake)))
    on_real, on_fake = _both(critic, real, fake, joint)
    return per_sample(loss.generator(on_fake, on_real))


def _both(critic: Critic, real: Tensor, fake: Tensor, joint: bool) -> tuple[Tensor, Tensor]:
    """The logits of reals and fakes, from one forward pass or two."""
    if not joint:
        return critic(real), critic(fake)
    on_real, on_fake = critic(torch.cat([real, fake])).chunk(2)
    return on_real, on_fake
