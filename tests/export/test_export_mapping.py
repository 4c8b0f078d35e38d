"""Tasks that map images to images are exported in each direction, for images of any size that their nets take."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gancli.core.config import read_preset, resolve
from gancli.core.contracts import Tick
from gancli.core.errors import UsageError
from gancli.core.specs import Degraded, Domains, Images
from gancli.export.contracts import Source
from gancli.export.formats.onnx import session
from gancli.export.writing import export, format_of
from gancli.inference.generator import Model

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")


@dataclass(frozen=True)
class TwoDomains(Source):
    """A small CycleGAN with random weights."""

    @cached_property
    def model(self) -> Model:
        spec = Domains(a=Images(channels=3, height=16, width=16), b=Images(channels=1, height=16, width=16))
        small = {"task": {"translator": {"width": 4}}, "data": {"source": "digits"}}
        task = resolve({"preset": "cyclegan"}, read_preset("cyclegan"), small).task
        torch.manual_seed(0)
        nets = {name: net.eval().requires_grad_(False) for name, net in task.nets(spec).items()}
        return Model(task, nets, spec, Tick(0, 0, 0), {})


@pytest.mark.parametrize("direction", ["a-to-b", "b-to-a"])
def test_an_image_of_another_size(tmp_path: Path, direction: str) -> None:
    source = TwoDomains(tmp_path, direction=direction)
    parity = export(format_of("onnx"), source, tmp_path / "it.onnx")
    assert parity is not None
    assert parity.largest < 1e-4
    image = np.random.Generator(np.random.PCG64(0)).uniform(-1, 1, (1, 3 if direction == "a-to-b" else 1, 28, 44))
    images = session(tmp_path / "it.onnx")({"image": image.astype(np.float32)})
    assert images.shape == (1, 1 if direction == "a-to-b" else 3, 28, 44)


@dataclass(frozen=True)
class Restoring(Source):
    """A small net that fills holes, or another, with random weights."""

    preset: str = "inpaint"
    side: int = 16

    @cached_property
    def model(self) -> Model:
        small = {"task": {"translator": {"width": 4, "blocks": 1}}, "data": {"source": "digits"}}
        task: Any = resolve({"preset": self.preset}, read_preset(self.preset), small).task
        masks = any(part.masks for part in task.degrade)
        spec = Degraded(image=Images(channels=1, height=self.side, width=self.side), mask=masks, scale=task.scale)
        task = task.resolved(1000, spec)
        torch.manual_seed(0)
        nets = {name: net.eval().requires_grad_(False) for name, net in task.nets(spec).items()}
        for parameter in nets["G"].parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
        return Model(task, nets, spec, Tick(0, 0, 0), {})


@pytest.mark.parametrize(
    ("preset", "side"), [("inpaint", 16), ("upscale", 8)]
)  # 8: the input is as small as the net takes
def test_restoration_takes_batches_of_any_size(preset: str, side: int, tmp_path: Path) -> None:
    parity = export(format_of("onnx"), Restoring(tmp_path, preset=preset, side=side), tmp_path / "it.onnx")
    assert parity is not None
    assert parity.rows == (1, 2, 7)
    assert parity.largest < 1e-5


def test_a_direction_that_was_not_learned(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has not learned c-to-d"):
        export(format_of("onnx"), TwoDomains(tmp_path, direction="c-to-d"), tmp_path / "it.onnx")
    assert list(tmp_path.iterdir()) == []
