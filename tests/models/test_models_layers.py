"""Layers against naive loops and true values."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from gancli.conditions.labels import ProjectionHead
from gancli.core.specs import Images
from gancli.models.blocks import (
    EqualConv,
    EqualLinear,
    MinibatchStddev,
    ModulatedConv,
    Noise,
    SelfAttention,
    downsample,
    equalize,
    upsample,
)
from gancli.models.layers import Dropout, FlattenChannelsLast, LinearHead
from gancli.models.mlp import MLP
from gancli.models.norms import ConditionalBatchNorm, PixelNorm, norm, spectral_norm


@pytest.mark.parametrize("layer", [nn.Linear(7, 5), nn.Conv2d(3, 6, 3), nn.ConvTranspose2d(4, 3, 4)])
def test_spectral_norm_divides_by_the_largest_singular_value(layer: nn.Module) -> None:
    torch.manual_seed(0)
    nn.init.normal_(layer.weight)
    weight = layer.weight.detach().clone()
    matrix = weight.transpose(0, 1) if isinstance(layer, nn.ConvTranspose2d) else weight
    sigma = torch.linalg.svdvals(matrix.flatten(1))[0]
    net = spectral_norm(nn.Sequential(layer))
    for _ in range(300):
        bound = net[0].weight
    torch.testing.assert_close(bound.detach(), weight / sigma, rtol=2e-3, atol=2e-4)
    matrix = bound.transpose(0, 1) if isinstance(layer, nn.ConvTranspose2d) else bound
    assert float(torch.linalg.svdvals(matrix.detach().flatten(1))[0]) == pytest.approx(1, abs=2e-3)


@pytest.mark.parametrize(
    "kind", [lambda: nn.Linear(7, 5), lambda: nn.Conv2d(3, 6, 3), lambda: nn.ConvTranspose2d(4, 3, 4)]
)
def test_spectral_norm_is_that_of_torch(kind: Callable[[], nn.Module]) -> None:
    """Bitwise identical, gradients included, under the same names; on the meta device it has the same tensors, without work."""
    nets = []
    for bind in (nn.utils.parametrizations.spectral_norm, spectral_norm):
        torch.manual_seed(0)
        nets.append(bind(kind()))
    for _ in range(3):
        assert torch.equal(nets[0].weight, nets[1].weight)
    theirs, ours = (net.parametrizations.weight.original for net in nets)
    torch.autograd.backward([net.weight.pow(3).sum() for net in nets])
    assert torch.equal(theirs.grad, ours.grad)
    states = [net.eval().state_dict() for net in nets]
    assert list(states[0]) == list(states[1])
    assert all(torch.equal(a, b) for a, b in zip(*(state.values() for state in states), strict=True))
    assert torch.equal(nets[0].weight, nets[1].weight)
    with torch.device("meta"):
        drawn = spectral_norm(kind()).state_dict()
    assert {k: v.shape for k, v in drawn.items()} == {k: v.shape for k, v in states[0].items()}
    assert all(v.is_meta for v in drawn.values())


def test_attention_is_the_loop() -> None:
    torch.manual_seed(0)
    layer, x = SelfAttention(8), torch.randn(2, 8, 4, 6)
    torch.testing.assert_close(layer(x), x)  # gamma starts at 0
    layer.gamma.data.fill_(0.7)
    f, g, h = (F.conv2d(x, m.weight) for m in (layer.f, layer.g, layer.h))
    f, h = F.max_pool2d(f, 2).flatten(2), F.max_pool2d(h, 2).flatten(2)
    g = g.flatten(2)
    out = torch.zeros(2, 4, 24)
    for n in range(2):
        for j in range(24):
            scores = torch.stack([f[n, :, i] @ g[n, :, j] for i in range(6)])
            beta = scores.exp() / scores.exp().sum()
            for i in range(6):
                out[n, :, j] += beta[i] * h[n, :, i]
    expected = x + 0.7 * F.conv2d(out.reshape(2, 4, 4, 6), layer.v.weight)
    torch.testing.assert_close(layer(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("demodulate", [True, False])
def test_modulated_convolution_is_a_convolution_per_sample(demodulate: bool) -> None:
    torch.manual_seed(0)
    layer = ModulatedConv(3, 5, style=4, demodulate=demodulate)
    x, w = torch.randn(6, 3, 7, 5), torch.randn(6, 4)
    s = layer.style(w)
    rows = []
    for n in range(6):
        kernel = layer.weight * layer.scale * s[n][None, :, None, None]
        if demodulate:
            kernel = kernel / (kernel.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        rows.append(F.conv2d(x[n : n + 1], kernel, padding=1))
    torch.testing.assert_close(layer(x, w), torch.cat(rows), rtol=1e-4, atol=1e-5)


def test_minibatch_deviation_is_that_of_its_group() -> None:
    x = torch.randn(8, 3, 2, 2)
    out = MinibatchStddev(4)(x)
    assert out.shape == (8, 4, 2, 2)
    torch.testing.assert_close(out[:, :3], x)
    for i in range(8):
        group = x[[j for j in range(8) if j % 2 == i % 2]]
        expected = group.var(0, correction=0).add(1e-8).sqrt().mean()
        torch.testing.assert_close(out[i, 3], expected.expand(2, 2))
    assert MinibatchStddev(4)(x[:1])[0, 3].max() < 1e-3


def test_equalized_layers_start_with_unit_variance() -> None:
    torch.manual_seed(0)
    x = torch.randn(500, 64)
    for rate in (1.0, 0.01):
        assert float(EqualLinear(64, 64, lr_multiplier=rate)(x).std().detach()) == pytest.approx(1, abs=0.1)
    assert float(EqualConv(16, 16)(torch.randn(8, 16, 16, 16)).std().detach()) == pytest.approx(1, abs=0.1)
    head = equalize(LinearHead(6))
    assert isinstance(head.linear, EqualLinear)
    assert head(torch.randn(4, 6)).shape == (4,)
    for table in (ProjectionHead(128, 10).table, equalize(ProjectionHead(128, 10)).table):
        projected = (table(torch.eye(10).repeat(200, 1)) * torch.randn(2000, 128)).sum(1)  # type: ignore[operator]
        assert float(projected.std().detach()) == pytest.approx(1, rel=0.2)


def test_noise_of_a_sample_is_its_seed_s() -> None:
    net, x = Noise(3, 4, 4), torch.zeros(3, 2, 4, 4)
    net.strength.data.fill_(1.0)
    assert list(net.state_dict()) == ["strength"]
    net.eval()
    many = net(x, [5, 6, 7])
    torch.testing.assert_close(net(x[:1], [6])[0], many[1], rtol=0, atol=0)
    assert not torch.equal(many[0], many[1])
    same = net(x)
    torch.testing.assert_close(same[0], same[2], rtol=0, atol=0)
    torch.testing.assert_close(same, Noise(3, 4, 4).eval().fixed.expand(3, 2, 4, 4), rtol=0, atol=0)
    net.train()
    torch.manual_seed(1)
    first = net(x)
    torch.manual_seed(1)
    torch.testing.assert_close(net(x), first, rtol=0, atol=0)
    assert not torch.equal(first[0], first[1])


@pytest.mark.parametrize("size", [(8, 8), (7, 9)])
def test_resampling_is_the_filter_1_3_3_1(size: tuple[int, int]) -> None:
    x = torch.randn(2, 3, *size)
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
    small = downsample(x)
    assert small.shape[2:] == (size[0] // 2, size[1] // 2)
    wide = F.pad(x, (1, 1, 1, 1))
    expected = sum(taps[i] * taps[j] * wide[:, :, 2 + i, 4 + j] for i in range(4) for j in range(4))
    torch.testing.assert_close(small[:, :, 1, 2], expected)
    large = upsample(x, (2 * size[0], 2 * size[1]))
    expected = (9 * x[:, :, 2, 2] + 3 * x[:, :, 1, 2] + 3 * x[:, :, 2, 1] + x[:, :, 1, 1]) / 16
    torch.testing.assert_close(large[:, :, 4, 4], expected)
    torch.testing.assert_close(upsample(x, (2 * size[0], 2 * size[1]), smooth=False)[:, :, ::2, ::2], x)


@pytest.mark.parametrize("kind", ["batch", "instance", "layer", "group", "pixel", "none"])
def test_norms_by_name(kind: str) -> None:
    x = 3 * torch.randn(4, 8, 6, 6) + 1
    y = norm(kind, 8)(x)  # type: ignore[arg-type]
    assert y.shape == x.shape
    over = {"batch": (0, 2, 3), "instance": (2, 3), "layer": (1, 2, 3), "group": (1, 2, 3)}.get(kind)
    if over:
        torch.testing.assert_close(y.mean(over), torch.zeros_like(y.mean(over)), atol=1e-5, rtol=0)
    if kind == "pixel":
        torch.testing.assert_close(y.square().mean(1), torch.ones(4, 6, 6))


def test_conditional_batch_norm_has_a_gain_per_class() -> None:
    layer, x = ConditionalBatchNorm(3, 2), torch.randn(4, 3, 5, 5)
    c = torch.eye(2)[[0, 1, 0, 1]]
    plain = nn.BatchNorm2d(3, affine=False)(x)
    torch.testing.assert_close(layer(x, c), plain)
    layer.affine.weight.data[:3, 1], layer.affine.weight.data[3:, 1] = 0.5, 2.0
    out = layer(x, c)
    torch.testing.assert_close(out[0::2], plain[0::2])
    torch.testing.assert_close(out[1::2], 1.5 * plain[1::2] + 2)


def test_pixel_norm_keeps_the_precision() -> None:
    assert PixelNorm()(torch.randn(2, 4).bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize("p", [0.0, 0.3, 0.999999])
def test_dropout_keeps_the_mean(p: float) -> None:
    torch.manual_seed(0)
    out = Dropout(p)(torch.ones(4000, 2500))
    assert torch.isfinite(out).all()
    assert float(out.mean()) == pytest.approx(1, abs=0.3)
    assert float((out == 0).float().mean()) == pytest.approx(p, abs=1e-3)


def test_dropout_drops_the_same_in_any_precision() -> None:
    layer = Dropout(0.3)
    kept = []
    for dtype in (torch.float32, torch.bfloat16):
        torch.manual_seed(3)
        kept.append(layer(torch.ones(64, 33, dtype=dtype)))
    assert kept[1].dtype == torch.bfloat16
    assert torch.equal(kept[0].to(torch.bfloat16), kept[1])


def test_flat_maps_give_their_gradient_back_as_they_lie() -> None:
    x = torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last).requires_grad_()
    weights = torch.randn(2, 60)
    flat = FlattenChannelsLast()(x)
    assert torch.equal(flat, x.flatten(1))
    (gradient,) = torch.autograd.grad((flat.square() * weights).sum(), x, create_graph=True)
    assert gradient.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(gradient.flatten(1), 2 * flat * weights)
    (second,) = torch.autograd.grad(gradient.sum(), x)
    torch.testing.assert_close(second.flatten(1), 2 * weights)


def test_outputs_of_a_new_generator_vary_with_the_latent_vector_after_he() -> None:
    def spread(initialization: str) -> float:
        torch.manual_seed(0)
        net = MLP(initialization=initialization).generator(Images(channels=1, height=8, width=8), 0)
        with torch.no_grad():
            return float(net(torch.randn(200, 100)).std(0).mean())

    assert spread("torch") < 0.05 < 0.2 < spread("he")
