"""Every adversarial loss: shapes, extremes, directions; and each against its formula."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gancli.core.contracts import Loss
from gancli.core.registry import build, parts

NAMES = list(parts("loss"))


def made(name: str) -> Loss:
    return build("loss", name)  # type: ignore[return-value]


def softplus(a: np.ndarray) -> np.ndarray:
    return np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a)))


FORMULAS = {
    "minimax": (lambda r, f: softplus(-r) + softplus(f), lambda f, r: -softplus(f)),
    "nonsaturating": (lambda r, f: softplus(-r) + softplus(f), lambda f, r: softplus(-f)),
    "lsgan": (lambda r, f: ((r - 1) ** 2 + f**2) / 2, lambda f, r: (f - 1) ** 2 / 2),
    "wasserstein": (lambda r, f: f - r, lambda f, r: -f),
    "hinge": (lambda r, f: np.maximum(0, 1 - r) + np.maximum(0, 1 + f), lambda f, r: -f),
    "rpgan": (lambda r, f: softplus(-(r - f)), lambda f, r: softplus(-(f - r))),
    "ragan": (
        lambda r, f: softplus(-(r - f.mean())) + softplus(f - r.mean()),
        lambda f, r: softplus(-(f - r.mean())) + softplus(r - f.mean()),
    ),
}


@pytest.mark.parametrize("name", NAMES)
def test_per_sample_and_finite_at_extreme_logits(name: str) -> None:
    loss = made(name)
    for a in (-1e4, 0.0, 1e4):
        for b in (-1e4, 0.0, 1e4):
            real, fake = torch.full((3,), a, requires_grad=True), torch.full((3,), b, requires_grad=True)
            for value in (loss.critic(real, fake), loss.generator(fake, real if loss.relativistic else None)):
                assert value.shape == (3,)
                assert torch.isfinite(value).all()
                gradient = torch.autograd.grad(value.sum(), fake)[0]
                assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("name", NAMES)
def test_the_critic_parts_the_two_and_the_generator_draws_its_own_up(name: str) -> None:
    loss = made(name)
    real, fake = torch.randn(16, requires_grad=True), torch.randn(16, requires_grad=True)
    on_real, on_fake = torch.autograd.grad(loss.critic(real, fake).sum(), (real, fake))
    if name != "lsgan":  # least squares pulls to a target: from beyond it, back
        assert (on_real <= 0).all()
        assert (on_fake >= 0).all()
    (pull,) = torch.autograd.grad(loss.generator(fake, real if loss.relativistic else None).sum(), fake)
    assert (pull[fake < 1] <= 0).all()


@pytest.mark.parametrize("name", [n for n in NAMES if n in FORMULAS])
def test_formula(name: str) -> None:
    loss, (critic, generator) = made(name), FORMULAS[name]
    real, fake = torch.randn(8, dtype=torch.float64), torch.randn(8, dtype=torch.float64)
    r, f = real.numpy(), fake.numpy()
    np.testing.assert_allclose(loss.critic(real, fake).numpy(), critic(r, f), rtol=1e-12)
    given = real if loss.relativistic else None
    np.testing.assert_allclose(loss.generator(fake, given).numpy(), generator(f, r), rtol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_the_function_s_own(name: str) -> None:
    loss = made(name)
    real = torch.randn(5, dtype=torch.float64, requires_grad=True)
    fake = torch.randn(5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(loss.critic, (real, fake))
    if loss.relativistic:
        assert torch.autograd.gradcheck(loss.generator, (fake, real))
    else:
        assert torch.autograd.gradcheck(loss.generator, (fake,))


@pytest.mark.parametrize("name", NAMES)
def test_centered_logits_do_not_depend_on_an_offset_that_the_loss_leaves_free(name: str) -> None:
    loss = made(name)
    real, fake = torch.randn(64), torch.randn(64) - 1
    free = torch.allclose(loss.critic(real + 5, fake + 5), loss.critic(real, fake), atol=1e-4)
    assert free == (name in ("rpgan", "ragan", "wasserstein"))
    moved, still = loss.centered(real + 5, fake + 5)[0], loss.centered(real, fake)[0]
    assert torch.allclose(moved, still, atol=1e-5) == free
    middle = loss.centered(torch.tensor([0.5]), torch.tensor([0.5]))[0]
    assert float(middle[0]) == pytest.approx(0.0 if free or name == "lsgan" else 0.5)
