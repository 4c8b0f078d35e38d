"""Grids in images: power against a plain sum of sines, and a grid that is drawn is found at its period."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gancli.core.images import ImageSamples
from gancli.evaluation.metrics.spectrum import Spectrum, peaks, power


def noise(n: int, side: int = 32, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(60, 190, (n, 3, side, side), dtype=np.uint8)


def test_power_is_that_of_fourier() -> None:
    image = noise(1, 8)
    gray = image[0].mean(0)
    gray = gray - gray.mean()
    y, x = np.mgrid[:8, :8]
    for v, u in ((0, 1), (4, 4), (3, 2)):
        wanted = abs((gray * np.exp(-2j * np.pi * (v * y + u * x) / 8)).sum()) ** 2
        assert power(ImageSamples(image))[0, v, u] == pytest.approx(wanted, rel=1e-3)


@pytest.mark.parametrize("period", [2, 4, 8])
def test_a_grid_is_found_at_its_period(period: int) -> None:
    images = noise(64).astype(float)
    y, x = np.mgrid[:32, :32]
    grid = np.cos(2 * np.pi * x / period) + np.cos(2 * np.pi * y / period)
    drawn = np.clip(images + 8 * grid, 0, 255).astype(np.uint8)
    plain = peaks(power(ImageSamples(noise(64))).mean(0), 32)
    found = peaks(power(ImageSamples(drawn)).mean(0), 32)
    assert set(plain) == {2, 4, 8}
    assert all(0.6 < value < 1.5 for value in plain.values())
    assert max(found, key=lambda p: found[p]) == period
    assert found[period] > 3


class Given:
    """What a metric asks of a set of samples."""

    def __init__(self, images: np.ndarray) -> None:
        self.samples = ImageSamples(images)

    def __len__(self) -> int:
        return len(self.samples)

    def take(self, index: np.ndarray) -> ImageSamples:
        return self.samples.take(index)

    def chunks(self) -> Any:
        return (self.samples.take(slice(i, i + 30)) for i in range(0, len(self), 30))


def test_the_score_is_that_of_the_worst_period() -> None:
    images = noise(100)
    images[:, :, ::4] = np.minimum(images[:, :, ::4] + np.uint8(40), 255)

    class Both:
        real, fake = Given(noise(100, seed=1)), Given(images)

    assert Spectrum().objection(Both) == ""  # type: ignore[arg-type]
    score = Spectrum().compute(Both)["grid-power"]  # type: ignore[arg-type]
    assert score.value == pytest.approx(max(peaks(power(ImageSamples(images)).mean(0), 32).values()), rel=1e-4)
    assert set(score.detail) == {"2 px", "4 px", "8 px"}
    assert score.error is not None
    Both.real = Both.fake = Given(noise(100, 7))
    assert "too small" in Spectrum().objection(Both)  # type: ignore[arg-type]
