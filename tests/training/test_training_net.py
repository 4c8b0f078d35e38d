"""A net as the engine holds it: gradients in the parameters' own layout, tied weights, copies in evaluation mode."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from gancli.core.registry import build
from gancli.core.specs import Tokens
from gancli.runs.tensors import decode, encode
from gancli.training import snapshot
from gancli.training.net import EmaNet, Net, in_evaluation
from gancli.training.scaling import LossScale
from gancli.training.state import State

CPU = torch.device("cpu")
PRECISIONS = [torch.float32, torch.bfloat16, torch.float16]
TOKENS, WIDTH = 13, 24
SPEC = Tokens(vocabulary=TOKENS, length=2)


def adam() -> Any:
    return build("optimizer", {"name": "adam", "lr": 1e-2, "betas": (0.9, 0.99)})


def test_a_gradient_that_lies_channels_last_is_paired_with_its_own_weights() -> None:
    """Convolutions differentiated twice give such gradients; torch's fused optimizers on the CPU walk memory, not indices."""
    ends = []
    for layout in (torch.contiguous_format, torch.channels_last):
        torch.manual_seed(0)
        net = Net(nn.Conv2d(3, 4, 3), build("optimizer", "adam"), CPU, torch.float32)  # type: ignore[arg-type]
        gradients = [torch.randn(p.shape) for p in net.weights]
        net.collect([g.to(memory_format=layout) if g.dim() == 4 else g for g in gradients], True)
        net.update(0, 0)
        ends.append(net.flat.detach().clone())
    assert torch.equal(*ends)


class Tied(nn.Module):
    """A next-token net whose output layer is its embedding (1608.05859)."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.norm = nn.Embedding(TOKENS, WIDTH), nn.LayerNorm(WIDTH)
        self.inner, self.output = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, TOKENS)
        self.output.weight = self.embedding.weight

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens)
        x = F.layer_norm(x.float(), (WIDTH,), self.norm.weight, self.norm.bias).to(x.dtype)
        logits: Tensor = self.output(x + self.inner(x).relu())
        return logits.float()


def tied(dtype: torch.dtype) -> State:
    torch.manual_seed(0)
    net = Net(Tied(), adam(), CPU, dtype)
    scale = LossScale(2.0**10) if dtype == torch.float16 else None
    return State(SPEC, CPU, dtype, {"T": net}, {"T": EmaNet(net)}, [], {}, loss_scale=scale)


def lesson(i: int) -> tuple[Tensor, Tensor]:
    tokens = torch.randint(0, TOKENS, (32, 2), generator=torch.Generator().manual_seed(i))
    return tokens[:, 0], tokens.sum(1) % TOKENS


def train(state: State, steps: range) -> list[float]:
    net, losses = state.nets["T"], []
    for i in steps:
        tokens, following = lesson(i)
        loss = F.cross_entropy(net.working(tokens), following)
        if state.loss_scale is None:
            gradients: Any = torch.autograd.grad(loss, net.parameters)
        else:
            gradients = state.loss_scale.gradients(loss, net.parameters)
        net.collect(gradients, True)
        net.update(0, 0)
        state.ema["T"].update(net, 0.9)
        losses.append(float(loss.detach()))
    return losses


def in_plain_torch(dtype: torch.dtype, steps: int) -> tuple[Tied, list[float]]:
    """The same with torch's optimizer; in low precision with the weights cast in each pass."""
    torch.manual_seed(0)
    net, losses = Tied(), []
    rule = torch.optim.Adam(net.parameters(), 1e-2, (0.9, 0.99))
    for i in range(steps):
        tokens, following = lesson(i)
        weights = {k: p if k.startswith("norm") else p.to(dtype) for k, p in net.named_parameters()}
        loss = F.cross_entropy(functional_call(net, weights, tokens, tie_weights=True), following)
        rule.zero_grad()
        loss.backward()
        rule.step()
        losses.append(float(loss.detach()))
    return net, losses


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_tied_weights_train_as_in_plain_torch(dtype: torch.dtype) -> None:
    """Losses and weights to rounding in float32; in low precision the losses, to what its own rounding makes in so many steps."""
    state = tied(dtype)
    losses = train(state, range(40))
    theirs, expected = in_plain_torch(dtype, 40)
    tolerance = {torch.float32: 1e-5, torch.bfloat16: 3e-2, torch.float16: 3e-3}[dtype]
    assert losses == pytest.approx(expected, rel=tolerance)
    assert losses[-1] < 0.9 * losses[0]
    for ours, other in zip(state.nets["T"].module.parameters(), theirs.parameters(), strict=True):
        if dtype == torch.float32:
            torch.testing.assert_close(ours, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_tied_weights_stay_one(dtype: torch.dtype) -> None:
    """In the working copy, in the buffer and its moments, and in the average."""
    state = tied(dtype)
    net, ema = state.nets["T"], state.ema["T"]
    train(state, range(3))
    for module in (net.module, net.working, ema.module):
        assert module.output.weight is module.embedding.weight
        assert len(list(module.parameters())) == 6
    assert net.working.embedding.weight.dtype == dtype  # type: ignore[union-attr]
    assert len(net.parameters) == len(net.weights) == len(net.layout.shapes) == 6
    sizes = [p.numel() for p in net.module.parameters()]
    assert sum(-(-n // 64) * 64 for n in sizes) == net.flat.numel() == net.moments["exp_avg"].numel()
    groups = snapshot.tensors(state)
    names = {"T.embedding.weight", "T.output.weight"}
    assert groups["nets"].keys() >= names
    assert groups["ema"].keys() >= names
    assert "T.embedding.weight.exp_avg" in groups["optimizer"]
    assert "T.output.weight.exp_avg" not in groups["optimizer"]


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_tied_weights_resume_bitwise(dtype: torch.dtype) -> None:
    """Through the bytes of the checkpoint's files."""
    state, again = tied(dtype), tied(dtype)
    train(state, range(5))
    groups = {k: decode(b"".join(encode(v)), k) for k, v in snapshot.tensors(state).items() if v}
    table = json.loads(json.dumps(snapshot.numbers(state)))
    snapshot.restore(again, {"memory": {}, **groups}, table)
    assert train(again, range(5, 10)) == train(state, range(5, 10))
    for group, values in snapshot.tensors(state).items():
        for key, value in values.items():
            assert torch.equal(value, snapshot.tensors(again)[group][key]), key
    assert torch.equal(state.nets["T"].flat, again.nets["T"].flat)
    assert again.nets["T"].module.output.weight is again.nets["T"].module.embedding.weight


def test_a_net_in_evaluation_shares_every_tensor_and_switches_nothing() -> None:
    bound = nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4))
    net = nn.Sequential(bound, nn.BatchNorm1d(4), nn.Dropout(0.5))
    x = torch.randn(8, 4)
    net(x)
    other = in_evaluation(net)
    assert all(m.training for m in net.modules())
    assert not any(m.training for m in other.modules())
    ours, theirs = (dict(m.state_dict(keep_vars=True)) for m in (net, other))
    assert ours.keys() == theirs.keys()
    assert all(ours[k] is theirs[k] for k in ours)
    before = {k: v.clone() for k, v in ours.items()}
    out = other(x)
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items()), "sampling changes nothing"
    assert torch.equal(net.eval()(x), out)
    net.train()(x + 1)
    assert torch.equal(other[1].running_mean, net[1].running_mean), "what is learned later is seen, too"  # type: ignore[arg-type]
