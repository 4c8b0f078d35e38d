"""Update rules against torch.optim, on views of one buffer, and what they keep."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from gancli.core.errors import UsageError
from gancli.core.registry import build, parts
from gancli.optimizers.adam import Adam
from gancli.training.net import Net

PEERS = {"adam": "Adam", "adamw": "AdamW", "sgd": "SGD", "rmsprop": "RMSprop"}
CASES: list[tuple[str, dict[str, Any]]] = [
    ("adam", {}), ("adam", {"betas": (0.0, 0.9), "weight_decay": 0.1}), ("adam", {"eps": 1e-2}),
    ("adamw", {}), ("adamw", {"weight_decay": 0.3}),
    ("sgd", {}), ("sgd", {"momentum": 0.9}), ("sgd", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("rmsprop", {}), ("rmsprop", {"alpha": 0.5, "momentum": 0.9}), ("rmsprop", {"centered": True, "momentum": 0.5}),
]  # fmt: skip


def test_every_rule_has_a_peer() -> None:
    assert set(PEERS) == set(parts("optimizer"))


@pytest.mark.parametrize(("rule", "options"), CASES, ids=str)
def test_it_does_what_torch_does(rule: str, options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    module, twin = torch.nn.Linear(5, 3), torch.nn.Linear(5, 3)
    twin.load_state_dict(module.state_dict())
    part: Any = build("optimizer", {"name": rule, **options})
    net = Net(module, part, torch.device("cpu"), torch.float32)
    peer = getattr(torch.optim, PEERS[rule])(
        twin.parameters(), **{k: v for k, v in part if k not in ("name", "schedule", "final_betas")}
    )
    for number in range(1, 5):
        x = torch.randn(4, 5)
        net.collect(torch.autograd.grad(net.working(x).square().sum(), net.parameters), True)
        net.update(0, 0)
        peer.zero_grad()
        twin(x).square().sum().backward()
        peer.step()
        assert float(net.steps) == number
    for ours, theirs in zip(module.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-7)
    assert set(part.moments) <= {key for state in peer.state.values() for key in state}
    for key in part.moments:
        for view, p in zip(net.layout.views(net.moments[key]).values(), twin.parameters(), strict=True):
            torch.testing.assert_close(view, peer.state[p][key], rtol=1e-5, atol=1e-7)


def test_a_variance_is_not_below_zero() -> None:
    """E[g^2] - E[g]^2 of a constant gradient is 0 but for rounding."""
    part: Any = build("optimizer", {"name": "rmsprop", "centered": True})
    weight = [torch.zeros(50)]
    moments = {key: [torch.zeros(50)] for key in part.moments}
    gradient = [torch.linspace(0.1, 3, 50)]
    for _ in range(2000):
        part.update(weight, gradient, moments, torch.zeros(()), 1e-9)
    assert torch.isfinite(weight[0]).all()


def test_nesterov_needs_momentum() -> None:
    with pytest.raises(UsageError, match="nesterov needs momentum"):
        build("optimizer", {"name": "sgd", "nesterov": True})


def test_the_betas_of_adam_follow_a_schedule() -> None:
    rule = build("optimizer", {"name": "adam", "betas": (0.0, 0.9), "final_betas": (0.0, 0.99)})
    assert isinstance(rule, Adam)
    assert rule.at(0, 1000).betas == (0.0, 0.9)
    assert rule.at(500, 1000).betas == pytest.approx((0.0, 0.945))
    assert rule.at(2000, 1000).betas == pytest.approx((0.0, 0.99))
    assert Adam().at(500, 1000).betas == Adam().betas


def test_the_correction_for_lazy_regularization() -> None:
    rule = Adam(lr=2.5e-3, betas=(0.0, 0.99)).lazily(16)
    assert (rule.lr, *rule.betas) == pytest.approx((2.352941e-3, 0.0, 0.990585))
    sgd = build("optimizer", {"name": "sgd", "lr": 1.0, "momentum": 0.9})
    assert sgd.lazily(4).lr == pytest.approx(0.8)  # type: ignore[attr-defined]
