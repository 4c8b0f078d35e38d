"""Projection: where it begins, which class it finds, what its gradient is told."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gancli.core.contracts import Tick
from gancli.core.errors import UsageError
from gancli.core.registry import build
from gancli.core.specs import Images
from gancli.inference.generator import Model
from gancli.inference.projection import project

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]


class Loud(nn.Module):
    """Images far beyond [-1, 1], as nets without a tanh may give them; a class has a brightness of its own."""

    def __init__(self, loudness: float) -> None:
        super().__init__()
        self.loudness = nn.Parameter(torch.tensor(loudness))
        self.drawn = 0

    def forward(self, z: Tensor, c: Tensor | None) -> Tensor:
        self.drawn += len(z)
        bright = 0.0 if c is None else (c @ torch.linspace(-0.9, 0.9, c.shape[1]).to(c))[:, None]
        return (self.loudness * (z + 1.5) if c is None else bright + 0.05 * z).reshape(-1, 1, 4, 4)


def made(condition: str | dict[str, Any] = "none", classes: int = 0, attributes: int = 0) -> Model:
    task: Any = build("task", {"name": "generate", "model": {"name": "mlp", "z": 16}, "condition": condition})
    spec = Images(channels=1, height=4, width=4, classes=classes, attributes=attributes)
    return Model(task, {"G": Loud(4.0).requires_grad_(False)}, spec, Tick(0, 0, 0), {})


def drawn(model: Model) -> int:
    net = model.nets["G"]
    assert isinstance(net, Loud)
    return net.drawn


@pytest.mark.parametrize("device", DEVICES)
def test_pixels_beyond_white_are_brought_back(device: str) -> None:
    model = made()
    model.nets["G"].to(device)
    found = project(model, torch.full((2, 1, 4, 4), -1.0), tries=1, steps=300)
    assert found.error.max() < 0.01
    assert found.images.min() >= -1
    assert found.z.device.type == found.images.device.type == found.error.device.type == "cpu"


def test_candidates_are_drawn_once_for_all_targets() -> None:
    model = made()
    targets = model.sample(seeds=[40, 7, 50])
    before = drawn(model)
    found = project(model, targets, tries=64, steps=1, lr=1e-9)
    assert drawn(model) - before == 64 + 3 + 3
    torch.testing.assert_close(found.images, targets, atol=1e-4, rtol=0)


@pytest.mark.parametrize("tries", [2, 64])
def test_a_class_that_is_not_given_is_found(tries: int) -> None:
    model = made("concat", classes=7)
    labels = [4, 0, 6]
    targets = model.sample(seeds=[900, 901, 902], labels=labels)
    found = project(model, targets, tries=tries, steps=5)
    assert found.labels == labels
    assert found.error.max() < 0.05


def test_a_class_that_is_given_is_kept() -> None:
    model = made("concat", classes=7)
    targets = model.sample(seeds=[900, 901, 902], labels=[4, 0, 6])
    found = project(model, targets, [5, 1, 5], tries=8, steps=1, lr=1e-9)
    assert found.labels == [5, 1, 5]
    codes = [model.task.condition_vectors([0], model.spec, [y]) for y in (5, 1, 5)]  # type: ignore[attr-defined]
    torch.testing.assert_close(
        found.images, torch.cat([model.nets["G"](found.z[k : k + 1], codes[k]) for k in range(3)])
    )


def test_without_classes_none_is_found() -> None:
    assert project(made(), torch.zeros(1, 1, 4, 4), tries=2, steps=1).labels is None


@pytest.mark.parametrize(
    ("labels", "why"), [([99, 99], "no class 99"), ([0], "1 labels for 2"), ([-1, 0], "no class -1")]
)
def test_labels_are_checked(labels: list[int], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        project(made("concat", classes=7), torch.zeros(2, 1, 4, 4), labels, steps=1, tries=2)
    with pytest.raises(UsageError, match="not class-conditional"):
        project(made(classes=7), torch.zeros(2, 1, 4, 4), [0, 1], steps=1, tries=2)
