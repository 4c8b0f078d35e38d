"""Baselines of restoration: the methods that they name, on the data that they apply to."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
import torch
from scipy.fft import dctn, idctn
from scipy.ndimage import gaussian_filter

from gancli.core.images import PairSamples
from gancli.core.registry import build, parts
from gancli.data.degraded import DegradedDataset
from gancli.data.images import ImageDataset
from gancli.degradations.chain import parse
from gancli.evaluation.baselines.dct import denoised
from gancli.evaluation.contracts import Baseline
from gancli.evaluation.filters import psnr

DENOISE = {"identity", "gaussian-blur", "median", "nlm", "tv", "dct"}


def smooth(n: int, channels: int = 3, seed: int = 0) -> ImageDataset:
    """Blobs of color [n, channels, 24, 20]."""
    noise = np.random.default_rng(seed).normal(size=(n, channels, 24, 20))
    images = gaussian_filter(noise, (0, 0, 3, 3)) * 700 + 128
    return ImageDataset(np.clip(images, 0, 255).astype(np.uint8))


def made(chain: str, channels: int = 3) -> dict[str, tuple[np.ndarray, PairSamples]]:
    """Outputs of all baselines that apply, with the test set."""
    train, test = (DegradedDataset(smooth(6, channels, s), parse(chain), fixed=True) for s in (0, 1))
    some, of = train.samples(), test.samples()
    out = {}
    for name in parts("baseline"):
        part = cast("Baseline", build("baseline", name))
        if hasattr(part, "objection") and not part.objection(some, train.spec):  # of inputs; n-grams are of text
            out[name] = part.fit(some)(of.inputs, of.masks, of.images.shape[2:]), of
    return out


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("chain", "known", "bad"),
    [
        ("gauss:25", DENOISE, "identity"), ("jpeg:10", DENOISE, ""), ("down:2", {"bicubic", "lanczos"}, ""),
        ("hole:half", {"identity", "mean", "biharmonic"}, "identity"),
    ],
)  # fmt: skip
def test_which_apply_and_what_they_do(chain: str, known: set[str], bad: str, channels: int) -> None:
    found = made(chain, channels)
    assert known <= found.keys() <= known | {"telea", "navier-stokes"}
    scores = {}
    for name, (outputs, of) in found.items():
        assert (outputs.shape, outputs.dtype) == (of.images.shape, np.uint8)
        scores[name] = psnr(outputs, of.images)
        if of.masks is not None:
            here = np.broadcast_to(of.masks == 0, outputs.shape)
            assert np.array_equal(outputs[here], of.images[here])
    assert not bad or min(scores, key=lambda k: scores[k]) == bad


def test_the_sliding_dct_is_a_plain_loop() -> None:
    x = smooth(1, 1).images.astype(float) + np.random.default_rng(0).normal(0, 20, (1, 1, 24, 20))
    padded = np.pad(x[0, 0], 7, mode="reflect")
    total, weight = np.zeros_like(padded), np.zeros_like(padded)
    for i in range(padded.shape[0] - 7):
        for j in range(padded.shape[1] - 7):
            c = dctn(padded[i : i + 8, j : j + 8], norm="ortho")
            keep = np.abs(c) > 2.7 * 20
            keep[0, 0] = True
            total[i : i + 8, j : j + 8] += idctn(c * keep, norm="ortho") / keep.sum()
            weight[i : i + 8, j : j + 8] += 1 / keep.sum()
    peer = (total / weight)[7:-7, 7:-7]
    assert denoised(torch.from_numpy(x).float(), 20.0)[0, 0].numpy() == pytest.approx(peer, abs=0.01)


def test_strengths_are_chosen_by_the_training_data() -> None:
    weak, strong = (
        cast("Baseline", build("baseline", "gaussian-blur")).fit(DegradedDataset(smooth(4), parse(chain)).samples())
        for chain in ("gauss:3", "gauss:60")
    )
    assert weak.model_dump()["strength"] < strong.model_dump()["strength"]
    fixed = cast("Baseline", build("baseline", {"name": "median", "strength": 5}))
    assert fixed.fit(DegradedDataset(smooth(4), parse("gauss:3")).samples()) == fixed
