"""Losses and penalties against the published code on the same logits and weights (`Official` in tests/conftest.py)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from gancli.core import sharding
from gancli.core.contracts import Loss, Memory, Penalty, PenaltyInputs, Tick
from gancli.core.registry import build
from gancli.losses.adversarial import critic_loss, generator_loss


def loss_of(name: str) -> Loss:
    return build("loss", name)  # type: ignore[return-value]


def penalty_of(name: str, **options: Any) -> Penalty:
    return build("penalty", {"name": name, **options})  # type: ignore[return-value]


def given(critic: Any, real: Tensor, fake: Tensor, memory: Memory | None = None, **more: Any) -> PenaltyInputs:
    return PenaltyInputs(critic, real, fake, torch.Generator(), memory or {}, Tick(0, 0, 0), **more)


def test_a_step_of_r3gan(official: Any) -> None:
    net = nn.Linear(12, 1)
    official.fill(*net.parameters())
    real, fake = official.wave(5, 1, 3, 4, k=1), official.wave(5, 1, 3, 4, k=2)

    def critic(x: Tensor) -> Tensor:
        return net(x.flatten(1)).tanh().flatten() * 3

    penalties = [penalty_of("r1", weight=0.7), penalty_of("r2", weight=0.7)]
    total, logs = critic_loss(given(critic, real, fake), loss_of("rpgan"), penalties, joint=True)
    official.close("r3gan_step/relativistic", logs["logit/D/real"])
    official.close("r3gan_step/r1", logs["penalty/D/r1"] * 2 / 0.7)
    official.close("r3gan_step/r2", logs["penalty/D/r2"] * 2 / 0.7)
    official.close("r3gan_step/gradient", torch.autograd.grad(total.mean(), net.weight)[0])
    official.close("r3gan_step/generator", generator_loss(critic, loss_of("rpgan"), real, fake, joint=True))


def test_lecam_hinge_and_nonsaturating(official: Any) -> None:
    real, fake = 2 * official.wave(9, k=4), 2 * official.wave(9, k=5)
    memory = {"lecam_real": torch.tensor(0.4), "lecam_fake": torch.tensor(-0.2)}
    seen = given(None, real, fake, memory, logits=(real, fake))
    official.close("lecam/penalty", penalty_of("lecam").loss(seen).mean())
    for name in ("hinge", "nonsaturating"):
        loss = loss_of(name)
        official.close(f"lecam/{name}_g", loss.generator(fake).mean())
        parts = torch.tensor(official.table["lecam"][name]).sum()
        torch.testing.assert_close(loss.critic(real, fake).mean(), parts)


def test_path_length_of_stylegan2(official: Any, monkeypatch: Any) -> None:
    weight = official.wave(5, 12, k=2).requires_grad_()
    z = official.wave(6, 5, k=1)

    def styled(step: int) -> tuple[Tensor, Tensor]:
        w = z[: len(z) // step, None].repeat(1, 2, 1).requires_grad_()  # the published code takes the first rows
        return w, (w.sum(1).square() @ weight).reshape(-1, 1, 3, 4)

    penalty = penalty_of("path-length")
    seen = given(None, torch.empty(6, 1, 3, 4), torch.empty(6, 1, 3, 4), penalty.memory(), styled=styled)
    monkeypatch.setattr(sharding, "randn", lambda *shape, **_: official.wave(*shape, k=9))
    term = penalty.loss(seen)
    official.close("path_length/penalty", term)
    official.close("path_length/mean", seen.memory["path-length_mean"])
    official.close("path_length/gradient", torch.autograd.grad(2 * term.mean(), weight)[0])


def test_orthogonal_regularization_of_biggan(official: Any) -> None:
    for name, layer in (("orthogonal", nn.Linear(3, 4)), ("orthogonal_conv", nn.Conv2d(2, 5, 3))):
        official.fill(*layer.parameters())
        term = penalty_of("orthogonal").loss(given(None, torch.empty(1), torch.empty(1), net=layer))
        official.close(name, 0.5 * torch.autograd.grad(term, layer.weight)[0])
    embedded = SimpleNamespace(
        named_parameters=lambda: [("embedding.weight", torch.ones(3, 3)), ("a", torch.ones(2, 2))]
    )
    assert float(penalty_of("orthogonal").loss(given(None, torch.empty(1), torch.empty(1), net=embedded))) == 4
