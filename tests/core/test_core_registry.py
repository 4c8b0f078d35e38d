"""Parts are found, built, refused; a new one is one new file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gancli.core import registry
from gancli.core.errors import UsageError
from tests.conftest import TINY, Gan

LOSS = '''"""A loss of somebody's own."""
from torch import Tensor
from gancli.core.contracts import Loss

class Margin(Loss):
    name = "margin"
    width: float = 2.0

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        return (self.width - real).relu() + (self.width + fake).relu()

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return -fake
'''

DATA = '''"""Stripes."""
import numpy as np
from gancli.core.data import Reading, Source, Split
from gancli.data.images import ImageDataset

class Stripes(Source):
    name = "stripes"
    n: int = 50

    def read(self, how: Reading) -> Split[ImageDataset]:
        images = np.zeros((self.n, 1, 12, 12), np.uint8)
        images[:, :, ::2] = np.arange(self.n, dtype=np.uint8)[:, None, None, None] * 5
        every = ImageDataset(images)
        return Split(every.take(slice(0, 40)), every.take(slice(40, None)))
'''


def test_every_part_can_be_described() -> None:
    from gancli.report.catalog import part

    for kind in registry.kinds():
        for name, cls in registry.parts(kind).items():
            assert cls.name == name
            if not cls.__module__.startswith("gancli."):
                continue  # a test's own
            assert part(cls)["about"], f"{kind} {name} has no description"


def test_unknown_names_and_options_are_refused() -> None:
    with pytest.raises(UsageError, match="nonsaturating"):
        registry.build("loss", "nonsaturatin")
    with pytest.raises(UsageError, match="has no option 'smoth'"):
        registry.build("loss", {"name": "nonsaturating", "smoth": 1})
    with pytest.raises(UsageError, match="not a loss"):
        registry.build("loss", registry.build("model", "mlp"))
    with pytest.raises(UsageError, match="no kind"):
        registry.parts("lost")


def test_one_file_adds_a_loss_and_one_a_data_set(gan: Gan, tmp_path: Path) -> None:
    (tmp_path / "margin.py").write_text(LOSS)
    (tmp_path / "stripes.py").write_text(DATA)
    plugins = ["--plugin", tmp_path / "margin.py", "--plugin", tmp_path / "stripes.py"]
    words = ["--data", "stripes", "--loss", "margin", "--set", "task.loss.width=3", "--max-steps", "3", "--name", "own"]
    said = gan("train", *plugins, *words, *TINY)
    assert said.code == 0, said.err
    stored = json.loads((tmp_path / "runs_dir/own/config.json").read_text())
    assert stored["task"]["loss"] == {"name": "margin", "width": 3.0}
    assert gan("resume", "own", "--max-steps", "5", *plugins).code == 0
    assert gan("sample", "own", "--n", "2", "--out", tmp_path / "o.png", *plugins).code == 0
    assert "margin" in gan("list", "loss", "--plugin", tmp_path / "margin.py").out
