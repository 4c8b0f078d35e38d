"""A linear probe, against scikit-learn; the classes of samples by features that know none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gancli.core.data import Split
from gancli.core.errors import UsageError
from gancli.core.images import ImageSamples
from gancli.core.registry import build
from gancli.evaluation.evaluator import evaluate
from gancli.evaluation.generated import Generated
from gancli.evaluation.probe import probe
from gancli.evaluation.untrained import Untrained


def test_ridge_regression_as_of_scikit_learn() -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    draw = np.random.default_rng(0)
    labels = draw.choice(4, 300, p=[0.6, 0.2, 0.1, 0.1])
    x = draw.normal(size=(300, 20)) + 0.7 * np.eye(4, 20)[labels]
    weight = (1 / np.bincount(labels))[labels] / 4
    mean = (weight[:, None] * x).sum(0)
    strength = (weight[:, None] * (x - mean) ** 2).sum() / 20
    peer = linear.Ridge(alpha=strength).fit(x, np.eye(4)[labels], sample_weight=weight)
    fresh = draw.normal(size=(500, 20))
    assert (probe(x, labels, 4)(fresh) == peer.predict(fresh).argmax(1)).all()


def test_a_class_without_data_is_never_seen() -> None:
    draw = np.random.default_rng(0)
    assert set(probe(draw.normal(size=(40, 3)), np.arange(40) % 2 * 2, 4)(draw.normal(size=(99, 3)))) == {0, 2}
    assert set(probe(np.ones((4, 3)), np.array([0, 1, 0, 1]), 2)(np.ones((2, 3)))) <= {0, 1}


def test_features_that_know_no_classes_tell_what_class_samples_are(pictures: Split, cache: Path) -> None:
    part = pictures.test
    features = build("features", "random-conv")
    fakes = Generated(ImageSamples(part.images, part.labels.clip(max=1)))
    found = evaluate(fakes, pictures, metrics=["label-agreement"], features=features, cache_dir=cache)
    score = found.scores["label-agreement@random-conv"]
    assert (score.reference or 0) > 0.95, "of reals that the probe has not seen"
    assert "linear probe" in score.meaning
    assert score.detail["patch 0"] > 0.95
    assert score.value == pytest.approx(float((fakes.samples.labels == part.labels).mean()), abs=0.05)  # type: ignore[union-attr]
    wrong = Generated(ImageSamples(part.images, (part.labels + 1) % 3))
    said = evaluate(wrong, pictures, metrics=["label-agreement"], features=features, cache_dir=cache)
    assert set(said.scores["label-agreement@random-conv"].warnings) == {"patch 0", "patch 1", "patch 2"}


def test_the_data_that_a_probe_would_learn_from_do_not_judge_it(pictures: Split, cache: Path) -> None:
    part = pictures.test
    how = {"n": 100, "features": build("features", "random-conv"), "cache_dir": cache}
    with pytest.raises(UsageError, match="nothing is held out"):
        Untrained(part, part, **how)(Generated(ImageSamples(part.images, part.labels)), ["label-agreement"])
