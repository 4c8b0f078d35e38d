"""Degradations: pure functions of (image, generator)."""

from __future__ import annotations

import json

import pytest
import torch

from gancli.core import registry
from gancli.core.contracts import Degradation
from gancli.core.errors import UsageError
from gancli.core.seeds import generator
from gancli.degradations.gauss import Gauss

OURS = [name for name, part in registry.parts("degradation").items() if part.__module__.startswith("gancli.")]


def image(c: int = 3, h: int = 12, w: int = 9) -> torch.Tensor:
    return torch.randint(0, 256, (c, h, w), generator=generator("image")) * (2 / 255) - 1


def built(value: object) -> Degradation:
    part = registry.build("degradation", value)
    assert isinstance(part, Degradation)
    return part


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("channels", [1, 3])
def test_each_is_pure_and_keeps_the_size(name: str, channels: int) -> None:
    part, x = built(name), image(channels)
    before = x.clone()
    (y, mask), (again, _), (other, _) = (part(x, generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(x, before)
    assert torch.equal(y, again)
    assert not torch.equal(y, other)
    assert (y.shape, y.dtype) == (x.shape, torch.float32)
    assert y.min() >= -1
    assert y.max() <= 1
    assert (mask is not None) == part.masks
    assert mask is None or mask.shape == (1, *x.shape[1:])


@pytest.mark.parametrize("name", OURS)
def test_its_options_are_recorded(name: str) -> None:
    part = built(name)
    assert registry.build("degradation", json.loads(json.dumps(part.model_dump(mode="json")))) == part


def noise(part: Gauss, seed: int = 0) -> torch.Tensor:
    """On grey, of 255."""
    x = torch.full((3, 100, 100), 128 * (2 / 255) - 1)
    return (part(x, generator(seed))[0] - x) * 127.5


@pytest.mark.parametrize("sigma", [5.0, 25.0])
def test_gauss_is_normal_of_the_strength_asked_for(sigma: float) -> None:
    found = noise(Gauss(sigma=sigma, quantize=False))
    assert found.std().item() == pytest.approx(sigma, rel=0.02)
    assert abs(found.mean().item()) < 0.05 * sigma
    within = [(found.abs() < k * sigma).float().mean().item() for k in (1, 2)]
    assert within == pytest.approx([0.683, 0.954], abs=0.01)


def test_gauss_of_a_range_draws_the_strength_of_each_image() -> None:
    part = Gauss(sigma="5-50", quantize=False)
    found = torch.tensor([noise(part, seed).std().item() for seed in range(60)])
    assert found.min() > 4.8
    assert found.max() < 51
    assert found.min() < 10
    assert found.max() > 45
    assert found.mean().item() == pytest.approx(27.5, abs=5)


def test_quantized_noise_is_what_a_file_holds() -> None:
    x = image(3, 64, 64)
    plain, quantized = (Gauss(sigma=60, quantize=q)(x, generator(0))[0] for q in (False, True))
    assert plain.abs().max() > 1
    values = ((quantized + 1) * 127.5).round()
    assert torch.equal(values * (2 / 255) - 1, quantized)  # as pictures are decoded, to the bit
    inside = plain.abs() <= 1
    assert ((plain - quantized)[inside].abs() * 127.5).max() <= 0.5001
    assert torch.equal(quantized[~inside], plain[~inside].sign())


@pytest.mark.parametrize(
    ("sigma", "expected"),
    [(25, (25, 25)), ("25", (25, 25)), ("5-50", (5, 50)), ("0.5-2.5", (0.5, 2.5)), ([5, 50], (5, 50)), (0, (0, 0))],
)
def test_how_a_strength_is_written(sigma: object, expected: tuple[float, float]) -> None:
    part = built({"name": "gauss", "sigma": sigma})
    assert isinstance(part, Gauss)
    assert part.sigma == expected


@pytest.mark.parametrize("sigma", [-1, 256, "50-5", "5-", "x", [1, 2, 3], None, "nan", float("nan"), [5, float("inf")]])
def test_strengths_that_are_refused(sigma: object) -> None:
    with pytest.raises(UsageError, match="sigma"):
        built({"name": "gauss", "sigma": sigma})


def test_no_noise_changes_nothing() -> None:
    x = image()
    assert torch.equal(Gauss(sigma=0)(x, generator(0))[0], x)
