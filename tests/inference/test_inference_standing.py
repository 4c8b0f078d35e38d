"""Standing statistics of batch norm: those of the samples, the same every time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from gancli.core.contracts import Tick
from gancli.core.specs import Images
from gancli.inference.generator import Model
from gancli.inference.standing import set_standing_statistics
from gancli.tasks.generate import Generate

SPEC = Images(channels=1, height=16, width=16, classes=3)
TINY = {"z": 8, "g_width": 4, "d_width": 4, "widest": 8}


def model_of(name: str, **task: Any) -> Model:
    torch.manual_seed(0)
    made = Generate(model={"name": name, **TINY}, **task)  # type: ignore[arg-type]
    nets = {key: net.eval() for key, net in made.nets(SPEC).items()}
    return Model(made, nets, SPEC, Tick(0, 0, 0), {})


def norms(model: Model, net: str) -> list[nn.BatchNorm2d]:
    return [m for m in model.nets[net].modules() if isinstance(m, nn.BatchNorm2d)]


@pytest.mark.parametrize("name", ["dcgan", "resnet"])
def test_they_are_those_of_the_samples(name: str) -> None:
    model = model_of(name, condition="projection")
    with torch.no_grad():
        for norm in norms(model, "G"):
            norm.running_mean.fill_(5.0)
    kept = [norm.running_mean.clone() for norm in norms(model, "D")]
    seen: list[torch.Tensor] = []
    norms(model, "G")[-1].register_forward_pre_hook(lambda _m, x: seen.append(x[0]))
    count = set_standing_statistics(model, batches=3, batch_size=16)
    assert count == len(norms(model, "G")) > 1
    last, means = norms(model, "G")[-1], torch.stack([x.mean((0, 2, 3)) for x in seen])
    torch.testing.assert_close(last.running_mean, means.mean(0), rtol=1e-4, atol=1e-5)
    assert len(seen) == 3
    assert not any(m.training for net in model.nets.values() for m in net.modules())
    assert all(norm.momentum == 0.1 for norm in norms(model, "G"))
    for norm, old in zip(norms(model, "D"), kept, strict=True):
        torch.testing.assert_close(norm.running_mean, old)
    assert model.facts["standing_batches"] == 3
    other = model_of(name, condition="projection")
    set_standing_statistics(other, batches=3, batch_size=16)
    np.testing.assert_array_equal(other.sample(4, seed=0).numpy(), model.sample(4, seed=0).numpy())


def test_a_generator_without_batch_norm_stays_as_it_is() -> None:
    bare = Generate(model={"name": "mlp", "z": 8, "g_widths": [8], "d_widths": [8]})  # type: ignore[arg-type]
    plain = Model(bare, {k: n.eval() for k, n in bare.nets(SPEC).items()}, SPEC, Tick(0, 0, 0), {})
    images = plain.sample(2, seed=0)
    assert set_standing_statistics(plain) == 0
    torch.testing.assert_close(plain.sample(2, seed=0), images)


def test_from_the_command_line(run: Any, gan: Any, tmp_path: Any) -> None:
    said = gan("sample", run, "--n", "4", "--standing", "2", "--out", tmp_path / "x.png")
    assert said.code == 0, said.err
    assert "--standing" in gan("evaluate", "--images", run, "--against", "digits", "--standing", "2").err
