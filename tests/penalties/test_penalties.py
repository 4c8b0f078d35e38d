"""Penalties against closed forms, on critics whose slope is known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gancli.core.contracts import Penalty, PenaltyInputs, Tick
from gancli.core.registry import build, parts
from gancli.losses.adversarial import critic_loss, penalty_loss
from gancli.penalties.consistency import flip_and_shift

NAMES = list(parts("penalty"))
W = torch.linspace(-1, 1, 12).reshape(1, 3, 4)


def made(name: str, **options: object) -> Penalty:
    return build("penalty", {"name": name, **options})  # type: ignore[return-value]


def linear(x: Tensor) -> Tensor:
    return (x * W.to(x.dtype)).flatten(1).sum(1) + 0.5


def bowl(x: Tensor) -> Tensor:
    return x.square().flatten(1).sum(1) / 2  # its slope at x is x


def inputs(critic=linear, n: int = 6, perturbed=None, dtype: torch.dtype = torch.float32) -> PenaltyInputs:
    torch.manual_seed(1)
    real, fake = torch.randn(n, 1, 3, 4).to(dtype), torch.randn(n, 1, 3, 4).to(dtype)
    memory = {key: value for p in NAMES for key, value in made(p).memory().items()}
    styled = {"styled": lambda step: square_of(torch.randn(n // step, 2, 5)), "net": torch.nn.Linear(3, 2)}
    random = torch.Generator().manual_seed(2)
    return PenaltyInputs(critic, real, fake, random, memory, Tick(0, 0, 0), perturbed or (lambda s: fake + s), **styled)


def square_of(w: Tensor) -> tuple[Tensor, Tensor]:
    """Styles [N, 2, 5] and images [N, 1, 3, 4] that are a quadratic function of them."""
    w = w.requires_grad_()
    return w, (w.sum(1).square() @ torch.linspace(0, 1, 60).reshape(5, 12)).reshape(-1, 1, 3, 4)


SQUARE = float(W.square().sum())
LINEAR = {
    "r1": SQUARE / 2,
    "r2": SQUARE / 2,
    "zero-gp": SQUARE,
    "gp": (SQUARE**0.5 - 1) ** 2,
    "dragan": (SQUARE**0.5 - 1) ** 2,
}


@pytest.mark.parametrize("name", NAMES)
def test_a_term_per_sample_and_times_its_interval(name: str) -> None:
    for every in (1, 4):
        penalty = made(name, every=every, weight=2.0)
        term = penalty_loss(penalty, inputs(bowl))
        assert term.shape == {"path-length": (3,), "orthogonal": ()}.get(name, (6,))
        assert torch.isfinite(term).all()
        torch.testing.assert_close(term, penalty.loss(inputs(bowl)) * 2 * every)


@pytest.mark.parametrize("name", LINEAR)
def test_a_linear_critic(name: str) -> None:
    torch.testing.assert_close(made(name).loss(inputs()), torch.full((6,), LINEAR[name]), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", LINEAR)
def test_in_bfloat16_the_length_is_summed_in_float32(name: str) -> None:
    term = made(name).loss(inputs(dtype=torch.bfloat16))
    assert term.dtype == torch.float32
    torch.testing.assert_close(term, torch.full((6,), LINEAR[name]), rtol=0.02, atol=0.02)


@pytest.mark.parametrize(("name", "at"), [("r1", "real"), ("r2", "fake")])
def test_where_the_slope_is_taken(name: str, at: str) -> None:
    seen = inputs(bowl)
    expected = getattr(seen, at).square().flatten(1).sum(1) / 2
    torch.testing.assert_close(made(name).loss(seen), expected)


@pytest.mark.parametrize("name", ["gp", "zero-gp"])
def test_between_real_and_fake(name: str) -> None:
    seen = inputs(bowl)
    points = made(name).points(seen.real, seen.fake, torch.Generator().manual_seed(3))
    u = ((points - seen.fake) / (seen.real - seen.fake)).flatten(1)
    torch.testing.assert_close(u, u[:, :1].expand_as(u), rtol=1e-3, atol=1e-3)  # one u per pair
    assert ((u > -1e-4) & (u < 1 + 1e-4)).all()


def test_one_sided_gp_forgives_a_small_slope() -> None:
    def flat(x: Tensor) -> Tensor:
        return linear(x) / 100

    assert made("gp", one_sided=True).loss(inputs(flat)).abs().max() == 0
    assert made("gp").loss(inputs(flat)).min() > 0.9


def test_dragan_stays_around_the_reals() -> None:
    seen = inputs()
    away = made("dragan", scale=0.5).points(seen.real, seen.fake, seen.random) - seen.real
    assert (away >= 0).all()
    assert away.max() <= 0.5 * seen.real.std()
    real = torch.randn(2000, 1, 8, 8)
    away = made("dragan").points(real, real, torch.Generator().manual_seed(0)) - real
    lengths = away.flatten(1).norm(dim=1)
    full = 0.5 * (64 / 3) ** 0.5 * float(real.std())  # of 64 pixels uniform in [0, .5 std), without alpha
    assert float(lengths.mean()) == pytest.approx(full / 2, rel=0.03)  # alpha is uniform in [0, 1)
    assert float(lengths.std()) == pytest.approx(full / 12**0.5, rel=0.06)


def test_a_term_has_a_gradient_for_the_critic() -> None:
    w = torch.randn(12, requires_grad=True)
    seen = inputs(lambda x: (x.flatten(1) * w).sum(1))
    made("r1").loss(seen).mean().backward()
    torch.testing.assert_close(w.grad, w.detach())  # d(|w|^2 / 2) / dw = w


def test_r1_and_r2_share_a_pass_and_cost_the_same() -> None:
    seen, penalties = inputs(bowl), [made("r1", weight=3.0), made("r2", weight=5.0)]
    loss = build("loss", "rpgan")
    together, logs = critic_loss(seen, loss, penalties, joint=True)  # type: ignore[arg-type]
    apart = loss.critic(bowl(seen.real), bowl(seen.fake)) + sum(penalty_loss(p, seen) for p in penalties)  # type: ignore[attr-defined]
    torch.testing.assert_close(together, apart)
    assert {"penalty/D/r1", "penalty/D/r2"} <= logs.keys()


@pytest.mark.parametrize("name", ["r1", "r2"])
def test_gamma_falls_with_the_images(name: str) -> None:
    penalty = made(name, weight=1.0, final=0.2, over=100)
    at = [penalty.weight_at(Tick(0, 0, images)) for images in (0, 50, 100, 1000)]
    assert at == pytest.approx([1.0, 0.6, 0.2, 0.2])
    assert made(name, weight=3.0).weight_at(Tick(0, 0, 10**9)) == 3
    fitted = made(name, weight=1.0, final=0.2).resolved(100)
    assert fitted == penalty
    assert fitted.resolved(500) == penalty


def test_lecam_holds_each_side_to_the_other_s_average() -> None:
    penalty, seen = made("lecam", decay=0.75, start=2), inputs()
    real, fake = linear(seen.real), linear(seen.fake)
    penalty.observe(fake, real, Tick(0, 1, 0), seen.memory)  # before `start`: the present means
    torch.testing.assert_close(seen.memory["lecam_real"], fake.mean())
    assert penalty.weight_at(Tick(0, 1, 0)) == 0
    penalty.observe(real, fake, Tick(0, 2, 0), seen.memory)
    mean_real, mean_fake = 0.75 * fake.mean() + 0.25 * real.mean(), 0.75 * real.mean() + 0.25 * fake.mean()
    torch.testing.assert_close(seen.memory["lecam_real"], mean_real)
    term = penalty.loss(seen)
    torch.testing.assert_close(term, (real - mean_fake).relu() ** 2 + (mean_real - fake).relu() ** 2)
    torch.testing.assert_close(penalty.loss(seen), term)  # the averages move by `observe` only


def test_lazy_penalties_observe_every_turn() -> None:
    seen = inputs()
    critic_loss(seen, build("loss", "hinge"), [made("lecam", every=4, decay=0.5)], joint=False)  # type: ignore[arg-type]
    torch.testing.assert_close(seen.memory["lecam_real"], 0.5 * linear(seen.real).mean())


def test_drift() -> None:
    torch.testing.assert_close(made("drift").loss(inputs()), linear(inputs().real).square())


def test_consistency_is_nothing_for_a_critic_that_does_not_care() -> None:
    def blind(x: Tensor) -> Tensor:
        return x.flatten(1).mean(1) * 0 + 3

    for name in ("cr", "bcr", "zcr"):
        assert made(name).loss(inputs(blind)).abs().max() == 0
        assert made(name).loss(inputs(bowl)).mean() > 0


def test_zcr_pays_the_generator_for_variety() -> None:
    seen = inputs(perturbed=lambda s: inputs().fake + s)
    term = made("zcr", spread=0.5, sigma=0.2).generator_loss(seen)
    torch.testing.assert_close(term, torch.full((6,), -0.5 * 0.04))


def test_moved_shifts_whole_pixels() -> None:
    x = torch.arange(64.0).reshape(1, 1, 8, 8).repeat(20, 1, 1, 1)
    y = flip_and_shift(x, 2, False, torch.Generator().manual_seed(0))
    assert y.shape == x.shape
    steps = y[:, 0, 3:5, 3:5]
    assert ((steps[:, 1, 0] - steps[:, 0, 0]) == 8).all()
    assert len({float(v) for v in y[:, 0, 4, 4]}) > 3
