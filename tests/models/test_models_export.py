"""torch.export takes the generator of every preset, in evaluation mode, for batches of any size; no reason not to is known."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram, export

from gancli.core import kernels
from gancli.core.config import Config, presets, read_preset, resolve
from gancli.core.contracts import Tick
from gancli.core.kernels import accelerate, plain
from gancli.core.specs import Images

SPEC = Images(channels=1, height=28, width=28, classes=4, attributes=2)
PRESETS = list(presets())
CONDITIONS = ["embedding", "infogan"]


def configured(name: str, **task: Any) -> Config:
    return resolve({"preset": name}, read_preset(name), {"data": {"source": "digits"}, "task": task})


def generator(cfg: Config) -> nn.Module:
    """As after some training: no statistic, strength or gain is where it started."""
    torch.manual_seed(0)
    net = cfg.task.nets(SPEC)["G"]
    with torch.no_grad():
        for t in (*net.parameters(), *net.buffers()):
            if t.is_floating_point():
                t.add_(0.05 * torch.rand_like(t))
    return net.eval()


def inputs(cfg: Config) -> tuple[Tensor, Tensor | None]:
    task: Any = cfg.task
    width = task.condition.width(SPEC)
    return torch.randn(7, task.model.z), torch.rand(7, width) if width else None


def exported(net: nn.Module, z: Tensor, c: Tensor | None) -> ExportedProgram:
    n = Dim("n", min=1)
    few = (z[:2], None if c is None else c[:2])
    return export(net, few, dynamic_shapes=({0: n}, None if c is None else {0: n}))


def assert_the_same(program: ExportedProgram, net: nn.Module, z: Tensor, c: Tensor | None) -> None:
    """The same images from batches of several sizes, by torch's own operations alone."""
    for n in (1, 2, 7):
        given = (z[:n], None if c is None else c[:n])
        with torch.no_grad():
            images, expected = program.module()(*given), net(*given)
        assert images.shape == (n, SPEC.channels, SPEC.height, SPEC.width)
        torch.testing.assert_close(images, expected, rtol=0, atol=1e-5)
    for node in program.graph.nodes:
        if node.op == "call_function":
            assert str(node.target).startswith("aten.") or node.target.__module__ == "_operator", node.target


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_s_generator_is_exported(name: str) -> None:
    cfg = configured(name)
    net, given = generator(cfg), inputs(cfg)
    assert_the_same(exported(net, *given), net, *given)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_with_a_condition(condition: str) -> None:
    cfg = configured("dcgan", condition={"name": condition})
    net, given = generator(cfg), inputs(cfg)
    assert_the_same(exported(net, *given), net, *given)


@pytest.mark.parametrize("images", [0, 30_000, 50_000])
def test_a_net_that_is_growing_is_exported_as_far_as_it_has_grown(images: int) -> None:
    cfg = configured(
        "progressive", model={**read_preset("progressive")["task"]["model"], "hold": 20_000, "fade": 20_000}
    )
    net, given, task = generator(cfg), inputs(cfg), cfg.task
    task.prepare({"G": net}, SPEC, Tick(0, 0, images))
    assert_the_same(exported(net, *given), net, *given)


def test_a_net_that_was_accelerated_is_exported_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "by_onednn", lambda: True)
    cfg = configured("textbook")
    net, given = generator(cfg), inputs(cfg)
    expected = net(*given)
    assert isinstance(accelerate(net).net[0], kernels.Linear)  # type: ignore[index]
    torch.testing.assert_close(net(*given), expected, rtol=1e-5, atol=1e-5)
    assert_the_same(exported(plain(net), *given), net, *given)
