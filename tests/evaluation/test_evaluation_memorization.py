"""Copying: the statistics against peers, a control that copies, and a hundred that do not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.neighbors import NearestNeighbors

from gancli.evaluation.metrics.copying import (
    authentic_share,
    copied_share,
    copy_test,
    hypergeometric,
    mann_whitney_z,
    ratios,
    tail_probability,
    three_sample_test,
)
from gancli.evaluation.metrics.distances import nearest

rng = np.random.default_rng(0)


@pytest.mark.parametrize("d", [16, 256])  # beyond 200, the search goes by principal components
def test_nearest_is_sklearns(d: int) -> None:
    base = rng.normal(size=(500, 8)) @ rng.normal(size=(8, d)) + 0.05 * rng.normal(size=(500, d))
    query = np.concatenate([base[:20], base[20:150] + 0.2 * rng.normal(size=(130, d))])
    base, query = base.astype(np.float32), query.astype(np.float32)
    peer = NearestNeighbors(n_neighbors=2, algorithm="brute").fit(base.astype(np.float64))
    distances, indices = peer.kneighbors(query.astype(np.float64))
    found = nearest(query, base)
    assert (found[1] == indices).all()
    np.testing.assert_allclose(found[0], distances, rtol=1e-6, atol=1e-5)  # the peer's own rounding near 0
    assert (found[0][:20, 0] == 0).all()


def test_mann_whitney_is_scipys_z() -> None:
    held, fake = rng.normal(size=80).round(1), rng.normal(size=60).round(1) - 0.3
    u = stats.mannwhitneyu(fake, held, alternative="less", method="asymptotic").statistic
    assert mann_whitney_z(held, fake) == pytest.approx((u - 2400) / np.sqrt(80 * 60 * 141 / 12), rel=1e-9)


def test_three_sample_test_is_the_papers() -> None:
    held, fake = rng.gamma(2, size=400), rng.gamma(1.8, size=300)
    held_cells, fake_cells = rng.integers(0, 5, 400), rng.integers(0, 4, 300)
    top = bottom = 0.0
    for c in range(5):
        p, q = held[held_cells == c], fake[fake_cells == c]
        if len(p) >= 20 and len(q) >= 20:
            u = stats.mannwhitneyu(q, p).statistic
            z = (u - len(p) * len(q) / 2) / np.sqrt(len(p) * len(q) * (len(p) + len(q) + 1) / 12)
            top, bottom = top + len(p) / 400 * z, bottom + len(p) / 400
    assert three_sample_test(held, fake, held_cells, fake_cells)[0] == pytest.approx(top / bottom, rel=1e-9)


def test_three_sample_test_has_the_spread_it_says() -> None:
    found = []
    for _ in range(300):
        held, fake = rng.normal(size=200), rng.normal(size=200)
        cells = rng.integers(0, 4, 200), rng.integers(0, 4, 200)
        found.append(three_sample_test(held, fake, *cells))
    values, said = np.array(found).T
    assert np.std(values) == pytest.approx(said.mean(), rel=0.2)


def test_hypergeometric_is_scipys() -> None:
    for total, marked, drawn in ((400, 200, 10), (1000, 50, 100), (30, 29, 20)):
        peer = stats.hypergeom.pmf(np.arange(drawn + 1), total, marked, drawn)
        np.testing.assert_allclose(hypergeometric(total, marked, drawn), peer, rtol=1e-6, atol=1e-300)


def test_tail_probability_is_fishers_exact_test_in_one_cell() -> None:
    is_fake, in_tail = np.arange(100) >= 40, rng.random(100) < 0.2
    table = [
        [(in_tail & is_fake).sum(), (in_tail & ~is_fake).sum()],
        [(~in_tail & is_fake).sum(), (~in_tail & ~is_fake).sum()],
    ]
    peer = stats.fisher_exact(table, alternative="greater").pvalue
    assert tail_probability(in_tail, is_fake, np.zeros(100)) == pytest.approx(peer, rel=1e-6)


def test_tail_probability_in_cells_is_that_of_permutations_within_them() -> None:
    is_fake, cells = rng.random(60) < 0.5, rng.integers(0, 3, 60)
    in_tail = rng.random(60) < np.array([0.1, 0.2, 0.5])[cells]
    seen, hits = (in_tail & is_fake).sum(), 0
    for _ in range(4000):
        shuffled = is_fake.copy()
        for c in range(3):
            shuffled[cells == c] = rng.permutation(is_fake[cells == c])
        hits += (in_tail & shuffled).sum() >= seen
    assert tail_probability(in_tail, is_fake, cells) == pytest.approx(hits / 4000, abs=0.03)


def test_more_of_one_class_is_no_copying() -> None:
    """A class with smaller ratios than others, and a generator that gives nothing else."""
    held_cells, fake_cells = np.arange(400) % 4, np.zeros(400, int)
    caught = blind = 0
    for _ in range(50):
        held = rng.beta(np.where(held_cells == 0, 3, 9), 1)
        fake = rng.beta(3, 1, 400)
        caught += copy_test(held, fake, held_cells, fake_cells) < 0.05
        blind += copy_test(held, fake) < 0.05
    assert caught <= 5
    assert blind > 25


def test_authentic_share() -> None:
    assert authentic_share(np.array([1.0, 3.0]), np.array([2.0, 2.0])) == 0.5


def test_ratio_of_an_exact_copy_is_zero() -> None:
    assert ratios(np.array([[0.0, 0.0], [0.0, 2.0], [1.0, 2.0]])).tolist() == [0.0, 0.0, 0.5]


def draws(seed: int, replay: float = 0.0, d: int = 8, n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Ratios of n held-out points and n others, of which a share are training points with a little noise."""
    own = np.random.default_rng(seed)
    train, held, fake = (own.normal(size=(k, d)).astype(np.float32) for k in (1000, n, n))
    copies = round(replay * n)
    fake[:copies] = train[own.permutation(1000)[:copies]] + own.normal(0, 1e-3, (copies, d))
    return ratios(nearest(held, train)[0]), ratios(nearest(fake, train)[0])


def test_a_replay_of_five_percent_is_caught_and_held_out_reals_are_not() -> None:
    caught = sum(copy_test(*draws(seed, 0.05)) < 0.05 for seed in range(100))
    false = sum(copy_test(*draws(10_000 + seed)) < 0.05 for seed in range(100))
    assert caught == 100
    assert false <= 5


def test_the_share_of_copies_has_an_error_where_there_are_none() -> None:
    found = copied_share(np.zeros(100), np.ones(50))
    assert found.share == 0
    assert found.error == pytest.approx(np.sqrt(0.5 * 50.5 / 51**2 / 50 + 0.5 * 100.5 / 101**2 / 100))


def test_the_share_of_copies_is_about_right() -> None:
    found = [copied_share(*draws(seed, 0.2, n=400)).share for seed in range(20)]
    assert np.mean(found) == pytest.approx(0.2, abs=0.03)
    assert np.mean([copied_share(*draws(seed, n=400)).share for seed in range(20)]) < 0.02
