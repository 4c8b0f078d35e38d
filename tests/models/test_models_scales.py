"""Growing nets and multi-scale nets."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from gancli.core.contracts import Tick
from gancli.core.registry import build
from gancli.core.specs import Images
from gancli.models.layers import map_sizes
from gancli.models.msg import packed, unpacked

SHAPE = Images(channels=1, height=28, width=28)
SHAPES = [Images(channels=c, height=h, width=w) for c, h, w in [(1, 28, 28), (3, 64, 48), (3, 17, 23), (1, 8, 8)]]


def growing():  # type: ignore[no-untyped-def]
    return build("model", {"name": "progressive", "z": 8, "width": 4, "widest": 8, "hold": 100, "fade": 50})


def test_the_level_is_a_function_of_the_images() -> None:
    model = growing()
    at = [model.level(i, 3) for i in (0, 99, 100, 125, 150, 249, 250, 275, 300, 10**7)]
    assert at == [0, 0, 0, 0.5, 1, 1, 1, 1.5, 2, 2]


def test_growing_is_fitted_to_the_run() -> None:
    model: Any = build("model", {"name": "progressive"})
    fitted = model.resolved(1_500_000, SHAPE)
    assert (fitted.hold, fitted.fade) == (150_000, 150_000)
    assert fitted.level(600_000, 3) == 2
    assert growing().resolved(10, SHAPE) == growing()
    assert model.level(1_200_000, 3) == 1  # the paper's


@pytest.mark.parametrize(("images", "side"), [(0, 7), (125, 14), (200, 14), (275, 28), (999, 28)])
def test_training_sees_the_present_scale_and_sampling_the_full_one(images: int, side: int) -> None:
    torch.manual_seed(0)
    model = growing()
    nets = {"G": model.generator(SHAPE, 0), "D": model.discriminator(SHAPE, 0)}
    model.prepare(nets, SHAPE, Tick(0, 0, images))
    x = model.view(nets, torch.rand(4, 1, 28, 28))
    assert x.shape == (4, 1, side, side)
    assert nets["G"](torch.randn(4, 8)).shape == x.shape
    assert nets["D"](x).shape == (4, nets["D"].out_features)
    assert nets["G"].eval()(torch.randn(4, 8)).shape == (4, 1, 28, 28)


@pytest.mark.parametrize("shape", [SHAPE, Images(channels=3, height=23, width=37)])
@pytest.mark.parametrize("images", [0, 99, 117, 150, 200, 275, 300, 10**6])
def test_the_full_image_is_the_present_scale_s_enlarged(shape: Images, images: int) -> None:
    """Bitwise; and by the buffer alone, which is what an average or a loaded net is given."""
    torch.manual_seed(0)
    net, other, z = growing().generator(shape, 0), growing().generator(shape, 0), torch.randn(3, 8)
    growing().prepare({"G": net}, shape, Tick(0, 0, images))
    other.load_state_dict(net.state_dict())
    with torch.no_grad():
        expected = F.interpolate(net(z), (shape.height, shape.width), mode="nearest")
        assert torch.equal(net.eval()(z), expected)
        assert torch.equal(other.eval()(z), expected)


def test_a_scale_fades_in_without_a_jump() -> None:
    torch.manual_seed(0)
    model = growing()
    nets = {"G": model.generator(SHAPE, 0), "D": model.discriminator(SHAPE, 0)}
    z, x = torch.randn(4, 8), torch.rand(4, 1, 28, 28)
    out = []
    for images in (100, 101, 149, 150, 151):
        model.prepare(nets, SHAPE, Tick(0, 0, images))
        real = model.view(nets, x)
        nets["G"].eval()
        out.append((nets["G"](z).detach(), nets["D"](real).detach()))
    for before, after in ((0, 1), (2, 3), (3, 4)):
        for a, b in zip(out[before], out[after], strict=True):
            assert (a - b).abs().mean() < 0.1 * (a.std() + b.std())
    torch.testing.assert_close(out[3][0], out[4][0])


def test_reals_fade_as_the_fakes_do() -> None:
    model, x = growing(), torch.rand(2, 1, 28, 28)
    small = F.avg_pool2d(x, 2)
    blurred = F.interpolate(F.avg_pool2d(small, 2), scale_factor=2)
    nets = {"D": model.discriminator(SHAPE, 0)}
    model.prepare(nets, SHAPE, Tick(0, 0, 110))
    torch.testing.assert_close(model.view(nets, x), 0.2 * small + 0.8 * blurred)


@pytest.mark.parametrize("shape", SHAPES)
def test_scales_are_packed_without_loss(shape: Images) -> None:
    sizes = map_sizes(shape)
    images = [torch.rand(2, shape.channels, *s) for s in sizes]
    tensor = packed(images)
    assert tensor.shape == (2, shape.channels, shape.height, shape.width + shape.width // 2)
    for a, b in zip(unpacked(tensor, sizes), images, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_every_scale_has_a_say() -> None:
    torch.manual_seed(0)
    model = build("model", {"name": "msg", "z": 8, "width": 4, "widest": 8})
    g, d = model.generator(SHAPE, 0), model.discriminator(SHAPE, 0)  # type: ignore[attr-defined]
    fake = g(torch.randn(4, 8))
    (gradient,) = torch.autograd.grad(d(fake).sum(), fake)
    for part in unpacked(gradient, map_sizes(SHAPE)):
        assert part.abs().max() > 0
    torch.testing.assert_close(g(torch.zeros(1, 8))[:, :, :, :28], g.eval()(torch.zeros(1, 8)))
