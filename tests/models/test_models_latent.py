"""Paths, truncation and mixed styles."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from gancli.core.errors import UsageError
from gancli.core.registry import build
from gancli.core.specs import Images
from gancli.models.latents import closed_path, lerp, mix_styles, slerp, synthesize
from gancli.models.layers import ConcatCondition, EmbeddedGenerator


def style():  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    options = {"name": "style", "z": 8, "w": 8, "width": 4, "widest": 8, "mapping": 2}
    return build("model", options).generator(Images(channels=1, height=16, width=16), 0)  # type: ignore[attr-defined]


def test_paths_begin_and_end_where_they_should() -> None:
    a, b, t = torch.randn(16), torch.randn(16), torch.linspace(0, 1, 5)
    for path in (lerp, slerp):
        out = path(a, b, t)
        assert out.shape == (5, 16)
        torch.testing.assert_close(out[0], a)
        torch.testing.assert_close(out[-1], b)
    torch.testing.assert_close(lerp(a, b, t)[2], (a + b) / 2)


def test_slerp_keeps_to_the_sphere_at_even_angles() -> None:
    a, b = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    out = slerp(a, b, torch.linspace(0, 1, 7))
    torch.testing.assert_close(out.norm(dim=1), torch.ones(7))
    torch.testing.assert_close(torch.atan2(out[:, 1], out[:, 0]), torch.linspace(0, torch.pi / 2, 7))
    torch.testing.assert_close(slerp(a, a, torch.tensor([0.3])), a[None])


@pytest.mark.parametrize("stops", [1, 2, 3, 8])
def test_a_closed_path_goes_through_its_stops_without_a_jump(stops: int) -> None:
    points = torch.randn(stops, 64, generator=torch.Generator().manual_seed(stops))
    n = 200
    t = torch.linspace(0, stops, stops * n + 1)[:-1]
    path = closed_path(points, t)
    torch.testing.assert_close(path[::n], points)
    norms = path.norm(dim=1)
    assert points.norm(dim=1).min() * 0.999 <= norms.min()
    assert norms.max() <= points.norm(dim=1).max() * 1.001
    steps = torch.cat([path, path[:1]]).diff(dim=0)
    turns = (steps - steps.roll(1, 0)).norm(dim=1)  # from each step to the next, the end to the beginning included
    assert turns.max() <= 0.2 * steps.norm(dim=1).max() + 1e-4


@pytest.mark.parametrize("name", ["progressive", "msg"])
def test_no_truncation_of_a_z_that_is_normalized(name: str) -> None:
    part: Any = build("model", name)
    net = part.generator(Images(channels=1, height=8, width=8), 0).eval()
    z = torch.randn(2, part.z)
    torch.testing.assert_close(net(z, None), net(z / 2, None))
    with pytest.raises(UsageError, match="normalizes z"):
        synthesize(net, z, truncation=0.5)


def test_truncation_in_w_ends_at_the_mean() -> None:
    net, z = style(), torch.randn(4, 8)
    net(z)  # the mean moves
    net.eval()
    with torch.no_grad():
        none, full = synthesize(net, z, truncation=0.0), synthesize(net, z)
        torch.testing.assert_close(none[0], none[1])
        assert not torch.allclose(full[0], full[1])
        torch.testing.assert_close(full, net(z), rtol=0, atol=0)
        mean = net.mapping.mean
        torch.testing.assert_close(net.styles(z, None, 0.5), (mean + net.styles(z)) / 2)
        plain = ConcatCondition(torch.nn.Linear(8, 1))
        torch.testing.assert_close(synthesize(plain, z, truncation=0.5), plain(z / 2))  # it has no mapping


def test_mixed_styles_are_those_of_either_at_the_ends() -> None:
    net, a, b = style().eval(), (torch.randn(2, 8), None), (torch.randn(2, 8), None)
    with torch.no_grad():
        torch.testing.assert_close(mix_styles(net, a, b, 0), net(b[0]))
        torch.testing.assert_close(mix_styles(net, a, b, net.depth), net(a[0]))
        between = mix_styles(net, a, b, 2)
        torch.testing.assert_close(mix_styles(net, a, b), mix_styles(net, a, b, 3))  # half of its six layers
        drawn_in = mix_styles(net, a, b, 2, truncation=0.5)
    assert not torch.allclose(between, net(a[0]))
    assert not torch.allclose(between, drawn_in)
    with pytest.raises(UsageError, match="no styles"):
        mix_styles(torch.nn.Linear(8, 1), a, b, 1)
    with pytest.raises(UsageError, match="no layer 7: the model has 6"):
        mix_styles(net, a, b, 7)


def test_each_side_of_a_mix_has_its_own_condition() -> None:
    torch.manual_seed(0)
    inner = build("model", {"name": "style", "z": 8, "w": 8, "width": 4, "widest": 8, "mapping": 2})
    net = EmbeddedGenerator(inner.generator(Images(channels=1, height=16, width=16), 3), torch.nn.Linear(5, 3)).eval()  # type: ignore[attr-defined]
    a, b = torch.randn(2, 8), torch.randn(2, 8)
    c, d = torch.eye(5)[:2], torch.eye(5)[3:]
    with torch.no_grad():
        torch.testing.assert_close(mix_styles(net, (a, c), (b, d), 6), net(a, c))
        torch.testing.assert_close(mix_styles(net, (a, c), (b, d), 0), net(b, d))
        torch.testing.assert_close(mix_styles(net, (a, c), (b, c), 0), net(b, c))
        torch.testing.assert_close(
            synthesize(net, a, c, [3, 4], 0.5), synthesize(net.net, a, net.embedding(c), [3, 4], 0.5), rtol=0, atol=0
        )
