"""torch.export takes the generator of every preset, in evaluation mode, for batches of any size; no reason not to is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram, export

from gancli.core import kernels
from gancli.core.config import Config, presets, read_preset, resolve
from gancli.core.contracts import Tick
from gancli.core.kernels import accelerate, restore
from gancli.core.specs import Degraded, Domains, Images, Pairs, Spec
from gancli.data.images import ImageDataset

SPEC = Images(channels=1, height=28, width=28, classes=4, attributes=2)
COLOR = Images(channels=3, height=16, width=16)
SPECS: dict[type[Spec], Spec] = {
    Images: SPEC,
    Pairs: Pairs(source=Images(channels=1, height=16, width=16), target=COLOR),
    Domains: Domains(a=COLOR, b=COLOR),
}
PRESETS = [name for name in presets() if not name.startswith("text-")]  # lines are not exported
CONDITIONS = ["embedding", "infogan"]


def configured(name: str, **task: Any) -> Config:
    return resolve({"preset": name}, read_preset(name), {"data": {"source": "digits"}, "task": task})


def spec_for(cfg: Config) -> Spec:
    """Data that a preset's task accepts."""
    task: Any = cfg.task
    if task.accepts is not Degraded:
        return SPECS[task.accepts]
    return task.dataset(ImageDataset(np.zeros((2, 3, 16, 16), np.uint8))).spec  # type: ignore[no-any-return]


def trained(cfg: Config, spec: Spec) -> dict[str, nn.Module]:
    """As after some training: no statistic, strength or gain is where it started."""
    torch.manual_seed(0)
    nets = cfg.task.nets(spec)
    with torch.no_grad():
        for net in nets.values():
            for t in (*net.parameters(), *net.buffers()):
                if t.is_floating_point():
                    t.add_(0.05 * torch.rand_like(t))
    return {name: net.eval() for name, net in nets.items()}


def generator(cfg: Config) -> nn.Module:
    return trained(cfg, SPEC)["G"]


Given = tuple[Tensor | None, ...] | dict[str, Tensor]  # 7 rows of each input, in order or by name


def inputs(cfg: Config) -> Given:
    """What G is given."""
    task: Any = cfg.task
    width = task.condition.width(SPEC)
    return torch.randn(7, task.model.z), torch.rand(7, width) if width else None


def rows(given: Given, n: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The first n rows, as positional arguments and by name."""
    if isinstance(given, dict):
        return (), {name: x[:n] for name, x in given.items()}
    return tuple(None if x is None else x[:n] for x in given), {}


def exported(net: nn.Module, given: Given) -> ExportedProgram:
    args, named = rows(given, 2)
    sizes = {0: Dim("n", min=1)}
    shapes: Any = dict.fromkeys(named, sizes) if named else tuple(None if x is None else sizes for x in args)
    return export(net, args, named, dynamic_shapes=shapes)


def assert_the_same(
    program: ExportedProgram, net: nn.Module, given: Given, shape: tuple[int, ...] | None = None
) -> None:
    """The same images from batches of several sizes, by torch's own operations alone."""
    for n in (1, 2, 7):
        args, named = rows(given, n)
        with torch.no_grad():
            images, expected = program.module()(*args, **named), net(*args, **named)
        assert images.shape == (n, *(shape or (SPEC.channels, SPEC.height, SPEC.width)))
        torch.testing.assert_close(images, expected, rtol=0, atol=1e-5)
    for node in program.graph.nodes:
        if node.op == "call_function":
            assert str(node.target).startswith("aten.") or node.target.__module__ == "_operator", node.target


@pytest.mark.parametrize("name", [name for name in PRESETS if configured(name).task.accepts is Images])
def test_a_preset_s_generator_is_exported(name: str) -> None:
    cfg = configured(name)
    net, given = generator(cfg), inputs(cfg)
    assert_the_same(exported(net, given), net, given)


@pytest.mark.parametrize("name", PRESETS)
def test_so_is_what_its_task_gives_to_export(name: str) -> None:
    """With labels and attributes by name, cropping and clamping inside."""
    cfg = configured(name)
    spec = spec_for(cfg)
    made = cfg.task.exportable(trained(cfg, spec), spec)
    given: Given = {
        k: torch.arange(7) % SPEC.classes if k == "label" else torch.randn(7, *x.shape[1:])
        for k, x in made.inputs.items()
    }
    shape = None if spec is SPEC else (3, 16, 16)
    assert_the_same(exported(made.module, given), made.module, given, shape)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_with_a_condition(condition: str) -> None:
    cfg = configured("dcgan", condition={"name": condition})
    net, given = generator(cfg), inputs(cfg)
    assert_the_same(exported(net, given), net, given)


@pytest.mark.parametrize("images", [0, 30_000, 50_000])
def test_a_net_that_is_growing_is_exported_as_far_as_it_has_grown(images: int) -> None:
    cfg = configured(
        "progressive", model={**read_preset("progressive")["task"]["model"], "hold": 20_000, "fade": 20_000}
    )
    net, given, task = generator(cfg), inputs(cfg), cfg.task
    task.prepare({"G": net}, SPEC, Tick(0, 0, images))
    assert_the_same(exported(net, given), net, given)


def test_a_net_that_was_accelerated_is_exported_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "onednn_is_faster", lambda: True)
    cfg = configured("textbook")
    net, given = generator(cfg), inputs(cfg)
    expected = net(*given)
    assert isinstance(accelerate(net).net[0], kernels.Linear)  # type: ignore[index]
    torch.testing.assert_close(net(*given), expected, rtol=1e-5, atol=1e-5)
    assert_the_same(exported(restore(net), given), net, given)
