"""Degradations: pure functions of (image, generator)."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter

from gancli.core import registry
from gancli.core.contracts import Degradation
from gancli.core.errors import DataError, UsageError
from gancli.core.seeds import generator
from gancli.degradations.blur import blurred
from gancli.degradations.chain import parse
from gancli.degradations.down import Down
from gancli.degradations.gauss import Gauss
from gancli.degradations.hole import Hole, files_of
from gancli.degradations.jpeg import Jpeg
from gancli.degradations.levels import quantized
from gancli.degradations.pillow import from_pil, to_pil
from gancli.degradations.poisson import Poisson
from gancli.degradations.scratch import Scratch

OURS = [name for name, part in registry.parts("degradation").items() if part.__module__.startswith("gancli.")]


SAME = {"down", "gray"}  # those that draw nothing


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
    assert torch.equal(y, other) == (name in SAME)
    assert (y.shape, y.dtype) == ((channels, 12 // part.scale, 9 // part.scale), torch.float32)
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


def test_a_chain_is_read_from_left_to_right() -> None:
    found = parse("gauss:10-20+jpeg:30 + hole:half+down:4+grey")
    assert [part.name for part in found] == ["gauss", "jpeg", "hole", "down", "gray"]
    assert (found[0].sigma, found[1].quality, found[2].form, found[3].scale) == ((10, 20), (30, 30), "half", 4)
    assert parse(["gauss", {"name": "jpeg"}, found[2]])[1:] == ({"name": "jpeg"}, found[2])
    assert parse("") == ()
    for text, why in (
        ("gaus:25", "did you mean gauss"), ("grey:3", "takes no argument"), ("hole:no/folder", "neither a folder nor"),
        ("down:5", "factor"), ("gauss:x", "sigma"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=why):
            parse(text)


def test_holes() -> None:
    x = torch.ones(3, 32, 32)
    missing = {}
    for form in ("brush", "box", "center", "half"):
        masks = torch.stack([Hole(form=form)(x, generator(seed))[1] for seed in range(200)])
        missing[form] = masks.mean().item()
        y, mask = Hole(form=form)(x, generator(0))
        assert torch.equal(y, (1 - mask).expand(3, -1, -1))
        assert masks.unique().tolist() == [0, 1]
    assert missing == pytest.approx({"brush": 0.19, "box": 0.14, "center": 0.25, "half": 0.5}, abs=0.02)
    _, centre = Hole(form="centre")(x, generator(0))
    assert centre[0, 8:24, 8:24].all()
    assert centre.sum() == 256


def test_holes_of_a_folder_of_masks(tmp_path: Path) -> None:
    mask = np.zeros((8, 8), np.uint8)
    mask[:2, :4] = 255
    mask[2] = 127  # known
    Image.fromarray(mask).save(tmp_path / "a.png")
    found = {Hole(form=str(tmp_path))(torch.ones(1, 16, 16), generator(s))[1].numpy().tobytes() for s in range(20)}
    big = (mask > 127).repeat(2, 0).repeat(2, 1).astype(np.float32)
    assert found == {np.flip(big, axes).tobytes() for axes in ((), (0,), (1,), (0, 1))}
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="holds no masks"):
        files_of(str(tmp_path / "none"))


def test_down_and_jpeg_are_pillows() -> None:
    x = image(3, 16, 24)
    file = io.BytesIO()
    to_pil(x).save(file, "JPEG", quality=10)
    with Image.open(file) as read:
        assert torch.equal(Jpeg(quality=10)(x, generator(0))[0], from_pil(read, x))
    small = to_pil(x).resize((12, 8), Image.Resampling.BICUBIC)
    assert torch.equal(Down(factor=2)(x, generator(0))[0], from_pil(small, x))


def test_poisson_has_the_variance_of_its_mean() -> None:
    x = torch.zeros(1, 200, 200)  # intensity 1/2
    y = (Poisson(peak=50)(x, generator(0))[0] + 1) / 2
    assert y.mean().item() == pytest.approx(0.5, rel=0.01)
    assert y.std().item() == pytest.approx((0.5 / 50) ** 0.5, rel=0.03)


def test_blur_is_scipys() -> None:
    x = image(3, 20, 30)
    peer = gaussian_filter(x.numpy().astype(float), (0, 1.5, 1.5), mode="mirror", truncate=5 / 1.5)
    assert blurred(x[None], 1.5)[0].numpy() == pytest.approx(peer, abs=1e-5)


def test_scratches_are_thin() -> None:
    x = torch.zeros(3, 64, 64)
    changed = torch.stack([(Scratch(count=3)(x, generator(s))[0].abs() > 0.1).float() for s in range(20)])
    assert 0.005 < changed.mean().item() < 0.15
    assert torch.equal(Scratch(count=0)(x, generator(0))[0], quantized(x.clone()))


def test_no_noise_changes_nothing() -> None:
    x = image()
    assert torch.equal(Gauss(sigma=0)(x, generator(0))[0], x)
