"""Scores of classes and pixels against independent peers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.spatial.distance import jensenshannon
from sklearn.metrics import accuracy_score
from torch_fidelity.metric_isc import isc_features_to_metric
from torchmetrics.functional.image import structural_similarity_index_measure

from gancli.evaluation.metrics.attribute_agreement import correlations
from gancli.evaluation.metrics.cas import predictions
from gancli.evaluation.metrics.class_histogram import divergence, entropy, histogram, shares
from gancli.evaluation.metrics.fid import fid
from gancli.evaluation.metrics.inception_score import inception_score
from gancli.evaluation.metrics.kmeans import assign, kmeans
from gancli.evaluation.metrics.label_agreement import agreement, by_class
from gancli.evaluation.metrics.modes import modes, reverse_kl
from gancli.evaluation.metrics.ndb import different, jensen_shannon
from gancli.evaluation.metrics.per_class_fid import per_class
from gancli.evaluation.metrics.pixels import shrunk
from gancli.evaluation.metrics.resampling import binomial, groups_of, jackknife, standard_error
from gancli.evaluation.metrics.ssim import ssim
from gancli.evaluation.metrics.swd import directions, sliced_wasserstein

rng = np.random.default_rng(0)


@pytest.mark.parametrize(("n", "splits"), [(500, 10), (503, 7), (200, 1)])
def test_inception_score_is_torch_fidelitys(n: int, splits: int) -> None:
    logits = torch.from_numpy(rng.normal(size=(n, 12)) * 3)
    peer = isc_features_to_metric(logits, splits, shuffle=False)
    mean, deviation = inception_score(logits.softmax(1).numpy(), splits)
    assert mean == pytest.approx(peer["inception_score_mean"], rel=1e-6)
    assert deviation == pytest.approx(peer["inception_score_std"], rel=1e-6, abs=1e-12)


def test_inception_score_of_certainty_is_the_number_of_classes() -> None:
    assert inception_score(np.eye(5)[np.arange(100) % 5], 1)[0] == pytest.approx(5)
    assert inception_score(np.eye(5)[np.zeros(100, int)], 10) == pytest.approx((1, 0))


def test_entropy_and_divergence_are_scipys() -> None:
    p, q = rng.dirichlet(np.ones(7)), rng.dirichlet(np.ones(7))
    assert entropy(p) == pytest.approx(stats.entropy(p), rel=1e-9)
    assert divergence(p, q) == pytest.approx(stats.entropy(p, q), rel=1e-9)
    assert divergence(np.array([0.5, 0.5]), np.array([1.0, 0.0])) == np.inf
    assert entropy(np.array([1.0, 0.0])) == 0
    assert shares(np.array([2, 0]), smooth=True) == pytest.approx([2.5 / 3, 0.5 / 3])


def test_agreement_is_sklearns_accuracy_and_scipys_correlation() -> None:
    asked, seen = rng.integers(0, 10, 300), rng.integers(0, 10, 300)
    assert agreement(asked, seen) == pytest.approx(accuracy_score(asked, seen))
    within = by_class(asked, seen, [*"0123456789", "none of these"])
    assert within["3"] == pytest.approx(accuracy_score(asked[asked == 3], seen[asked == 3]))
    assert list(within) == [*"0123456789"]
    a = rng.normal(size=(300, 3)).astype(np.float32)
    b = (a * [1, -2, 0] + rng.normal(size=(300, 3)) * [0, 1, 1]).astype(np.float32)
    assert correlations(a, b) == pytest.approx([stats.pearsonr(a[:, i], b[:, i])[0] for i in range(3)], abs=1e-6)
    assert correlations(a, np.zeros_like(a)) == pytest.approx([0, 0, 0])


@pytest.mark.parametrize("order", ["in turn", "sorted", "shuffled"])
def test_jackknife_error_of_a_mean_does_not_depend_on_the_order_of_classes(order: str) -> None:
    values = {"in turn": np.arange(1000) % 10, "sorted": np.arange(1000) // 100, "shuffled": rng.permutation(1000) % 10}
    x, group = values[order], groups_of(1000)
    assert jackknife(lambda g: x[group != g].mean(), 1000) == pytest.approx(standard_error(x), rel=0.6)
    assert (np.bincount(group) == 100).all()
    assert (groups_of(1000) == group).all()


def test_jackknife_of_fewer_than_two_a_group_is_none() -> None:
    assert jackknife(float, 19) is None
    assert jackknife(float, 20) is not None


@pytest.mark.parametrize(("share", "n"), [(0.0, 50), (1.0, 50), (0.5, 1), (0.3, 10_000)])
def test_the_error_of_a_share_is_never_zero(share: float, n: int) -> None:
    p = (share * n + 0.5) / (n + 1)  # the mean of Jeffreys' posterior, Beta(k + 1/2, n - k + 1/2)
    assert p == pytest.approx(stats.beta(share * n + 0.5, n - share * n + 0.5).mean())
    assert binomial(share, n) == pytest.approx(np.sqrt(p * (1 - p) / n))
    assert binomial(share, n) > 0
    assert binomial(0.3, 10_000) == pytest.approx(stats.binom(10_000, 0.3).std() / 10_000, rel=1e-4)


def test_modes_and_reverse_kl_of_a_thousand() -> None:
    """Half of 1,000 equally likely modes, evenly: 500 found, KL(fakes || data) = log 2."""
    data = np.full(1000, 60)
    predicted = np.arange(5000) % 500
    assert modes(predicted, 1000) == 500
    assert reverse_kl(predicted, data) == pytest.approx(np.log(2), rel=1e-9)
    counts = histogram(predicted, 1000)
    assert reverse_kl(predicted, data) == pytest.approx(stats.entropy(counts, data), rel=1e-9)


@pytest.mark.parametrize(("n", "m"), [(200, 200), (200, 131)])
def test_sliced_wasserstein_is_scipys(n: int, m: int) -> None:
    x, y = rng.normal(size=(n, 20)), rng.normal(size=(m, 20)) + 0.2
    u = directions(20, 16, seed=3)
    assert np.linalg.norm(u, axis=0) == pytest.approx(np.ones(16))
    peer = np.mean([stats.wasserstein_distance(x @ v, y @ v) for v in u.T])
    assert sliced_wasserstein(x, y, u) == pytest.approx(peer, rel=1e-6)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 40), (1, 80, 70)])
def test_ssim_is_torchmetrics(shape: tuple[int, int, int]) -> None:
    a, b = (torch.from_numpy(rng.integers(0, 256, (6, *shape), dtype=np.uint8)) for _ in range(2))
    b = (a.float() * 0.7 + b.float() * 0.3).to(torch.uint8)
    _, whole = structural_similarity_index_measure(
        a.double(), b.double(), data_range=255.0, reduction="none", return_full_image=True
    )
    within = whole[..., 5:-5, 5:-5]  # without the windows that the peer fills up with mirrored pixels
    assert ssim(a, b).numpy() == pytest.approx(within.flatten(1).mean(1).numpy(), rel=1e-6)


def test_ssim_of_small_images_is_one_for_the_same() -> None:
    a = torch.from_numpy(rng.integers(0, 256, (4, 1, 8, 8), dtype=np.uint8))
    assert ssim(a, a).numpy() == pytest.approx(np.ones(4))
    assert float(ssim(a, a.flip(0)).mean()) < 0.5


def test_ndb_is_the_authors_test() -> None:
    real, fake = rng.multinomial(1000, rng.dirichlet(np.ones(30))), rng.multinomial(700, rng.dirichlet(np.ones(30)))
    p1, p2 = real / 1000, fake / 700
    pooled = (p1 * 1000 + p2 * 700) / 1700
    error = np.sqrt(pooled * (1 - pooled) * (1 / 1000 + 1 / 700))
    peer = 2 * stats.norm.cdf(-np.abs((p1 - p2) / error)) < 0.05
    assert (different(real, fake) == peer).all()
    assert jensen_shannon(real, fake) == pytest.approx(jensenshannon(real, fake) ** 2, rel=1e-6)


def test_ndb_of_equal_distributions_is_the_level() -> None:
    p = rng.dirichlet(np.ones(50) * 5)
    found = [different(rng.multinomial(5000, p), rng.multinomial(5000, p)).mean() for _ in range(60)]
    assert np.mean(found) == pytest.approx(0.05, abs=0.015)


def test_kmeans_finds_what_is_there_and_is_deterministic() -> None:
    centres = np.array([[0.0, 0], [90, 0], [0, 90]])
    x = (centres[:, None] + rng.normal(size=(3, 50, 2))).reshape(-1, 2)
    found = kmeans(x, 3, seed=1)
    label = assign(x, found)
    assert all(len(set(label[i * 50 : i * 50 + 50])) == 1 for i in range(3))
    assert len(set(label)) == 3
    assert (kmeans(x, 3, seed=1) == found).all()
    assert len(kmeans(np.zeros((20, 2)), 4, seed=0)) == 4


def test_per_class_fid_is_fid_of_each_class() -> None:
    x, y = rng.normal(size=(60, 4)), rng.normal(size=(50, 4))
    a, b = np.arange(60) % 3, np.arange(50) % 2
    found = per_class(x, y, a, b, 3)
    assert found[0] == fid(x[a == 0], y[b == 0])
    assert np.isnan(found[2])


def test_large_images_are_shrunk_for_pixel_distances() -> None:
    assert shrunk(np.full((2, 3, 64, 48), 7, np.uint8)).shape == (2, 3 * 32 * 32)
    assert shrunk(np.full((2, 1, 8, 8), 7, np.uint8)).tolist() == [[7.0] * 64] * 2


def test_accuracy_score_learns_from_good_samples_and_not_from_bad_labels() -> None:
    classes = np.arange(240) % 2
    images = np.clip(rng.normal(60, 30, (240, 1, 8, 8)), 0, 255).astype(np.uint8)
    images[classes == 1, :, :, :4] += 100

    def found(labels: np.ndarray) -> np.ndarray:
        return predictions(lambda index: images[index], labels, [images[160:200], images[200:]], 2, 1, seed=0)

    good = found(classes[:160])
    assert agreement(good, classes[160:]) > 0.95
    wrong = found(1 - classes[:160])
    assert agreement(wrong, classes[160:]) < 0.05
    assert (found(classes[:160]) == good).all()
