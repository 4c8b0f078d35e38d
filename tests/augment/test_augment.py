"""Every augmentation: shapes, gradients of gradients, draws from the generator it is given; and each change by itself."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from gancli.augment.ada import ADA
from gancli.augment.diffaugment import cutout, jitter_colors, translate
from gancli.augment.resample import resample
from gancli.core.contracts import Augment, Tick
from gancli.core.registry import build, parts

NAMES = list(parts("augment"))
START = Tick(0, 0, 0)


def made(name: str, **options: Any) -> Augment:
    return build("augment", {"name": name, **options})  # type: ignore[return-value]


def memory_of(augment: Augment) -> dict[str, torch.Tensor]:
    """As late in a run: probabilities are high."""
    return {k: torch.full_like(v, 0.9) for k, v in augment.memory().items()}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(4, 1, 28, 28), (4, 3, 16, 24)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_differentiable_twice_and_a_function_of_the_generator(
    name: str, shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    augment = made(name)
    x = torch.randn(shape).to(dtype).requires_grad_()
    y = augment(x, torch.Generator().manual_seed(1), memory_of(augment))
    again = augment(x, torch.Generator().manual_seed(1), memory_of(augment))
    other = augment(x, torch.Generator().manual_seed(2), memory_of(augment))
    assert y.shape == x.shape
    assert y.dtype == dtype
    torch.testing.assert_close(y, again, rtol=0, atol=0)
    assert not torch.equal(y, other)
    (slope,) = torch.autograd.grad(y.float().square().sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(slope.float().square().sum(), x)
    assert torch.isfinite(second).all()
    assert second.abs().max() > 0


@pytest.mark.parametrize("name", NAMES)
def test_memory_has_its_own_keys(name: str) -> None:
    assert all(key.startswith(name) for key in made(name).memory())


def test_resampling_and_its_gradients() -> None:
    torch.manual_seed(0)
    matrix = torch.eye(3)[:2].repeat(2, 1, 1) + 0.2 * torch.randn(2, 2, 3)
    torch.testing.assert_close(resample(torch.ones(2, 1, 5, 4), matrix), torch.ones(2, 1, 5, 4))
    same = torch.eye(3)[:2].repeat(2, 1, 1)
    x = torch.randn(2, 1, 5, 4)
    torch.testing.assert_close(resample(x, same), x)
    a, b = torch.randn(2, 1, 5, 4, requires_grad=True), torch.randn(2, 1, 5, 4)
    (back,) = torch.autograd.grad((resample(a, matrix) * b).sum(), a)
    torch.testing.assert_close((back * x).sum(), (resample(x, matrix) * b).sum())  # <S^T b, x> = <b, S x>


def test_translation_moves_whole_pixels_and_brings_zeros_in() -> None:
    x = torch.arange(1.0, 65).reshape(1, 1, 8, 8).repeat(50, 1, 1, 1)
    y = translate(x, 0.25, torch.Generator().manual_seed(0))
    for image in y[:, 0]:
        inside = image[image > 0]
        assert len(inside) >= 36
        assert set(inside.tolist()) <= set(range(1, 65))
        assert (image[3:5, 4] - image[3:5, 3] == 1).all()
    assert len({float(i[4, 4]) for i in y[:, 0]}) > 5


def test_cutout_takes_half_of_each_side() -> None:
    gone = (cutout(torch.ones(200, 1, 8, 8), 0.5, torch.Generator().manual_seed(0)) == 0).sum((1, 2, 3))
    assert gone.max() == 16
    assert gone.min() >= 4
    assert gone.float().mean() > 9


def test_color_keeps_the_mean_but_for_brightness() -> None:
    x = torch.rand(64, 3, 6, 6)
    y = jitter_colors(x, torch.Generator().manual_seed(0))
    move = (y.mean((1, 2, 3)) - x.mean((1, 2, 3))).abs()
    assert move.max() <= 0.5 + 1e-5
    assert move.max() > 0.3


def test_ada_does_nothing_at_p_0_and_everything_as_likely_as_p() -> None:
    ada, x = ADA(), torch.rand(400, 1, 8, 8)
    start = ada.memory()
    assert ada(x, torch.Generator(), start) is x
    for p in (0.1, 0.5):
        turned = ADA(geometric=False, color=False, mirror=False)(
            x, torch.Generator().manual_seed(0), {"ada_p": torch.tensor(p)}
        )
        changed = float(((turned - x).abs().amax((1, 2, 3)) > 1e-3).float().mean())
        still = (1 - p * 3 / 4) * (1 - p * 0.9)  # no turn (1 of 4 is none); most shifts are of some pixel
        assert changed == pytest.approx(1 - still, abs=0.15)


def test_ada_colors_by_an_affine_map_per_image() -> None:
    x = torch.rand(16, 3, 4, 4)
    y = ADA(blit=False, geometric=False)(x, torch.Generator().manual_seed(0), {"ada_p": torch.tensor(1.0)})
    points, values = torch.cat([x, torch.ones(16, 1, 4, 4)], 1).flatten(2), y.flatten(2)
    solved = torch.linalg.lstsq(points.transpose(1, 2), values.transpose(1, 2)).solution
    torch.testing.assert_close(points.transpose(1, 2) @ solved, values.transpose(1, 2), atol=1e-3, rtol=1e-3)


def test_ada_s_p_follows_overfitting_and_stays_in_0_to_1() -> None:
    ada = ADA(speed=1000, target=0.6)
    memory = ada.memory()
    for _ in range(20):
        ada.adapt(torch.ones(100), 100, START, memory)
    assert float(memory["ada_p"]) == 1
    assert float(memory["ada_r"]) == pytest.approx(1, abs=0.01)
    for _ in range(40):
        ada.adapt(-torch.ones(100), 100, START, memory)
    assert float(memory["ada_p"]) == 0
    fixed = ADA(fixed=True, start=0.3)
    memory = fixed.memory()
    fixed.adapt(torch.ones(100), 100, START, memory)
    assert float(memory["ada_p"]) == pytest.approx(0.3)


@pytest.mark.parametrize("loss", ["rpgan", "ragan", "wasserstein"])
def test_a_common_offset_of_all_logits_does_not_move_p(loss: str) -> None:
    real, fake = torch.randn(400, generator=torch.Generator().manual_seed(0)) + 1.5, torch.zeros(400)
    ends = []
    for offset in (-5.0, 0.0, 5.0):
        ada, rule = ADA(speed=1000), build("loss", loss)
        memory = ada.memory()
        for _ in range(5):
            ada.adapt(rule.centered(real + offset, fake + offset)[0], 100, START, memory)  # type: ignore[attr-defined]
        ends.append(float(memory["ada_p"]))
    assert ends[0] == ends[1] == ends[2] > 0


def test_p_moves_by_images_not_by_packs() -> None:
    ada = ADA(speed=1000, target=0.6)
    memory = ada.memory()
    ada.adapt(torch.ones(25), 100, START, memory)
    assert float(memory["ada_p"]) == 0  # the moving average is still below the target
    memory["ada_r"].fill_(1.0)
    ada.adapt(torch.ones(25), 100, START, memory)
    assert float(memory["ada_p"]) == pytest.approx(0.1)


def test_p_on_a_schedule() -> None:
    ada = ADA(start=0.1, final=0.5).resolved(1000)
    memory = ada.memory()
    for images, p in ((0, 0.1), (500, 0.3), (1000, 0.5), (2000, 0.5)):
        ada.adapt(torch.ones(10), 10, Tick(0, 0, images), memory)
        assert float(memory["ada_p"]) == pytest.approx(p)


@pytest.mark.parametrize(("side", "shift", "size"), [(12, 2, 6), (28, 4, 14), (20, 3, 10), (36, 5, 18), (9, 1, 5)])
def test_fractions_of_a_pixel_are_rounded_half_up(side: int, shift: int, size: int) -> None:
    """Sizes of mit-han-lab/data-efficient-gans at commit 0b6339510be1: int(side * ratio + 0.5)."""
    x = torch.ones(600, 1, side, side)
    moved = translate(x, 0.125, torch.Generator().manual_seed(0))
    assert int((moved.sum((1, 2)) == 0).sum(1).max()) == shift
    gone = (cutout(x, 0.5, torch.Generator().manual_seed(0)) == 0).sum((1, 2, 3))
    assert int(gone.max()) == size**2


def test_diffaugment_is_the_published_one(official: Any) -> None:
    """On the same random numbers (`Official` in tests/conftest.py)."""
    colored = jitter_colors(official.wave(4, 3, 6, 8, k=6), torch.Generator().manual_seed(0))
    official.close("diffaugment_color", colored)
    x = official.wave(4, 1, 12, 20, k=6)
    official.close("diffaugment_cutout", cutout(x, 0.5, torch.Generator().manual_seed(0)))
    # A shift of the published code moves the image by the drawn number minus the largest one to the top left, ours likewise.
    official.close("diffaugment_translate", translate(x, 0.125, torch.Generator().manual_seed(0)))
