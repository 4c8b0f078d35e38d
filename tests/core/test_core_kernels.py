"""The fast kernel: whichever library multiplies, it is torch's linear layer, and so are its gradients."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from gancli.core import kernels
from gancli.core.config import resolve
from gancli.core.data import Reading
from gancli.core.kernels import ONEDNN, Linear, accelerate, linear, restore
from gancli.data.loader import Loader
from gancli.inference import generator, loading
from gancli.training.state import new_state

pytestmark = pytest.mark.skipif(ONEDNN is None, reason="this torch has no oneDNN")
SUBSETS = [(0, 1, 2), (0,), (1,), (2,), (1, 2)]


def leaves() -> list[Tensor]:
    random = torch.Generator().manual_seed(0)
    return [torch.randn(*s, generator=random, dtype=torch.float32).requires_grad_() for s in ((5, 7), (3, 7), (3,))]


@pytest.mark.parametrize("of", SUBSETS)
def test_gradients_of_any_order_are_torch_s(of: tuple[int, ...]) -> None:
    given = leaves()
    found = []
    for layer in (linear, F.linear):
        out = layer(*given)
        first = torch.autograd.grad(out.sin().sum(), [given[i] for i in of], create_graph=True)
        second = torch.autograd.grad(sum(g.square().sum() for g in first), given)
        found.append([out, *first, *second])
    for ours, theirs in zip(*found, strict=True):
        rounding = 1e-6 * max(
            10.0, float(theirs.detach().abs().max())
        )  # of sums whose terms are as large as the largest
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=rounding)


def test_weights_that_do_not_learn_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """G's step passes through D: of D's products in the backward pass only those of its inputs are made."""
    monkeypatch.setattr(kernels, "onednn_is_faster", lambda: True)
    net = nn.Sequential(Linear(7, 6), Linear(6, 1))
    points = torch.randn(5, 7, requires_grad=True)
    for x, inputs, products in ((points, [points], 2), (points.detach(), list(net.parameters()), 3)):
        out = net(x).sum()
        with Counting() as counting:
            torch.autograd.grad(out, inputs)
        assert counting.n == products


@pytest.mark.parametrize("elsewhere", [True, False])
def test_the_layer_is_torch_s(elsewhere: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "onednn_is_faster", lambda: elsewhere)
    layer = accelerate(nn.Linear(128, 256))
    for x in (torch.randn(5, 128), torch.randn(0, 128), torch.randn(128), torch.randn(2, 5, 128)):
        with Counting() as counting:
            out = layer(x)
        torch.testing.assert_close(out, F.linear(x, layer.weight, layer.bias), rtol=1e-5, atol=1e-5)
        assert counting.n == (elsewhere and x.dim() == 2)
    low = layer.to(torch.bfloat16)(torch.randn(5, 128).to(torch.bfloat16))
    assert low.dtype == torch.bfloat16


def test_it_is_put_in_where_it_pays_and_taken_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for narrow layers, not where a weight is computed; names, tensors and their identity stay."""
    monkeypatch.setattr(kernels, "onednn_is_faster", lambda: True)
    bound = nn.utils.parametrizations.spectral_norm(nn.Linear(128, 256))
    net = nn.Sequential(nn.Linear(128, 256), nn.Linear(4096, 8), nn.Linear(32, 64), bound, nn.Conv2d(128, 256, 3))
    before = dict(net.state_dict(keep_vars=True))
    classes = [type(m) for m in net]
    assert accelerate(net) is net
    assert [type(m) is Linear for m in net] == [True, False, False, False, False]
    assert [type(m) for m in net][1:] == classes[1:]
    after = dict(net.state_dict(keep_vars=True))
    assert before.keys() == after.keys()
    assert all(before[k] is after[k] for k in before)
    assert [type(m) for m in restore(net)] == classes


def test_whoever_runs_a_net_puts_it_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In training, in the average, and in a model that is loaded; a net as a model builds it is torch's alone."""
    monkeypatch.setattr(kernels, "onednn_is_faster", lambda: True)
    cfg = resolve({"data": {"source": "digits"}, "batch_size": 8})
    loader = Loader(cfg.data.source.read(Reading(tmp_path, tmp_path)).train, 0, torch.device("cpu"), torch.float32)
    assert not any(type(m) is Linear for net in cfg.task.nets(loader.spec).values() for m in net.modules())
    state = new_state(cfg.task, cfg, loader.spec, loader.device, torch.float32)
    made = state.model(cfg.task)
    weights = {f"{n}.{k}": v for n, net in made.nets.items() for k, v in net.state_dict().items()}
    loaded = loading._assemble(generator.describe(made), weights, "model", "cpu")
    for nets in (state.working(), made.nets, loaded.nets):
        assert {n: sum(type(m) is Linear for m in net.modules()) for n, net in nets.items()} == {"G": 4, "D": 3}
    assert torch.equal(made.sample(4), loaded.sample(4))
    low = new_state(cfg.task, cfg, loader.spec, loader.device, torch.bfloat16)
    assert not any(type(m) is Linear for net in low.working().values() for m in net.modules())


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
    assert kernels.onednn_is_faster.__wrapped__() == expected


class Counting(TorchDispatchMode):
    """How often oneDNN's linear layer is called."""

    n = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        self.n += func.overloadpacket is ONEDNN
        return func(*args, **(kwargs or {}))
