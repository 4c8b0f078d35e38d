"""FID, KID, precision, recall, density, coverage against independent peers, on raw features."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from prdc import compute_prdc
from scipy.linalg import sqrtm
from sklearn.linear_model import LinearRegression
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric

from gancli.core.errors import DataError
from gancli.evaluation.metrics import distances
from gancli.evaluation.metrics.density_coverage import density_coverage
from gancli.evaluation.metrics.fid import fid, influence_error, jackknife_error
from gancli.evaluation.metrics.fid_inf import fid_infinity, spread_sizes
from gancli.evaluation.metrics.kid import jackknife_error as kid_error
from gancli.evaluation.metrics.kid import kid, row_sums
from gancli.evaluation.metrics.prc import precision_recall

Sets = tuple[np.ndarray, np.ndarray]


def draw(n: int, d: int, seed: int, shift: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mix = np.random.default_rng(99).normal(size=(d, d)) / np.sqrt(d)
    return np.maximum(rng.normal(size=(n, d)) @ mix + 0.2 + shift, 0)


def cases() -> dict[str, Sets]:
    a, b = draw(300, 24, 1), draw(300, 24, 2, 0.2)
    few = draw(20, 64, 3), draw(20, 64, 4, 0.3)
    return {
        "plain": (a, b),
        "fewer samples than features": few,
        "unequal sizes": (draw(300, 24, 5), draw(170, 24, 6, 0.1)),
        "float32, mean 300": ((a + 300).astype(np.float32), (b + 300).astype(np.float32)),
        "collapsed": (a, np.repeat(b[:1], 200, 0)),
        "two points": (a, np.repeat(b[:2], 100, 0)),
        "identical": (a, a.copy()),
        "identical, fewer than features": (few[0], few[0].copy()),
    }


CASES = cases()
every = pytest.mark.parametrize("name", CASES)


def nuclear_fid(real: np.ndarray, fake: np.ndarray) -> float:
    """FID by another way: tr (S^1/2 T S^1/2)^1/2 is the nuclear norm of A B^T / sqrt((n-1)(m-1)), A and B the centered sets."""
    x, y = real.astype(np.float64), fake.astype(np.float64)
    mu, nu = x.mean(0), y.mean(0)
    a, b = (x - mu) / np.sqrt(len(x) - 1), (y - nu) / np.sqrt(len(y) - 1)
    cross = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    return float(((mu - nu) ** 2).sum() + (a**2).sum() + (b**2).sum() - 2 * cross)


@every
def test_fid_is_the_nuclear_norm_formula(name: str) -> None:
    real, fake = CASES[name]
    size = np.trace(np.cov(real.astype(np.float64).T))
    assert fid(real, fake) == pytest.approx(nuclear_fid(real, fake), rel=1e-6, abs=1e-11 * size)


@pytest.mark.parametrize("name", ["plain", "unequal sizes", "float32, mean 300"])
def test_fid_is_scipys_and_torch_fidelitys(name: str) -> None:
    real, fake = (s.astype(np.float64) for s in CASES[name])
    s, t = np.cov(real.T), np.cov(fake.T)
    gap = real.mean(0) - fake.mean(0)
    by_scipy = gap @ gap + np.trace(s + t - 2 * sqrtm(s @ t).real)
    assert fid(*CASES[name]) == pytest.approx(by_scipy, rel=1e-6)
    stats = [fid_features_to_statistics(torch.from_numpy(x)) for x in (real, fake)]
    peer = fid_statistics_to_metric(*stats, verbose=False)["frechet_inception_distance"]
    assert fid(*CASES[name]) == pytest.approx(peer, rel=1e-6)


def test_fid_of_fewer_samples_than_features_is_torch_fidelitys() -> None:
    real, fake = CASES["fewer samples than features"]
    stats = [fid_features_to_statistics(torch.from_numpy(x)) for x in (real, fake)]
    peer = fid_statistics_to_metric(*stats, verbose=False)["frechet_inception_distance"]
    assert fid(real, fake) == pytest.approx(peer, rel=1e-5)  # the peer takes roots of rounding errors here


@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_fid_and_kid_errors_are_standard_errors(shift: float) -> None:
    fids, kids, said = [], [], []
    for i in range(40):
        a, b = draw(150, 8, 1000 + i), draw(150, 8, 5000 + i, shift)
        sums = row_sums(a, b)
        fids.append(fid(a, b))
        kids.append(kid(a, b))
        said.append((jackknife_error(a, b), influence_error(a, b), kid_error(sums)))
    by_groups, by_influence, of_kid = np.mean(said, 0)
    assert 0.75 < by_groups / np.std(fids) < 2.2  # cautious where the sets are alike, and never far too small
    assert 0.75 < of_kid / np.std(kids) < 2.2
    if shift:
        assert by_influence == pytest.approx(np.std(fids), rel=0.3)
        assert of_kid == pytest.approx(np.std(kids), rel=0.3)


def test_fid_error_does_not_depend_on_the_order_of_rows() -> None:
    i, shuffled = np.arange(400), np.random.default_rng(0).permutation(400)
    a = draw(400, 4, 1) + (i % 10)[:, None] / 2  # classes in turn, as held-out images are
    b = draw(400, 4, 2, 0.5) + (i // 40)[:, None] / 2
    assert jackknife_error(a, b) == pytest.approx(jackknife_error(a[shuffled], b[shuffled[::-1]]), rel=0.5)


@pytest.mark.parametrize("name", ["plain", "unequal sizes"])
def test_fid_infinity_is_the_authors(name: str) -> None:
    real, fake = CASES[name]
    sizes = spread_sizes(len(fake), 15, 0.5)
    values = [fid(real, fake[:n]) for n in sizes]
    peer = LinearRegression().fit(1 / sizes[:, None], values).predict([[0.0]])[0]
    assert fid_infinity(real, fake, sizes) == pytest.approx(peer, rel=1e-6)


def test_fid_infinity_takes_the_bias_out() -> None:
    """In 16 dimensions, FID of 400 against 400 alike is all bias; extrapolated on both sides, it scatters about 0."""
    plain, extrapolated = [], []
    for i in range(20):
        a, b = draw(400, 16, 10 + i), draw(400, 16, 700 + i)
        plain.append(fid(a, b))
        extrapolated.append(fid_infinity(a, b, spread_sizes(400, 15, 0.5), "both"))
    assert abs(np.mean(extrapolated)) < 0.15 * np.mean(plain)


@every
def test_kid_is_torch_fidelitys_over_all_samples(name: str) -> None:
    real, fake = (s.astype(np.float64) for s in CASES[name])
    n = min(len(real), len(fake))
    real, fake = real[:n], fake[:n]
    peer = kid_features_to_metric(
        torch.from_numpy(real),
        torch.from_numpy(fake),
        kid_subsets=1,
        kid_subset_size=n,
        kid_kernel="poly",
        kid_kernel_poly_degree=3,
        kid_kernel_poly_gamma=None,
        kid_kernel_poly_coef0=1,
        rng_seed=0,
        verbose=False,
    )["kernel_inception_distance_mean"]
    size = np.mean((np.square(real).sum(1) / real.shape[1] + 1) ** 3)
    assert kid(real, fake) == pytest.approx(peer, rel=1e-6, abs=1e-13 * size)


def test_kid_of_unequal_sizes_is_the_double_sum() -> None:
    x, y = draw(12, 3, 1), draw(9, 3, 2, 0.5)

    def k(a: np.ndarray, b: np.ndarray) -> float:
        return float((a @ b / 3 + 1) ** 3)

    within_x = sum(k(x[i], x[j]) for i in range(12) for j in range(12) if i != j) / (12 * 11)
    within_y = sum(k(y[i], y[j]) for i in range(9) for j in range(9) if i != j) / (9 * 8)
    between = sum(k(a, b) for a in x for b in y) / (12 * 9)
    assert kid(x, y) == pytest.approx(within_x + within_y - 2 * between, rel=1e-9)


def test_kid_jackknife_leaves_each_sample_out() -> None:
    x, y = draw(12, 3, 1), draw(9, 3, 2, 0.5)
    left = np.array([kid(np.delete(x, i, 0), y) for i in range(12)])
    right = np.array([kid(x, np.delete(y, j, 0)) for j in range(9)])
    variance = 11 / 12 * np.square(left - left.mean()).sum() + 8 / 9 * np.square(right - right.mean()).sum()
    assert kid_error(row_sums(x, y)) == pytest.approx(np.sqrt(variance), rel=1e-9)


@every
@pytest.mark.parametrize("k", [3, 5])
def test_precision_recall_are_torch_fidelitys(name: str, k: int) -> None:
    real, fake = (s.astype(np.float64) for s in CASES[name])
    peer = prc_features_to_metric(
        torch.from_numpy(fake),
        torch.from_numpy(real),
        prc_neighborhood=k,
        prc_batch_size=10_000,
        save_cpu_ram=False,
        verbose=False,
    )
    assert precision_recall(*CASES[name], k) == pytest.approx((peer["precision"], peer["recall"]), rel=1e-6)


@every
@pytest.mark.parametrize("k", [3, 5])
def test_density_coverage_are_prdcs(name: str, k: int, capsys: pytest.CaptureFixture[str]) -> None:
    real, fake = (s.astype(np.float64) for s in CASES[name])
    peer = compute_prdc(real, fake, k)
    assert density_coverage(*CASES[name], k) == pytest.approx((peer["density"], peer["coverage"]), rel=1e-6)


def test_blocks_do_not_change_the_distances(monkeypatch: pytest.MonkeyPatch) -> None:
    real, fake = CASES["unequal sizes"]
    whole = precision_recall(real, fake), density_coverage(real, fake)
    monkeypatch.setattr(distances, "BLOCK", 700)
    assert (precision_recall(real, fake), density_coverage(real, fake)) == whole


def test_distances_of_near_points_are_exact() -> None:
    x = draw(50, 16, 1) + 300
    y = np.concatenate([x[:20], x[20:40] + 1e-7, x[40:] + 1.0])
    moved, other = distances.centered(x, y)
    found = distances.squared(moved, other).sqrt().numpy()
    exact = np.sqrt(np.square(moved.numpy()[:, None] - other.numpy()[None]).sum(-1))
    np.testing.assert_allclose(found, exact, rtol=1e-6)
    assert (np.diag(found)[:20] == 0).all()


def test_too_few_for_a_neighbour_is_one_line() -> None:
    with pytest.raises(DataError, match="needs at least 4 samples, there are 3") as caught:
        precision_recall(draw(3, 4, 0), draw(10, 4, 1))
    assert caught.value.code == 3
    assert "\n" not in str(caught.value)


def test_fid_of_one_sample_is_one_line() -> None:
    with pytest.raises(DataError, match="needs at least 2 samples"):
        fid(draw(1, 4, 0), draw(10, 4, 1))


def test_fid_of_nan_is_one_line() -> None:
    with pytest.raises(DataError, match="not finite"):
        fid(np.full((5, 3), np.nan), draw(10, 3, 1))
