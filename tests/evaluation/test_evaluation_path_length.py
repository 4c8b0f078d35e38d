"""Perceptual path length against closed forms, on generators whose paths are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gancli.core.contracts import Tick
from gancli.core.errors import UsageError
from gancli.core.specs import Images
from gancli.evaluation.metrics.ppl import PerceptualPathLength
from gancli.inference.generator import Model
from gancli.tasks.generate import Generate

SPEC = Images(channels=1, height=8, width=8)


def apart(a: Tensor, b: Tensor) -> Tensor:
    return (a.double() - b.double()).square().flatten(1).sum(1)


class Linear(nn.Module):
    """Images that are z itself, at the first pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(()))

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        return torch.cat([self.gain * z.double(), z.new_zeros(len(z), 60).double()], 1).reshape(-1, 1, 8, 8)


def model_of(net: nn.Module | None = None, **options: Any) -> Model:
    torch.manual_seed(0)
    task = Generate(model={"name": "mlp", "z": 4, "g_widths": [8], "d_widths": [8], **options})  # type: ignore[arg-type]
    nets = {"G": net} if net is not None else {"G": task.nets(SPEC)["G"].eval()}
    return Model(task, nets, SPEC, Tick(0, 0, 0), {})


def test_a_linear_generator_moves_by_the_angle_between_latent_vectors() -> None:
    ppl = PerceptualPathLength(n=200, epsilon=1e-2, at="end")
    lengths = ppl.lengths(model_of(Linear()), 0, apart)
    assert lengths.shape == (200,)
    assert 4 < lengths.mean() < 16  # |z|^2 is about 4, the squared angle between directions about 2.7
    np.testing.assert_array_equal(lengths, ppl.lengths(model_of(Linear()), 0, apart))
    assert not np.array_equal(lengths, ppl.lengths(model_of(Linear()), 1, apart))
    finer = PerceptualPathLength(n=200, epsilon=5e-3, at="end").lengths(model_of(Linear()), 0, apart)
    np.testing.assert_allclose(finer, lengths, rtol=0.1)


def test_straight_lines_between_styles() -> None:
    task = Generate(model={"name": "style", "z": 4, "w": 4, "width": 4, "widest": 4, "mapping": 1})  # type: ignore[arg-type]
    torch.manual_seed(0)
    net = task.nets(SPEC)["G"].eval()
    model = Model(task, {"G": net}, SPEC, Tick(0, 0, 0), {})
    full = PerceptualPathLength(n=20, epsilon=0.1, through="w").lengths(model, 0, apart)
    assert (full > 0).all()
    net.synthesis = lambda w, seeds: w[:, :2].reshape(-1, 1, 2, 4).double()  # type: ignore[union-attr, assignment]
    lengths = PerceptualPathLength(n=20, epsilon=0.1, through="w").lengths(model, 0, apart)
    at_start = PerceptualPathLength(n=20, epsilon=0.1, through="w", at="end").lengths(model, 0, apart)
    np.testing.assert_allclose(lengths, at_start, rtol=1e-4)  # the same everywhere on a line
    with pytest.raises(UsageError, match="has no w"):
        PerceptualPathLength(n=10, through="w").lengths(model_of(), 0, apart)


def test_it_needs_the_generator(gan: Any, run: Any, tmp_path: Any) -> None:
    assert gan("sample", run, "--n", "20", "--out", tmp_path / "folder").code == 0
    said = gan("evaluate", "--images", tmp_path / "folder", "--against", "digits", "--metrics", "ppl")
    assert said.code == 2
    assert "needs the generator itself" in said.err
