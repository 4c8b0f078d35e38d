"""The linear layer: whichever library multiplies, it is torch's linear layer, and so are its gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from gancli.models import linear
from gancli.models.linear import ONEDNN, Linear, product

pytestmark = pytest.mark.skipif(ONEDNN is None, reason="this torch has no oneDNN")
SUBSETS = [(0, 1, 2), (0,), (1,), (2,), (1, 2)]


def leaves() -> list[Tensor]:
    random = torch.Generator().manual_seed(0)
    return [torch.randn(*s, generator=random, dtype=torch.float32).requires_grad_() for s in ((5, 7), (3, 7), (3,))]


@pytest.mark.parametrize("of", SUBSETS)
def test_gradients_of_any_order_are_torch_s(of: tuple[int, ...]) -> None:
    given = leaves()
    found = []
    for layer in (product, F.linear):
        out = layer(*given)
        first = torch.autograd.grad(out.sin().sum(), [given[i] for i in of], create_graph=True)
        second = torch.autograd.grad(sum(g.square().sum() for g in first), given)
        found.append([out, *first, *second])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_weights_that_do_not_learn_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """G's step passes through D: of D's products in the backward pass only those of its inputs are made."""
    monkeypatch.setattr(linear, "by_onednn", lambda: True)
    net = torch.nn.Sequential(Linear(7, 6), Linear(6, 1))
    points = torch.randn(5, 7, requires_grad=True)
    for x, inputs, products in ((points, [points], 2), (points.detach(), list(net.parameters()), 3)):
        out = net(x).sum()
        with Counting() as counting:
            torch.autograd.grad(out, inputs)
        assert counting.n == products


@pytest.mark.parametrize("elsewhere", [True, False])
def test_the_layer_is_torch_s(elsewhere: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "by_onednn", lambda: elsewhere)
    layer = Linear(7, 3)
    for x in (torch.randn(5, 7), torch.randn(0, 7), torch.randn(7), torch.randn(2, 5, 7)):
        with Counting() as counting:
            out = layer(x)
        torch.testing.assert_close(out, F.linear(x, layer.weight, layer.bias), rtol=1e-5, atol=1e-5)
        assert counting.n == (elsewhere and x.dim() == 2)
    low = layer.to(torch.bfloat16)(torch.randn(5, 7).to(torch.bfloat16))
    assert low.dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("able", "expected"),
    [
        ({"avx512_f": True, "cpu_name": "AMD EPYC"}, True),
        ({"avx512_f": False, "cpu_name": "AMD EPYC"}, False),
        ({"avx512_f": True, "cpu_name": "Intel Sapphire Rapids"}, False),
        ({}, False),
    ],
)
def test_the_processor_decides(able: dict[str, object], expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    assert linear.by_onednn.__wrapped__() == expected


class Counting(TorchDispatchMode):
    """How often oneDNN's linear layer is called."""

    n = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        self.n += func.overloadpacket is ONEDNN
        return func(*args, **(kwargs or {}))
