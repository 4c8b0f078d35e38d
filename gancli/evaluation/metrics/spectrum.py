"""Periodic patterns (checkerboards): power of the mean spectrum at periods of 2, 4 and 8 pixels over that of the neighboring frequencies.

Nets that enlarge feature maps by factors of 2 can leave a grid in the image (Odena et al. 2016, "Deconvolution and checkerboard
artifacts"; the spectra of generated images: 1907.06515). A grid of period p has its power at the frequencies 1/p and 0 of each
direction. Photographs have no such peaks: their ratio is about 1.
"""

from __future__ import annotations

import numpy as np

from gancli.core.images import ImageSamples
from gancli.evaluation.contracts import Inputs, Metric, SampleSet, Score

PERIODS = (2, 4, 8)  # pixels
NEAR = 2  # neighbors on each side
GROUPS = 8  # of samples, for the standard error


def power(samples: ImageSamples) -> np.ndarray:
    """Power spectra float32 [n, H, W // 2 + 1] of images uint8 [n, C, H, W], channels averaged, mean removed."""
    gray = samples.images.astype(np.float32).mean(1)
    gray -= gray.mean((1, 2), keepdims=True)
    spectra: np.ndarray = (np.abs(np.fft.rfft2(gray)) ** 2).astype(np.float32)
    return spectra


def peaks(spectrum: np.ndarray, width: int) -> dict[int, float]:
    """Period -> power at its frequencies over the mean of their neighbors along the same line.

    Args:
        spectrum: mean power [H, W // 2 + 1] of images of `width` columns.
        width: of the images.

    Returns:
        The ratios of the periods that divide both sides and have neighbors; about 1 where there is no pattern.
    """
    height, out = len(spectrum), {}
    for period in PERIODS:
        if height % period or width % period or min(height, width) < 4 * period:
            continue
        y, x = height // period, width // period
        lines = [spectrum[:, 0], spectrum[0], spectrum[y], spectrum[:, x]]  # through (y, 0), (0, x), (y, x), (y, x)
        found = [_ratio(line, at) for line, at in zip(lines, (y, x, x, y), strict=True)]
        out[period] = float(np.mean(found))
    return out


def _ratio(line: np.ndarray, at: int) -> float:
    beside = [i for i in range(at - NEAR, at + NEAR + 1) if i != at and 0 < i < len(line)]
    return float(line[at] / max(float(line[beside].mean()), 1e-12))


class Spectrum(Metric):
    name = "spectrum"
    gives = ("grid-power",)
    space = "pixels"

    def objection(self, inputs: Inputs) -> str:
        if min(len(inputs.real), len(inputs.fake)) < 2 * GROUPS:
            return f"fewer than {2 * GROUPS} samples or reals"
        height, width = inputs.real.take(np.arange(1)).images.shape[2:]
        return "" if peaks(np.ones((height, width // 2 + 1)), width) else "the images are too small for a spectrum"

    def compute(self, inputs: Inputs) -> dict[str, Score]:
        mean, groups, width = _spectra(inputs.fake)
        whole = peaks(mean, width)
        worst = max(whole, key=lambda period: whole[period])
        parts = [peaks(group, width)[worst] for group in groups]
        detail = {f"{period} px": value for period, value in whole.items()}
        meaning = f"power of a grid of {worst} pixels over its neighbors' (1: no grid)"
        error = float(np.std(parts, ddof=1) / np.sqrt(len(parts)))
        return {"grid-power": Score(whole[worst], meaning, "reference", error, f"{GROUPS} groups", detail=detail)}


def _spectra(of: SampleSet[ImageSamples]) -> tuple[np.ndarray, np.ndarray, int]:
    """The mean spectrum of all samples [H, W // 2 + 1], those of groups [GROUPS, H, W // 2 + 1] of about equal size, and W."""
    sums, counts, done, width = None, np.zeros(GROUPS), 0, 0
    for chunk in of.chunks():
        found, width = power(chunk).astype(np.float64), chunk.images.shape[3]
        sums = np.zeros((GROUPS, *found.shape[1:])) if sums is None else sums
        group = (done + np.arange(len(found))) % GROUPS
        np.add.at(sums, group, found)
        counts += np.bincount(group, minlength=GROUPS)
        done += len(found)
    assert sums is not None
    return sums.sum(0) / counts.sum(), sums / counts[:, None, None], width
