"""Every model on every kind of image: shapes, gradients, float32 and the engine's bfloat16 copy."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from gancli.core.contracts import Tick
from gancli.core.errors import UsageError
from gancli.core.nets import Model
from gancli.core.registry import build, find, parts
from gancli.core.specs import Images
from gancli.models.layers import Discriminator, LinearHead, map_sizes
from gancli.training.net import EmaNet, Net

TINY: dict[str, Any] = {
    "z": 8, "w": 8, "width": 4, "g_width": 4, "d_width": 4, "widest": 8, "mapping": 2, "blocks": 1,
    "g_widths": (16,), "d_widths": (16,), "hold": 10, "fade": 10,
    "mixed": 4, "side": 32,
}  # fmt: skip
NAMES = list(parts("model"))
SHAPES = [
    Images(channels=c, height=h, width=w) for c, h, w in [(1, 28, 28), (3, 32, 32), (3, 64, 48), (1, 8, 8), (3, 17, 23)]
]
PRECISIONS = [torch.float32, torch.bfloat16]
VARIANTS = [
    ("resnet", {"spectral": "both", "attention": "middle", "g_norm": "batch"}),
    ("resnet", {"g_norm": "layer", "d_norm": "group"}),
    ("dcgan", {"spectral": "both", "g_norm": "instance", "d_norm": "none"}),
    ("dcgan", {"g_norm": "pixel", "d_norm": "layer"}),
    ("dcgan", {"g_norm": "group", "d_norm": "instance"}),
    ("style", {"mixing": 0.9, "group": 1}),
    ("r3", {"smooth": False, "expansion": 1.5, "group": 4}),
    ("r3", {"stem": True, "group": 4}),
    ("msg", {"group": 1}),
    ("fastgan", {"reach": 1, "d_norm": "batch", "spectral": "both"}),
    ("fastgan", {"full_size": 3}),
]


def tiny(name: str, **options: Any) -> Model:
    fields = find("model", name).model_fields
    return build("model", {"name": name, **{k: v for k, v in TINY.items() if k in fields}, **options})  # type: ignore[return-value]


def played(model: Model, shape: Images, dtype: torch.dtype, condition: int = 0, tick: int = 10**6) -> None:
    """One pass and one gradient of each net as the engine holds them."""
    torch.manual_seed(0)
    trunk = model.discriminator(shape, condition)
    d = Discriminator(trunk, trunk.wrap_head(LinearHead(trunk.out_features)))
    rule: Any = build("optimizer", "adam")
    cpu = torch.device("cpu")
    nets = {"G": Net(model.generator(shape, condition), rule, cpu, dtype), "D": Net(d, rule, cpu, dtype)}
    working = {k: n.working for k, n in nets.items()}
    model.prepare(working, shape, Tick(0, 0, tick))
    real = model.view(working, torch.rand(4, shape.channels, shape.height, shape.width).to(dtype))
    c = torch.eye(condition)[torch.arange(4) % condition] if condition else None
    fake = working["G"](torch.randn(4, model.z).to(dtype), c)
    assert fake.shape == real.shape
    assert fake.dtype == dtype
    logits = working["D"](torch.cat([real, fake]), None if c is None else torch.cat([c, c]))
    assert logits.shape in ((8,), (8, 4))  # of one critic, or of several
    assert logits.dtype == torch.float32
    for net in nets.values():
        gradients = torch.autograd.grad(logits.sum(), net.parameters, retain_graph=True, allow_unused=True)
        assert sum(g is None for g in gradients) <= len(gradients) // 2
        known = [g for g in gradients if g is not None]
        assert all(torch.isfinite(g).all() for g in known)
        assert max(float(g.abs().max()) for g in known) > 0
        before = net.flat.detach().clone()
        net.collect(gradients, True)
        net.update(0, 0)
        assert not torch.equal(net.flat, before)
    with torch.no_grad():
        images = EmaNet(nets["G"]).follow(nets["G"])(torch.randn(2, model.z), None if c is None else c[:2])
    assert images.shape == (2, shape.channels, shape.height, shape.width)
    assert images.dtype == torch.float32


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: f"{s.channels}x{s.height}x{s.width}")
@pytest.mark.parametrize("name", NAMES)
def test_every_model(name: str, shape: Images, dtype: torch.dtype) -> None:
    played(tiny(name), shape, dtype)


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("name", NAMES)
def test_with_a_condition(name: str, dtype: torch.dtype) -> None:
    played(tiny(name), Images(channels=1, height=28, width=28, classes=5), dtype, condition=5)


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_options(name: str, options: dict[str, Any], dtype: torch.dtype) -> None:
    played(tiny(name, **options), Images(channels=3, height=33, width=30), dtype)


@pytest.mark.parametrize("name", NAMES)
def test_a_slope_can_be_penalised(name: str) -> None:
    """The gradient of a gradient exists for every D (batch norms aside, of which it is not a sample's own)."""
    model, shape = tiny(name), Images(channels=1, height=28, width=28)
    trunk = model.discriminator(shape, 0)
    d = Discriminator(trunk, trunk.wrap_head(LinearHead(trunk.out_features)))
    model.prepare({"D": d}, shape, Tick(0, 0, 15))
    x = model.view({"D": d}, torch.rand(4, 1, 28, 28)).requires_grad_()
    (slope,) = torch.autograd.grad(d(x).sum(), x, create_graph=True)
    gradients = torch.autograd.grad(slope.square().sum(), [*d.parameters()], allow_unused=True)
    assert any(g is not None and g.abs().max() > 0 for g in gradients)
    assert all(torch.isfinite(g).all() for g in gradients if g is not None)


@pytest.mark.parametrize("name", [n for n in NAMES if n != "mlp"])
def test_sides_that_do_not_fit_are_refused(name: str) -> None:
    for shape in (Images(channels=1, height=4, width=28), Images(channels=1, height=1032, width=1032)):
        with pytest.raises(UsageError, match="8 to 1,024"):
            tiny(name).generator(shape, 0)


def test_a_map_for_attention_must_exist() -> None:
    with pytest.raises(UsageError, match="no feature map of height 9"):
        tiny("resnet", attention=9).generator(Images(channels=1, height=28, width=28), 0)


@pytest.mark.parametrize(("side", "small"), [(16, 4), (28, 7), (64, 4), (256, 4)])
def test_stages_end_at_four_to_seven(side: int, small: int) -> None:
    assert map_sizes(Images(channels=1, height=side, width=side))[-1] == (small, small)
