"""The functions of raw features: what they accept, and that they refuse numbers from which no score follows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from gancli.core.errors import DataError
from gancli.evaluation.metrics.copying import three_sample_test
from gancli.evaluation.metrics.density_coverage import density_coverage
from gancli.evaluation.metrics.fid import fid
from gancli.evaluation.metrics.fid_inf import fid_infinity
from gancli.evaluation.metrics.inception_score import inception_score
from gancli.evaluation.metrics.kid import kid
from gancli.evaluation.metrics.prc import precision_recall
from gancli.evaluation.metrics.swd import sliced_wasserstein


def infinity(real: Any, fake: Any) -> float:
    return fid_infinity(real, fake, np.array([20, 30, 40]))


def sliced(real: Any, fake: Any) -> float:
    return sliced_wasserstein(real, fake, np.eye(4))


OF_TWO_SETS: list[Callable[[Any, Any], Any]] = [fid, kid, precision_recall, density_coverage, infinity, sliced]
RANDOM = np.random.default_rng(0)
REAL, FAKE = RANDOM.standard_normal((60, 4)), RANDOM.standard_normal((50, 4)) + 0.3


@pytest.mark.parametrize("score", OF_TWO_SETS)
def test_arrays_tensors_and_lists_give_the_same(score: Callable[[Any, Any], Any]) -> None:
    expected = score(REAL, FAKE)
    assert score(torch.from_numpy(REAL).requires_grad_(), torch.from_numpy(FAKE)) == expected
    assert score(REAL.tolist(), FAKE.tolist()) == expected


@pytest.mark.parametrize("score", OF_TWO_SETS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(score: Callable[[Any, Any], Any], bad: float) -> None:
    broken = FAKE.copy()
    broken[3, 1] = bad
    for pair in ((broken, REAL), (REAL, broken)):
        with pytest.raises(DataError, match=r"1 of \d+ rows are not finite"):
            score(*pair)


@pytest.mark.parametrize("score", OF_TWO_SETS)
def test_shapes_that_do_not_fit_are_refused(score: Callable[[Any, Any], Any]) -> None:
    for pair in (
        (REAL, FAKE[:, :3]),
        (REAL[0], FAKE),
        (REAL, FAKE[:, :, None]),
        (REAL, [[1.0], [1.0, 2.0]]),
        (REAL, []),
    ):
        with pytest.raises(DataError):
            score(*pair)


def test_the_inception_score_refuses_logits() -> None:
    logits = RANDOM.standard_normal((200, 10)) * 5
    with pytest.raises(DataError, match="no class probabilities"):
        inception_score(logits)
    p = torch.from_numpy(logits).softmax(1)
    assert 1 < inception_score(p)[0] < 10
    with pytest.raises(DataError, match="at least 10"):
        inception_score(p[:5])


def test_distances_that_are_not_finite_are_refused() -> None:
    cells = np.zeros(30, np.int64)
    with pytest.raises(DataError, match="not finite"):
        three_sample_test(np.ones(30), np.full(30, np.nan), cells, cells)
