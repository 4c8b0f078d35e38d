"""Metrics of outputs and their targets are those of others; baselines are scored as outputs are."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from scipy.signal import convolve2d
from torchmetrics.functional.image import peak_signal_noise_ratio

from gancli.core.data import Reading, Split
from gancli.core.images import PairSamples
from gancli.data.digits import Digits
from gancli.data.images import ImageDataset
from gancli.data.pairs import PairDataset
from gancli.evaluation import cache as cache_of
from gancli.evaluation.contracts import Score
from gancli.evaluation.evaluator import evaluate
from gancli.evaluation.generated import Generated
from gancli.evaluation.metrics.feature_distance import FeatureDistance
from gancli.evaluation.metrics.gmsd import GMSD
from gancli.evaluation.metrics.l1 import L1
from gancli.evaluation.metrics.psnr import PSNR
from gancli.evaluation.metrics.ssim import SSIM
from gancli.models.perceptual import perceptual_distance

rng = np.random.default_rng(0)
SHAPES = [(1, 28, 28), (3, 32, 40), (3, 17, 13)]


def two(shape: tuple[int, ...], n: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Smooth images, noisy ones, and masks."""
    a = np.clip(rng.integers(-100, 356, (n, *shape)), 0, 255).astype(float)
    a = gaussian_filter(a, (0, 0, 1, 1)) * 2 - 120
    b = np.clip(a + rng.normal(0, 30, a.shape), 0, 255).astype(np.uint8)
    masks = (rng.random((n, 1, *shape[1:])) < 0.2).astype(np.uint8) * 255
    return np.clip(a, 0, 255).astype(np.uint8), b, masks


def prewitt(image: np.ndarray) -> np.ndarray:
    """As the authors' Matlab: conv2(Y, fspecial('average', 2), 'same')(1:2:end, 1:2:end), then conv2 with both filters."""
    luma = image[0] if len(image) == 1 else np.tensordot([0.299, 0.587, 0.114], image, 1)
    whole = convolve2d(luma, np.full((2, 2), 0.25))
    half = whole[1:, 1:][: luma.shape[0] : 2, : luma.shape[1] : 2]
    dx = np.array([[1, 0, -1]] * 3) / 3
    return np.hypot(convolve2d(half, dx, "same"), convolve2d(half, dx.T, "same"))


@pytest.mark.parametrize("shape", SHAPES)
def test_they_are_their_peers(shape: tuple[int, int, int]) -> None:
    a, b, _ = two(shape)
    x, y = a.astype(float), b.astype(float)
    assert L1().compared(a, b, None) == pytest.approx(np.abs(x - y).mean((1, 2, 3)))
    peer = [float(peak_signal_noise_ratio(torch.tensor(p), torch.tensor(q), 255.0)) for p, q in zip(x, y, strict=True)]
    assert PSNR().compared(a, b, None) == pytest.approx(peer)
    maps = [(prewitt(p), prewitt(q)) for p, q in zip(x, y, strict=True)]
    similar = [(2 * p * q + 170) / (p**2 + q**2 + 170) for p, q in maps]
    assert GMSD().compared(a, b, None) == pytest.approx([m.std(ddof=1) for m in similar])


@pytest.mark.parametrize("shape", SHAPES)
def test_of_the_missing_part(shape: tuple[int, int, int]) -> None:
    a, b, masks = two(shape)
    masks[0] = 0
    x, y, hole = a.astype(float), b.astype(float), np.repeat(masks > 127, shape[0], 1)
    found = L1().compared(a, b, masks)
    assert np.isnan(found[0])
    assert found[1:] == pytest.approx([np.abs(x - y)[i][hole[i]].mean() for i in range(1, 5)])
    mse = [np.square(x - y)[i][hole[i]].mean() for i in range(1, 5)]
    assert PSNR().compared(a, b, masks)[1:] == pytest.approx(10 * np.log10(255**2 / np.array(mse)))
    one = np.zeros_like(masks)
    one[:, :, 5:7, 5:7] = 255  # what is changed elsewhere counts only where a window reaches it
    c = b.copy()
    c[..., -1] = 0
    assert SSIM().compared(a, b, one) == pytest.approx(SSIM().compared(a, c, one))
    assert GMSD().compared(a, b, one) == pytest.approx(GMSD().compared(a, c, one))
    assert SSIM().compared(a, b, None) != pytest.approx(SSIM().compared(a, c, None))


