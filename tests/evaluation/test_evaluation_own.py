"""Features of one's own: functions, sets and files; FLD against the published code."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gancli import evaluation
from gancli.core.errors import DataError, UsageError
from gancli.evaluation import FeatureSet, evaluate_features
from gancli.evaluation.own import read

RANDOM = np.random.default_rng(0)
TRAIN, REAL, FAKE = (RANDOM.standard_normal((n, 6)) for n in (400, 220, 240))
FAKE += 0.2


def test_the_functions_are_what_the_evaluation_computes() -> None:
    sets = FeatureSet("reals", REAL), FeatureSet("samples", FAKE), FeatureSet("training data", TRAIN)
    result = evaluate_features(*sets, metrics=["fid", "kid", "fid-inf", "prc", "density-coverage", "fid-train"])
    value, error = evaluation.kid(REAL, FAKE)
    assert result.score("kid").value == pytest.approx(value, rel=1e-9)
    assert result.score("kid").error == pytest.approx(error, rel=1e-9)
    assert result.score("fid").value == pytest.approx(evaluation.fid(REAL, FAKE), rel=1e-9)
    assert result.score("fid-inf").value == pytest.approx(evaluation.fid_infinity(REAL, FAKE), rel=1e-9)
    assert result.score("fid-train").value == pytest.approx(evaluation.fid(TRAIN, FAKE), rel=1e-9)
    assert result.score("fid-train").reference == pytest.approx(evaluation.fid(TRAIN, REAL), rel=1e-9)
    assert (result.score("precision").value, result.score("recall").value) == evaluation.precision_recall(REAL, FAKE)
    assert result.score("fid").reference is not None
    assert result.protocol["n_fake"] == 240


def test_copies_are_seen() -> None:
    copies = TRAIN[:240] + 1e-3
    z, deviation = evaluation.c_t(TRAIN, REAL, copies)
    assert z < -10
    assert deviation == pytest.approx(1, abs=0.5)
    assert abs(evaluation.c_t(TRAIN, REAL, RANDOM.standard_normal((240, 6)))[0]) < 4
    assert evaluation.auth_pct(TRAIN, copies) == 0
    honest = evaluation.auth_pct(TRAIN, torch.from_numpy(RANDOM.standard_normal((240, 6))))
    x, y = torch.from_numpy(TRAIN), torch.from_numpy(REAL)
    to_train = torch.cdist(y, x)
    between = torch.cdist(x, x).fill_diagonal_(torch.inf)
    naive = 100 * float((to_train.amin(1) > between.amin(1)[to_train.argmin(1)]).double().mean())
    assert evaluation.auth_pct(TRAIN, REAL) == pytest.approx(naive)
    assert 20 < honest < 80


def test_fld_is_that_of_the_published_code(official: Any) -> None:
    def points(n: int, k: int) -> torch.Tensor:
        out: torch.Tensor = official.wave(n, 4, k=k) * official.wave(n, 1, k=k + 3) + 0.3 * official.wave(n, 4, k=k + 5)
        return out

    train, test = points(80, 1), points(60, 2)
    wanted = official.table["fld"]
    assert evaluation.fld(train, test, points(50, 9))[0] == pytest.approx(wanted["other"], rel=1e-4)
    assert evaluation.fld(train, test, test[:50])[0] == pytest.approx(wanted["test"], rel=1e-4)
    assert evaluation.fld(train, test, train[:50] + 1e-3)[0] == pytest.approx(wanted["copied"], rel=0.02)
    assert evaluation.fld(TRAIN, REAL, FAKE)[1] > 0


def test_a_metric_on_request_is_computed_only_if_it_is_named() -> None:
    sets = FeatureSet("reals", REAL), FeatureSet("samples", FAKE), FeatureSet("training data", TRAIN)
    assert not any(name.startswith(("fld", "fid-train")) for name in evaluate_features(*sets).scores)
    found = evaluate_features(*sets, metrics=["fld"]).score("fld")
    assert (found.value, found.error) == pytest.approx(evaluation.fld(TRAIN, REAL, FAKE), abs=10)
    assert found.reference == 0


def test_what_is_not_available_from_features_is_said() -> None:
    with pytest.raises(UsageError, match="looks at the samples themselves"):
        evaluate_features(FeatureSet("reals", REAL), FeatureSet("samples", FAKE), metrics=["swd"])
    with pytest.raises(UsageError, match="training data are not given"):
        evaluate_features(FeatureSet("reals", REAL), FeatureSet("samples", FAKE), metrics=["fld"])
    with pytest.raises(DataError, match="widths"):
        evaluate_features(FeatureSet("reals", REAL), FeatureSet("samples", FAKE[:, :2]))


def test_files(tmp_path: Path, gan: Any) -> None:
    p = RANDOM.random((240, 3))
    np.savez(tmp_path / "real.npz", features=REAL)
    np.savez(tmp_path / "fake.npz", features=FAKE, probabilities=p / p.sum(1, keepdims=True))
    np.save(tmp_path / "train.npy", TRAIN)
    files = "--features", tmp_path / "real.npz", tmp_path / "fake.npz"
    said = gan("evaluate", *files, "--train-features", tmp_path / "train.npy", "--json")
    assert said.code == 0, said.err
    scores = said.json()["scores"]
    assert scores["fid@own"]["value"] == pytest.approx(evaluation.fid(REAL, FAKE), rel=1e-6)
    assert scores["fid@own"]["reference"] > 0
    assert "inception-score@own" in scores
    assert gan("evaluate", *files, "--fail-if", "fid>0").code == 8
    assert "of reals and of samples" in gan("evaluate", "--features", tmp_path / "real.npz").err
    assert "goes with features from files" in gan("evaluate", "--train-features", tmp_path / "train.npy").err


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", b"\x93NUMPY\x01\x00"])
def test_damaged_files_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"x\.npz"):
        read(tmp_path / "x.npz", "reals")


@pytest.mark.parametrize(
    ("array", "why"),
    [
        (np.zeros((8, 1_200_000), np.float32), "would unpack"),
        (np.zeros((8, 5000), np.float32), "5,000 numbers for each of 8 samples"),
        (np.zeros((8, 3), "U4"), "no numbers"),
        (np.zeros((8, 3), complex), "no numbers"),
        (np.zeros(8), "one row"),
    ],
)
def test_files_that_would_take_the_memory_or_are_none_are_refused(array: np.ndarray, why: str, tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "x.npz", features=array)
    with pytest.raises(DataError, match=why):
        read(tmp_path / "x.npz", "reals")


@pytest.mark.timeout(20)
def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.npz")
    with pytest.raises(DataError, match=r"x\.npz"):
        read(tmp_path / "x.npz", "reals")
    (tmp_path / "link.npy").symlink_to(tmp_path / "real.npy")
    np.save(tmp_path / "real.npy", REAL)
    assert len(read(tmp_path / "link.npy", "reals")) == len(REAL)


def test_files_without_features_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=REAL, b=FAKE)
    with pytest.raises(DataError, match="holds a, b"):
        read(tmp_path / "x.npz", "reals")
    np.save(tmp_path / "x.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match=r"x\.npy"):
        read(tmp_path / "x.npy", "reals")
    with pytest.raises(DataError, match="missing"):
        read(tmp_path / "missing.npz", "reals")
