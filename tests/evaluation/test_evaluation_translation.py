"""Baselines and scores of translation against independent peers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.spatial.distance import pdist
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import NearestNeighbors

from gancli.core.data import Split
from gancli.core.images import CycleSamples, ManySamples, PairSamples
from gancli.core.registry import build
from gancli.data.domains import DomainsDataset
from gancli.data.images import ImageDataset
from gancli.data.pairs import PairDataset
from gancli.evaluation.baselines.linear_ot import LinearOT
from gancli.evaluation.contracts import Baseline
from gancli.evaluation.evaluator import evaluate
from gancli.evaluation.generated import Generated
from gancli.evaluation.metrics.inversion import correlation
from gancli.evaluation.metrics.retrieval import edges
from gancli.evaluation.metrics.variety import mean_distance

RANDOM = np.random.default_rng(0)


def smooth(n: int, channels: int = 3, side: int = 16) -> np.ndarray:
    """Blobs."""
    small = RANDOM.integers(0, 256, (n, channels, side // 4, side // 4), np.uint8)
    return small.repeat(4, axis=2).repeat(4, axis=3)


A = smooth(40)
B = np.clip(255 - 0.5 * A[:, ::-1].astype(float), 0, 255).astype(np.uint8)
TRAIN, TEST = PairSamples(B[:30], inputs=A[:30]), PairSamples(B[30:], inputs=A[30:])
PAIRS = PairDataset(ImageDataset(A), ImageDataset(B))


def outputs(name: str) -> np.ndarray:
    part: Any = build("baseline", name)
    assert isinstance(part, Baseline)
    spec = (
        DomainsDataset(PAIRS.source, PAIRS.target).spec
        if name in ("reinhard", "histogram", "linear-ot")
        else PAIRS.spec
    )
    assert not part.objection(TRAIN, spec)
    return part.fit(TRAIN)(TEST.inputs, None, (16, 16))


def test_the_mean_image() -> None:
    assert np.array_equal(outputs("mean-image"), np.rint(TRAIN.images.astype(float).mean(0))[None].repeat(10, 0))


def test_the_linear_baseline_is_a_regression() -> None:
    def patches(images: np.ndarray) -> np.ndarray:
        wide = np.pad(images, ((0, 0), (0, 0), (2, 2), (2, 2)), mode="edge")
        shifts = [wide[:, :, i : i + 16, j : j + 16] for i in range(5) for j in range(5)]
        return np.concatenate(shifts, 1).transpose(0, 2, 3, 1).reshape(-1, 75).astype(float)

    peer = LinearRegression().fit(
        patches(TRAIN.inputs), TRAIN.images.transpose(0, 2, 3, 1).reshape(-1, 3).astype(float)
    )
    wanted = peer.predict(patches(TEST.inputs)).reshape(10, 16, 16, 3).transpose(0, 3, 1, 2)
    assert np.abs(outputs("linear").astype(float) - np.clip(wanted, 0, 255)).max() <= 1


def test_the_nearest_neighbor() -> None:
    peer = NearestNeighbors(n_neighbors=1).fit(TRAIN.inputs.reshape(30, -1).astype(float))
    nearest = peer.kneighbors(TEST.inputs.reshape(10, -1).astype(float), return_distance=False)[:, 0]
    assert np.array_equal(outputs("nearest-neighbor"), TRAIN.images[nearest])


def test_the_color_table_knows_a_map_of_colors() -> None:
    gray = RANDOM.integers(0, 16, (20, 1, 8, 8), np.uint8) * 17
    known = PairSamples(255 - gray, inputs=gray)
    part: Any = build("baseline", "color-table")
    assert np.array_equal(part.fit(known)(gray, None, (8, 8)), 255 - gray)


def test_histograms_and_moments_are_those_of_the_other_domain() -> None:
    both = [x.transpose(1, 0, 2, 3).reshape(3, -1).astype(float) for x in (TRAIN.inputs, TRAIN.images)]
    part: Any = build("baseline", "histogram")
    made = part.fit(TRAIN)(TRAIN.inputs, None, (16, 16)).transpose(1, 0, 2, 3).reshape(3, -1)
    for ours, wanted in zip(made, both[1], strict=True):
        assert (
            np.abs(
                np.quantile(ours, np.linspace(0.05, 0.95, 19)) - np.quantile(wanted, np.linspace(0.05, 0.95, 19))
            ).max()
            < 8
        )
    a, b = (np.cov(x) for x in both)
    root = np.real(sqrtm(a))
    wanted = np.linalg.inv(root) @ np.real(sqrtm(root @ b @ root)) @ np.linalg.inv(root)
    np.testing.assert_allclose(LinearOT().learn_colors(both[0].T, both[1].T)[1], wanted, rtol=1e-6)
    made = LinearOT().mapped(LinearOT().learn_colors(both[0].T, both[1].T), both[0].T)
    np.testing.assert_allclose(np.cov(made.T), b, rtol=1e-6)
    part = build("baseline", "reinhard")
    made = part.fit(TRAIN)(TRAIN.inputs, None, (16, 16))
    assert np.abs(made.mean((0, 2, 3)) - both[1].mean(1)).max() < 25
    assert np.abs(TRAIN.inputs.mean((0, 2, 3)) - both[1].mean(1)).max() > 40


def scores(samples: PairSamples, data: Any, tmp_path: Path, names: list[str]) -> dict[str, Any]:
    split = Split(data.take(slice(0, 10)), data, data.take(slice(0, 0)))
    features = build("features", "random-conv") if "variety" in names else None
    made = Generated(samples, paired=True)
    found = evaluate(made, split, metrics=names, n=40, features=features, cache_dir=tmp_path)
    return {key.partition("@")[0]: score for key, score in found.scores.items()}


def test_what_a_baseline_has_learned_is_there_again(tmp_path: Path) -> None:
    """Options come from the cache; what fitting finds besides is found again, for scores that are asked for later."""
    samples = PairSamples(B, inputs=A)
    first, second = (scores(samples, PAIRS, tmp_path, [name]) for name in ("l1", "psnr"))
    assert {"color-table", "linear"} <= first["l1"].baselines.keys() == second["psnr"].baselines.keys()


def test_cycles_and_hidden_information(tmp_path: Path) -> None:
    cycles = np.clip(A.astype(int) + 4, 0, 255).astype(np.uint8)
    noisy = np.clip(A.astype(int) + 40, 0, 255).astype(np.uint8)
    samples = CycleSamples(B, inputs=A, cycles=cycles, noisy_cycles=noisy, identities=A)
    data = DomainsDataset(PAIRS.source, PAIRS.target)
    found = scores(samples, data, tmp_path, ["cycle", "steganography"])
    wanted = [
        np.mean([np.abs(x.astype(int) - y).mean() for x, y in zip(made, A, strict=True)]) for made in (cycles, noisy)
    ]
    assert found["cycle-l1"].value == pytest.approx(wanted[0])
    assert found["identity-l1"].value == 0
    assert found["steganography"].value == pytest.approx(wanted[1] / wanted[0])
    assert found["steganography"].alarm
    assert "lambda_cycle" in found["steganography"].meaning
    same = CycleSamples(B, inputs=A, cycles=cycles, noisy_cycles=cycles)
    found = scores(same, data, tmp_path, ["cycle", "steganography"])
    assert not found["steganography"].alarm
    assert "identity-l1" not in found


def test_ignored_inputs_and_inverted_colors(tmp_path: Path) -> None:
    data = DomainsDataset(ImageDataset(A), ImageDataset(A), aligned=True)
    names = ["retrieval", "inversion", "variety"]
    right = scores(PairSamples(A, inputs=A), data, tmp_path, names)
    assert right["retrieval"].value == 1
    assert right["retrieval"].reference == 1
    assert right["luma-correlation"].value == pytest.approx(1)
    assert right["variety"].value == pytest.approx(1)
    assert not any(score.alarm for score in right.values())
    wrong = scores(PairSamples(np.roll(A, 1, 0), inputs=A), data, tmp_path, ["retrieval"])
    assert wrong["retrieval"].alarm
    assert "input is ignored" in wrong["retrieval"].meaning
    dark = scores(PairSamples(255 - A, inputs=A), data, tmp_path, ["inversion"])
    assert dark["luma-correlation"].alarm
    assert "--seed" in dark["luma-correlation"].meaning
    one = scores(PairSamples(A[:1].repeat(40, 0), inputs=A), data, tmp_path, ["variety"])
    assert one["variety"].alarm


def test_ignored_noise(tmp_path: Path) -> None:
    for others, alarm in ((B, True), (255 - B, False)):
        samples = ManySamples(B, inputs=A, others=others)
        found = scores(samples, PAIRS, tmp_path, ["variety"])["variety-z"]
        assert found.alarm == alarm
        assert ("lambda_modes" in found.meaning) == alarm
        assert found.value == pytest.approx(np.abs(B.astype(int) - others).mean())


def test_parts_of_the_scores_against_plain_forms() -> None:
    x = RANDOM.normal(size=(30, 5))
    assert mean_distance(x) == pytest.approx(pdist(x).mean())
    gray = A[:, :1]
    ours = correlation(PairSamples(B[:, :1], inputs=gray))
    wanted = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(gray[:, 0], B[:, 0], strict=True)]
    np.testing.assert_allclose(ours, wanted, atol=1e-9)
    found = edges(A)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1)
    np.testing.assert_allclose(edges(255 - A), found, atol=1e-9)  # light and dark do not matter