def test_equal_images() -> None:
    a, _, _ = two((3, 12, 12))
    for metric, value in ((L1(), 0), (PSNR(), 100), (SSIM(), 1), (GMSD(), 0)):
        assert metric.compared(a, a, None) == pytest.approx(np.full(5, value))
        assert np.isfinite(metric.compared(a[:, :, :1, :1], a[:, :, :1, :1], None)).all()


@pytest.fixture(scope="module")
def pairs(cache: Path) -> Split[Any]:
    """Digits, and noisy ones."""
    split = Digits().read(Reading(data_dir=cache, cache_dir=cache, validation=0.0))

    def noisy(part: ImageDataset) -> PairDataset:
        noise = np.random.default_rng(1).integers(-60, 60, part.images.shape)
        degraded = np.clip(part.images.astype(int) + noise, 0, 255).astype(np.uint8)
        return PairDataset(ImageDataset(degraded), part)

    return Split(noisy(split.train), noisy(split.test))


def scored(pairs: Split[Any], outputs: np.ndarray, cache: Path) -> dict[str, Score]:
    samples = PairSamples(outputs, inputs=pairs.test.source.images)
    metrics = ["psnr", "l1", "ssim", "gmsd", "fid"]
    return dict(evaluate(Generated(samples, paired=True), pairs, "digits-v1", metrics=metrics, cache_dir=cache).scores)


def test_outputs_are_scored_with_baselines_and_a_gain(pairs: Split[Any], cache: Path) -> None:
    """The second time from the cache, which changes nothing."""
    inputs, targets = pairs.test.source.images, pairs.test.target.images
    better = ((inputs.astype(int) + targets) // 2).astype(np.uint8)
    for _ in range(2):
        scores = scored(pairs, better, cache)
        psnr = scores["psnr@pixels"]
        assert psnr.baselines["identity"] == pytest.approx(PSNR().compared(inputs, targets, None).mean())
        best = psnr.baselines[psnr.best_baseline]
        assert best == max(psnr.baselines.values())
        assert psnr.gain == pytest.approx(psnr.value - best)
        assert psnr.gain_error > 0
        l1 = scores["l1@pixels"]
        assert l1.gain == pytest.approx(min(l1.baselines.values()) - l1.value)
        assert scores["fid@digits-v1"].baselines["identity"] > scores["fid@digits-v1"].value
        assert scores["fid@digits-v1"].gain is None


def test_kept_scores_of_baselines_know_what_is_not_finite(tmp_path: Path) -> None:
    """JSON has no NaN: a sample without a missing pixel has no score of the missing part."""
    made = {"identity": {"psnr-hole@pixels": Score(2.0, "", values=(1.0, math.nan, 3.0))}}
    for _ in range(2):
        kept = cache_of.baselines({"a": 1}, tmp_path, lambda: made)["identity"]["psnr-hole@pixels"]
        score = Score(4.0, "", "higher", values=(3.0, math.nan, 5.0)).beside({"identity": kept})
        assert (score.gain, score.best_baseline, kept.value) == (2.0, "identity", 2.0)


def test_outputs_of_another_order_are_not_their_targets(pairs: Split[Any], cache: Path) -> None:
    scores = scored(pairs, pairs.test.target.images[::-1].copy(), cache)
    assert scores["psnr@pixels"].value < scores["psnr@pixels"].baselines["identity"]
    assert (scores["psnr@pixels"].gain or 0) < 0


@pytest.mark.parametrize("shape", SHAPES)
def test_the_feature_distance_rises_with_the_change(shape: tuple[int, int, int]) -> None:
    a, b, masks = two(shape)
    metric = FeatureDistance()
    half = np.uint8((a.astype(int) + b) // 2)
    near, far = (metric.compared(a, x, None) for x in (half, b))
    assert metric.compared(a, a, None).tolist() == [0] * 5
    assert (near < far).all()
    assert np.isfinite(metric.compared(a, b, masks)).all()
    if shape == (3, 32, 40):  # the maps' sizes divide the image's
        x, y = (torch.from_numpy(z).float() / 127.5 - 1 for z in (a, b))
        assert far == pytest.approx(perceptual_distance(x, y).numpy(), rel=0.05)
