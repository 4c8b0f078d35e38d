"""The verdict: a perfect generator helps, one that copies or ignores its labels is named; the statistics; kill and repeat."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from gancli.augmentation import scores, workflow
from gancli.augmentation.classifiers.estimator import Estimator
from gancli.augmentation.coverage import expected, worth
from gancli.augmentation.options import Options
from gancli.augmentation.results import Result, parsed
from gancli.augmentation.scores import Predictions
from gancli.augmentation.store import Store
from gancli.augmentation.subject import Subject
from gancli.augmentation.verdict import t975
from gancli.core.errors import UsageError
from gancli.inference.generator import Model
from tests.augmentation.conftest import RARE

Of = Callable[[Model], Subject]


def studied(subject: Subject, options: Options, place: Path) -> Result:
    work = workflow.look(subject, options, place / "cache", several=True)
    return workflow.study([work], options, [Store(place / "study")])


def test_real_images_in_the_place_of_a_generator_help(
    generators: dict[str, Model], subject: Of, options: Options, tmp_path: Path
) -> None:
    found = studied(subject(generators["perfect"]), options, tmp_path).values
    verdict = found["verdict"]
    assert verdict["verdict"] == "helps", verdict
    assert verdict["gain"]["low"] > 0
    assert verdict["sentence"].startswith("Generated images help: balanced accuracy +")
    assert not verdict["findings"]
    assert found["new images"][str(RARE)]["kept"] == 37
    assert found["new images"][str(RARE)]["effective"] > 5
    assert set(found["arms"]) == {
        "real", "class-weights", "oversampling", "classical", "smote", "gan", "gan-alone",
    }  # fmt: skip
    assert set(found["not available"]) == {"mixup", "more-real"}


def test_a_generator_that_copies_is_named(
    generators: dict[str, Model], subject: Of, options: Options, tmp_path: Path
) -> None:
    found = studied(subject(generators["copies"]), options, tmp_path)
    assert any(
        "100% of its samples are copies of training images" in said for said in found.values["verdict"]["findings"]
    )
    assert found.values["verdict"]["verdict"] == "none"
    assert "No verdict" in found.values["verdict"]["sentence"]
    assert found.values["new images"][str(RARE)]["copies"] > 37
    few = ("oversampling", "classical", "gan")
    kept = options.replace(filters=options.filters.replace(copies=False), arms=few)
    found = studied(subject(generators["copies"]), kept, tmp_path)
    assert found.values["verdict"]["verdict"] in ("no gain", "harms"), found.values["verdict"]["sentence"]
    assert "copies of training images" in found.values["verdict"]["sentence"]
    assert found.values["new images"][str(RARE)]["effective"] < 12


def test_a_generator_that_ignores_its_labels_is_named(
    generators: dict[str, Model], subject: Of, options: Options, tmp_path: Path
) -> None:
    few = options.replace(arms=("oversampling", "classical", "gan"), seeds=2)
    found = studied(subject(generators["ignores"]), few, tmp_path).values["verdict"]
    assert any(said.startswith("the generator ignores its labels") for said in found["findings"])
    assert found["verdict"] in ("no gain", "harms"), found["sentence"]
    assert "the generator ignores its labels" in found["sentence"]


def test_the_same_again_bitwise_and_after_a_kill_with_what_is_done(
    generators: dict[str, Model], subject: Of, options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = options.replace(seeds=2, arms=("real", "classical", "gan"))
    first = studied(subject(generators["perfect"]), short, tmp_path)
    other = studied(subject(generators["perfect"]), short, tmp_path / "elsewhere")
    assert json.dumps(first.values) == json.dumps(other.values)
    results = sorted((tmp_path / "study" / "results").iterdir())
    assert len(results) == 6
    for path in results[:2]:
        path.unlink()  # as if it had been killed before these
    results[3].write_bytes(b"cut")
    trained: list[int] = []
    fit = Estimator.fit
    monkeypatch.setattr(Estimator, "fit", lambda self, lesson: trained.append(lesson.seed) or fit(self, lesson))
    again = studied(subject(generators["perfect"]), short, tmp_path)
    assert len(trained) == 3
    assert json.dumps(first.values) == json.dumps(again.values)
    studied(
        subject(generators["perfect"]), short.replace(seeds=1, classifier=short.classifier.replace(rows=100)), tmp_path
    )
    assert len(trained) == 6


def test_validation_chooses_and_says_when_it_is_too_small(
    generators: dict[str, Model], subject: Of, options: Options, tmp_path: Path
) -> None:
    wide = options.replace(ratios=(0.25, 4.0), seeds=1, arms=("classical", "gan"), choosing_seeds=1)
    found = studied(subject(generators["perfect"]), wide, tmp_path).values
    tried = found["choices"][0]["tried"]
    assert [one["ratio"] for one in tried] == [0.25, 4.0]
    assert found["choice"]["ratio"] == max(tried, key=lambda one: one["score"])["ratio"]
    assert "48 validation images" in found["choice"]["why"]
    assert found["verdict"]["verdict"] == "unknown"
    made = subject(generators["perfect"])
    whole = made.parts.validation
    object.__setattr__(made.parts, "validation", whole.take(np.arange(4)))
    try:
        assert "fewer than 10" in studied(made, wide, tmp_path).values["choice"]["why"]
    finally:
        object.__setattr__(made.parts, "validation", whole)


def test_a_looser_agreement_is_chosen_where_the_usual_one_leaves_nothing(
    generators: dict[str, Model], subject: Of, options: Options, tmp_path: Path
) -> None:
    strict = options.filters.replace(agreement=1.0)
    wide = options.replace(agreements=(1.0, 0.0), filters=strict, seeds=1, arms=("classical", "gan"), choosing_seeds=1)
    found = studied(subject(generators["perfect"]), wide, tmp_path).values
    assert found["choice"]["agreement"] == 0.0
    assert found["new images"][str(RARE)]["kept"] > 0


def test_folds_are_one_test_set(generators: dict[str, Model], subject: Of, options: Options, tmp_path: Path) -> None:
    short = options.replace(seeds=2, arms=("classical", "gan"))
    test = subject(generators["perfect"]).parts.test
    works = []
    for fold in range(2):
        of = subject(generators["perfect"])
        own = Subject(
            of.run, of.model, of.train, replace(of.parts, test=test.take(np.arange(fold, len(test), 2))), None
        )
        works.append(workflow.look(own, short, tmp_path / "cache"))
    stores = [Store(tmp_path / str(fold)) for fold in range(2)]
    both = workflow.study(works, short, stores).values
    single = [workflow.study([work], short, [store]).values for work, store in zip(works, stores, strict=True)]
    assert both["test images"] == len(test) == sum(one["test images"] for one in single)
    recall = [of["arms"]["gan"]["by seed"]["recall"] for of in (*single, both)]
    assert np.allclose(np.mean(recall[:2], 0), recall[2])  # the folds have as many images of the class
    assert both["new images"][str(RARE)]["kept"] == 2 * single[0]["new images"][str(RARE)]["kept"]
    assert len(both["choices"]) == 2


def test_a_fold_without_generated_images_is_classical_augmentation_there(
    generators: dict[str, Model], subject: Of, options: Options, tmp_path: Path
) -> None:
    short = options.replace(seeds=2, arms=("real", "classical", "gan"))
    test = subject(generators["perfect"]).parts.test
    works = []
    for fold, name in enumerate(("perfect", "copies")):  # of copies the filter keeps none
        of = subject(generators[name])
        own = replace(of.parts, test=test.take(np.arange(fold, len(test), 2)))
        works.append(workflow.look(Subject(of.run, of.model, of.train, own, None), short, tmp_path / "cache"))
    stores = [Store(tmp_path / str(fold)) for fold in range(2)]
    both = workflow.study(works, short, stores).values
    one, other = (workflow.study([work], short, [store]).values for work, store in zip(works, stores, strict=True))
    assert set(one["arms"]) == {"real", "classical", "gan"}
    assert set(other["arms"]) == {"real", "classical"}
    recalls = [of["arms"][arm]["by seed"]["recall"] for of, arm in ((one, "gan"), (other, "classical"), (both, "gan"))]
    assert np.allclose(np.mean(recalls[:2], 0), recalls[2])
    assert "no generated image is left in 1 of 2 folds" in both["verdict"]["sentence"]
    assert "gan" not in both["not available"]


def test_scores_against_scikit_learn() -> None:
    random = np.random.default_rng(0)
    true, p = random.integers(0, 4, 300), random.dirichlet(np.ones(4), 300).astype(np.float32)
    p[np.arange(300), true] += random.random(300).astype(np.float32)
    p /= p.sum(1, keepdims=True)
    found = scores.scores(Predictions.of(p, true), true, 4, 2)
    seen = p.argmax(1)
    assert found["balanced-accuracy"] == pytest.approx(metrics.balanced_accuracy_score(true, seen))
    assert found["macro-f1"] == pytest.approx(metrics.f1_score(true, seen, average="macro"))
    assert found["recall"] == pytest.approx(metrics.recall_score(true, seen, average=None)[2])
    assert found["precision"] == pytest.approx(metrics.precision_score(true, seen, average=None)[2])
    assert found["nll"] == pytest.approx(metrics.log_loss(true, p), rel=1e-5)
    right, sure = seen == true, p.max(1)
    bins = [(sure >= i / 15) & (sure < (i + 1) / 15) for i in range(15)]
    wanted = sum(abs(right[b].mean() - sure[b].mean()) * b.sum() for b in bins if b.any()) / 300
    assert found["calibration-error"] == pytest.approx(wanted, abs=1e-5)


def test_the_bootstrap_has_the_error_of_a_mean() -> None:
    random = np.random.default_rng(1)
    true = np.repeat(np.arange(2), 400)
    seen = np.where(random.random(800) < 0.8, true, 1 - true)
    on = scores.resampled(true, [seen, true], 2, 0, 2000, 5)
    rate = (seen == true)[true == 0].mean()
    assert on["recall"][:, 0].std() == pytest.approx(math.sqrt(rate * (1 - rate) / 400), rel=0.1)
    assert on["recall"][:, 0].mean() == pytest.approx(rate, abs=0.003)
    assert (on["balanced-accuracy"][:, 1] == 1).all()


def test_quantiles_of_student_s_t() -> None:
    for freedom in (1, 2, 9, 19, 20, 30, 99):
        assert t975(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), abs=2e-3)


def test_what_images_are_worth() -> None:
    random = np.random.default_rng(0)
    held = random.normal(size=(400, 2))
    real = worth(held, random.normal(size=(60, 2)))
    copies = worth(held, held[1::2][:3].repeat(500, 0) + 1e-6)
    assert real is not None and copies is not None  # noqa: PT018
    assert 30 < real.effective < 120
    assert copies.effective < 8
    assert worth(held, held[1::2]).effective == 200  # type: ignore[union-attr]
    assert worth(held, np.empty((0, 2))).effective == 0  # type: ignore[union-attr]
    assert worth(held[:10], held) is None
    counts = np.array([0, 1, 3])
    drawn = [np.isin(np.arange(3), random.permutation(6)[:2]) for _ in range(4_000)]
    of_three = np.mean([drawn_[:3].any() for drawn_ in drawn])
    of_one = np.mean([drawn_[0] for drawn_ in drawn])
    assert expected(counts, 6, 2) == pytest.approx((0 + of_one + of_three) / 3, abs=0.02)


@pytest.mark.parametrize(("bound", "name"), [("gain-low<0", "gain-low"), (" recall >= 80.5", "recall")])
def test_bounds(bound: str, name: str) -> None:
    assert parsed(bound)[0] == name
    numbers: dict[str, Any] = {"verdict": {"numbers": {"gain-low": -0.1, "recall": 80.0, "ceiling": None}}}
    assert Result(numbers).holds(bound) == (name == "gain-low")
    with pytest.raises(UsageError, match="no ceiling"):
        Result(numbers).holds("ceiling>1")


@pytest.mark.parametrize("bound", ["gian<0", "gain", "gain<x", "fid<3"])
def test_what_is_no_bound(bound: str) -> None:
    with pytest.raises(UsageError, match="is no bound"):
        parsed(bound)
