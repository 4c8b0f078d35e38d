"""Translators and patch critics: shapes, sizes, receptive fields, upsampling against its plain form."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from gancli.core.errors import UsageError
from gancli.core.registry import build, parts
from gancli.models.translators import UpConv, extended, reflected
from gancli.training.net import Net

NAMES = list(parts("translator"))
CRITICS = list(parts("critic"))
SMALL: dict[str, Any] = {"width": 4, "widest": 8, "blocks": 2}


def small(kind: str, name: str, **options: Any) -> Any:
    fields = parts(kind)[name].model_fields
    return build(kind, {"name": name, **{k: v for k, v in SMALL.items() if k in fields}, **options})


def test_upsampling_is_nearest_neighbor_and_a_convolution() -> None:
    torch.manual_seed(0)
    layer, x = UpConv(5, 7), torch.randn(2, 5, 6, 9)
    large = F.pad(F.interpolate(x, scale_factor=2, mode="nearest"), (1, 1, 1, 1), mode="replicate")
    wanted = F.conv2d(large, layer.weight, layer.bias)
    torch.testing.assert_close(layer(x), wanted, atol=1e-5, rtol=1e-5)
    ours, plain = (torch.autograd.grad((y * y).sum(), layer.weight)[0] for y in (layer(x), wanted))
    torch.testing.assert_close(ours, plain, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_reflection_is_numpys(n: int) -> None:
    assert reflected(n, 20) == np.pad(np.arange(n), (0, 20 - n), mode="reflect").tolist()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(16, 16), (32, 32), (64, 48), (65, 47)])
def test_keeps_the_size(name: str, shape: tuple[int, int]) -> None:
    net = small("translator", name).net(2, 3, shape).eval()
    for size in (shape, (1, 1), (5, 90), (shape[0] + 3, shape[1] + 1)):
        features: list[torch.Tensor] = []
        made = net(torch.rand(2, 2, *size), features)
        assert made.shape == (2, 3, *size)
        assert len(features) >= 2
        assert torch.isfinite(made).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("kind", "name"), [("translator", n) for n in NAMES] + [("critic", n) for n in CRITICS])
def test_gradients_reach_all_weights(kind: str, name: str, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    part = small(kind, name)
    module = part.net(3, 3, (32, 32)) if kind == "translator" else part.net(3, (32, 32))
    with torch.no_grad():
        for weight in module.parameters():  # some start at zero, which stops gradients
            weight.add_(0.01 * torch.randn_like(weight))
    rule: Any = build("optimizer", "adam")
    net = Net(module, rule, torch.device("cpu"), dtype)
    out = net.working(torch.rand(4, 3, 32, 32).to(dtype))
    assert out.dtype == (dtype if kind == "translator" else torch.float32)
    found = torch.autograd.grad(out.square().mean(), net.parameters)
    assert all(torch.isfinite(g).all() for g in found)
    assert sum(float(g.abs().max()) == 0 for g in found) == 0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(16, 16), (32, 32)])
def test_grid_and_reach(name: str, size: tuple[int, int]) -> None:
    """Without norms: a shift by the grid shifts the output; a change farther away than the reach changes nothing."""
    torch.manual_seed(0)
    part = small("translator", name, **({"norm": "none"} if "norm" in parts("translator")[name].model_fields else {}))
    net, grid, reach = part.net(1, 1, size).eval(), part.grid(size), part.reach(size)
    for layer in net.modules():  # large weights: tiny ones would hide a dependence
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.normal_(layer.weight, 0, 0.3)
    side = -(-(4 * reach + 8 * grid) // grid) * grid
    x = torch.rand(1, 1, side, side)
    with torch.no_grad():
        made, shifted = net(x), net(x.roll((grid, grid), (2, 3)))
        inner = slice(reach + grid, side - reach)
        torch.testing.assert_close(
            shifted[..., inner, inner], made.roll((grid, grid), (2, 3))[..., inner, inner], atol=1e-4, rtol=1e-4
        )
        for at in range(side // 2, side // 2 + grid):
            changed = x.clone()
            changed[:, :, at, at] += 10
            where = (net(changed) != made).nonzero()[:, 2:]
            assert int((where - at).abs().max()) <= reach
            assert len(where)


def test_extended_images_begin_with_the_image() -> None:
    x = torch.arange(12.0).reshape(1, 1, 3, 4)
    big = extended(x, 8, (1, 1))
    assert big.shape == (1, 1, 8, 8)
    torch.testing.assert_close(big[:, :, :3, :4], x)
    assert extended(big, 8, (1, 1)) is big


def test_too_small_images_are_rejected() -> None:
    with pytest.raises(UsageError, match="image-size"):
        small("translator", "unet").net(1, 1, (3, 3))
    with pytest.raises(UsageError, match="layers=1"):
        small("critic", "patch", layers=3).net(1, (16, 16))


@pytest.mark.parametrize(("layers", "field"), [(1, 16), (2, 34), (3, 70)])
def test_patches_have_the_size_that_the_paper_says(layers: int, field: int) -> None:
    net = small("critic", "patch", layers=layers, norm="none").net(1, (128, 128))
    x = torch.rand(1, 1, 128, 128, requires_grad=True)
    logits = net(x)
    side = int(logits.shape[1] ** 0.5)
    (gradient,) = torch.autograd.grad(logits[0, (side // 2) * side + side // 2], x)
    rows = gradient[0, 0].abs().sum(1).nonzero()
    assert int(rows.max() - rows.min()) + 1 == field
