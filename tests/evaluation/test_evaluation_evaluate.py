"""A whole evaluation: scores, reference scores, protocol, refusals, bounds, comparison, plug-ins, the picture."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gancli.core.data import Split
from gancli.core.errors import CheckpointError, DataError, UsageError
from gancli.core.images import ImageSamples
from gancli.core.registry import build, parts
from gancli.data.images import ImageDataset
from gancli.evaluation import selection
from gancli.evaluation.contracts import Inputs, Metric, Score
from gancli.evaluation.evaluator import Evaluator, evaluate, quick
from gancli.evaluation.generated import Generated
from gancli.evaluation.results import Evaluation, metric_of
from tests.evaluation.conftest import images_of, of

QUICK = ("fid", "prc")


def evaluator(split: Split, n: int, cache: Path) -> Evaluator:
    return Evaluator(split.train, split.test, "digits-v1", n=n, cache_dir=cache)


def test_every_metric_gives_what_it_says_with_a_reference_score(found: Evaluation) -> None:
    known = {name: cls for name, cls in parts("metric").items() if issubclass(cls, Metric) and "test" not in name}
    usual = {name: cls for name, cls in known.items() if not cls.on_request}
    of_images = {name: cls for name, cls in usual.items() if issubclass(ImageSamples, cls.accepts)}
    expected = {score for cls in of_images.values() for score in cls.gives}
    assert {k.split("@")[0] for k in found.scores} == expected - {"attribute-agreement"}
    assert {"fid@digits-v1", "swd@pixels", "copied@pixels", "cas@pixels"} <= set(found.scores)
    for name, score in found.scores.items():
        assert np.isfinite(score.value), name
        assert score.meaning, name
        assert score.reference is not None or name.startswith("copied-p"), name
    assert found.scores["fid@digits-v1"].value > (found.scores["fid@digits-v1"].reference or 0)
    assert found.scores["copied-p@digits-v1"].value < 0.05
    assert set(found.protocol["skipped"]) == {"attribute-agreement"} | (usual.keys() - of_images.keys())


def test_attributes_asked_for_are_measured(digits: Split, cache: Path) -> None:
    """Of images that are as bright as asked, but for one attribute that is noise."""
    rng = np.random.default_rng(0)

    def measure(images: np.ndarray) -> np.ndarray:
        return np.stack([images.mean((1, 2, 3)), images.max((1, 2, 3))], 1).astype(np.float32)

    def known(data: ImageDataset) -> ImageDataset:
        attributes = measure(data.images)
        return replace(data, attributes=attributes, attribute_names=("mean", "peak"), measure=measure)

    split = Split(known(digits.train), known(digits.test))
    images = digits.train.images[:200]
    asked = np.stack([measure(images)[:, 0], rng.normal(size=200)], 1).astype(np.float32)
    found = evaluate(of(images, attributes=asked), split, "digits-v1", metrics=["attribute-agreement"], cache_dir=cache)
    score = found.score("attribute-agreement")
    assert score.detail["mean"] == pytest.approx(1)
    assert score.value == score.detail["peak"] == pytest.approx(np.corrcoef(asked[:, 1], measure(images)[:, 1])[0, 1])
    assert score.reference == pytest.approx(1)
    with pytest.raises(DataError, match="attributes"):
        evaluate(of(images, attributes=asked[:, :1]), split, "digits-v1", metrics=["fid"], cache_dir=cache)


def test_the_protocol_says_how(found: Evaluation) -> None:
    p = found.protocol
    assert (p["n_fake"], p["n_real"], p["features"]) == (300, 300, "digits-v1")
    assert p["fakes"] == {"run": "test", "weights": "averaged"}
    assert {"features_hash", "rule", "data", "train", "seed", "split", "versions", "metrics"} <= set(p)


def test_two_evaluations_give_the_same_json(
    digits: Split, fakes: Generated, found: Evaluation, tmp_path: Path, cache: Path
) -> None:
    """From an empty cache, from a full one, and with another number of threads."""
    first = found.to_dict()
    before = torch.get_num_threads()
    torch.set_num_threads(2 if before == 1 else 1)
    try:
        others = [evaluate(fakes, digits, "digits-v1", cache_dir=c) for c in (tmp_path, cache)]
    finally:
        torch.set_num_threads(before)
    for other in others:
        again = other.to_dict()
        assert list(again["scores"]) == list(first["scores"])
        assert again["protocol"] == first["protocol"]
        for name, score in first["scores"].items():
            assert again["scores"][name]["value"] == pytest.approx(score["value"], rel=1e-6, abs=1e-9), name
    repeated = evaluate(fakes, digits, "digits-v1", cache_dir=cache)
    assert replace(repeated, timings={}).to_json() == replace(found, timings={}).to_json()


def test_json_goes_there_and_back(found: Evaluation) -> None:
    text = found.to_json()
    back = Evaluation.from_json(text)
    assert {k: s.value for k, s in back.scores.items()} == {k: s.value for k, s in found.scores.items()}
    assert json.loads(text)["scores"]["fid@digits-v1"]["interval"][0] < found.score("fid").value
    wrong = (
        "", "{}", "[" * 100_000, b"\xff", '{"scores": [], "protocol": {}}', '{"scores": {"a": {"b": 1}}, "protocol": {}}',
        '{"scores": {}, "protocol": []}', '{"scores": {}, "protocol": {"n_fake": "x"}}',
        '{"scores": {}, "protocol": {}, "timings": 1}', '{"scores": {"a": {"value": "1", "meaning": ""}}, "protocol": {}}',
        '{"scores": {"a": {"value": 1, "meaning": "", "error": []}}, "protocol": {}}',
        '{"scores": {"a": {"value": 1, "meaning": "", "better": []}}, "protocol": {}}',
    )  # fmt: skip
    for broken in wrong:
        with pytest.raises(CheckpointError) as caught:
            Evaluation.from_json(broken)
        assert "\n" not in str(caught.value)


def test_held_out_reals_are_not_called_copies(digits: Split, cache: Path) -> None:
    half = digits.test.take(slice(0, None, 2)), digits.test.take(slice(1, None, 2))
    split = Split(digits.train, half[1])
    found = evaluate(of(half[0].images), split, "digits-v1", metrics=["memorization"], cache_dir=cache)
    assert found.score("copied-p").value > 0.05
    assert abs(found.score("ct").value) < 3


def test_quick_scores_take_no_baselines(digits: Split, fakes: Generated, cache: Path) -> None:
    found = quick(evaluator(digits, 200, cache), fakes, QUICK)
    assert {k.split("@")[0] for k in found.scores} == {"fid", "precision", "recall"}
    assert all(s.reference is None for s in found.scores.values())
    assert found.protocol["n_fake"] == 200


@pytest.mark.parametrize(("reals", "samples"), [(1, 50), (3, 50), (5, 50), (50, 2), (50, 3), (50, 5)])
def test_what_takes_more_images_is_left_out(
    reals: int, samples: int, digits: Split, fakes: Generated, cache: Path
) -> None:
    few = Split(digits.train, digits.test.take(slice(0, reals)))
    some = replace(fakes, samples=fakes.samples.take(slice(0, samples)))
    of_few = evaluator(few, samples, cache)
    found = of_few(some)
    least = min(reals, samples)
    wants = {"fid": 2, "kid": 2, "prc": 4, "density-coverage": 6}
    assert {m for m in wants if m in found.protocol["skipped"]} == {m for m, k in wants.items() if least < k}
    assert "swd@pixels" in found.scores
    assert found.protocol["skipped"]["fid-inf"] == "fewer than 100 samples or reals"
    if least > 1:
        assert set(quick(of_few, some, QUICK).protocol["skipped"]) == ({"prc"} if least < 4 else set())
    else:
        with pytest.raises(DataError, match=r"nothing can be scored \(fid: fewer than 2 samples or reals; prc: "):
            quick(of_few, some, QUICK)
    if least < 4:
        with pytest.raises(UsageError, match="prc is not available: fewer than 4 samples or reals  ->  leave it out"):
            of_few(some, ["prc"])
        with pytest.raises(UsageError, match="recall is not available: fewer than 4 samples or reals"):
            found.score("recall")


def test_of_more_samples_than_are_wanted_some_are_taken_at_random(digits: Split, fakes: Generated, cache: Path) -> None:
    seen: list[Inputs] = []

    class Spy(Metric):
        name = "test-spy"
        gives = ("test-spy",)
        space = "pixels"

        def compute(self, inputs: Inputs) -> dict[str, Score]:
            seen.append(inputs)
            return {}

    asked = np.arange(300, dtype=np.float32)[:, None]
    known = replace(digits.train, attributes=np.zeros((len(digits.train.images), 1)), attribute_names=("a",))
    split = Split(known, digits.test)
    images = images_of(fakes)
    for n in (300, 50):
        evaluator(split, n, cache)(of(images, fakes.labels, asked), [Spy()], baselines=False)
    whole, some = (s.fake for s in seen)
    assert (whole.take(np.arange(300)).images == images).all()
    assert fakes.labels is not None
    index = np.array([some.original(i) for i in range(len(some))])
    assert len(set(index)) == 50
    assert index.max() >= 50
    assert (np.concatenate([chunk.images for chunk in some.chunks(7)]) == images[index]).all()
    assert (some.labels == fakes.labels[index]).all()
    assert some.attributes is not None
    assert (some.attributes[:, 0] == index).all()


def test_pairs_are_numbered_as_the_samples_were(digits: Split, fakes: Generated, cache: Path) -> None:
    found = evaluator(digits, 100, cache)(fakes, ["memorization"], baselines=False).pairs
    assert found is not None
    assert len(found.pairs) == len(found.fakes) == len(found.trains) == 8
    for i, pair in enumerate(found.pairs):
        assert (images_of(fakes)[pair.fake] == found.fakes.images[i]).all()
        assert (digits.train.images[pair.train] == found.trains.images[i]).all()


def test_a_score_of_two_spaces_is_that_of_the_features(found: Evaluation) -> None:
    named = {
        f"copied@{label}": replace(found.score("copied"), value=v)
        for label, v in (("pixels", 1.0), ("random-conv", 2.0))
    }
    both = Evaluation(named, {"features": "random-conv"})
    assert both.score("copied").value == 2
    assert both.score("copied@pixels").value == 1
    assert Evaluation(named, {}).score("copied").value == 1


def test_copies_raise_an_alarm_by_the_features(digits: Split, fakes: Generated, cache: Path) -> None:
    """Of samples a tenth of which are training images; and of reals, among which nothing is copied."""
    copied = evaluator(digits, 300, cache)(fakes, ["memorization"]).scores
    assert [name for name, score in copied.items() if score.alarm] == ["copied-p@digits-v1"]
    half = digits.test.take(slice(0, None, 2)), digits.test.take(slice(1, None, 2))
    fair = evaluator(Split(digits.train, half[1]), 300, cache)(of(half[0].images), ["memorization"]).scores
    assert not any(score.alarm for score in fair.values())


def test_data_without_labels_gets_what_applies(pictures: Split, cache: Path) -> None:
    plain = Split(ImageDataset(pictures.train.images), ImageDataset(pictures.test.images))
    notes: list[str] = []
    fakes = of(np.roll(pictures.train.images[:220], 1, 2))
    features = build("features", "random-conv")
    found = evaluate(fakes, plain, "auto", features=features, cache_dir=cache, note=notes.append)
    assert "fid@random-conv" in found.scores
    of_classes = {"cas", "class-histogram", "class-quality", "inception-score", "modes", "per-class-fid"}
    of_others = {name for name, reason in found.protocol["skipped"].items() if reason.startswith("it scores ")}
    assert {"l1", "bleu"} <= of_others  # of pairs, of text
    assert set(found.protocol["skipped"]) - of_others == of_classes | {"label-agreement", "attribute-agreement"}
    assert found.protocol["n_real"] == 200
    assert "the test set has 200 samples" in notes[0]


def test_color_images_are_scored_by_features_of_imagenet(pictures: Split, cache: Path) -> None:
    fakes = of(np.roll(pictures.train.images[:60], 1, 2))
    found = evaluate(fakes, pictures, metrics=["kid", "prc"], n=60, cache_dir=cache)
    assert {"kid@efficientnet-lite0", "recall@efficientnet-lite0"} <= set(found.scores)
    with pytest.raises(UsageError, match="--features classifier"):
        evaluate(fakes, pictures, metrics=["class-kl"], n=60, cache_dir=cache)


def test_metrics_are_asked_for_by_their_or_a_scores_name(digits: Split, fakes: Generated, cache: Path) -> None:
    found = evaluate(fakes, digits, "digits-v1", metrics=["recall", "fid@digits-v1"], cache_dir=cache)
    assert set(found.protocol["metrics"]) == {"prc", "fid"}
    with pytest.raises(UsageError, match="did you mean fid") as caught:
        metric_of("fidd")
    assert caught.value.code == 2
    unlabelled = of(images_of(fakes))
    with pytest.raises(UsageError, match="not conditional"):
        evaluate(unlabelled, digits, "digits-v1", metrics=["cas"], cache_dir=cache)


@pytest.mark.parametrize(
    ("images", "labels", "what"),
    [
        (np.full((9, 1, 8, 8), np.nan, np.float32), None, "NaN"),
        (np.zeros((9, 1, 9, 8), np.uint8), None, "1x9x8, the data's images uint8 1x8x8"),
        (np.zeros((9, 3, 8, 8), np.uint8), None, "3x8x8"),
        (np.zeros((0, 1, 8, 8), np.uint8), None, "no samples"),
        (np.zeros((1, 1, 8, 8), np.uint8), None, "one sample"),
        (np.zeros((9, 1, 8, 8), np.uint8), np.zeros(3, np.int64), "3 labels for 9"),
        (np.zeros((9, 1, 8, 8), np.uint8), np.full(9, 10), "not classes"),
    ],
)
def test_broken_samples_are_one_line(
    images: np.ndarray, labels: np.ndarray | None, what: str, digits: Split, cache: Path
) -> None:
    with pytest.raises(DataError, match=what) as caught:
        evaluate(of(images, labels), digits, "digits-v1", metrics=["prc"], cache_dir=cache)
    assert caught.value.code == 3
    assert "\n" not in str(caught.value)


def test_a_collapsed_generator_and_a_single_class_have_scores(digits: Split, cache: Path) -> None:
    fakes = of(np.repeat(digits.train.images[:1], 200, 0), np.zeros(200, np.int64))
    found = evaluate(fakes, digits, "digits-v1", cache_dir=cache)
    for name in ("recall", "modes", "class-entropy", "ssim-diversity", "inception-score"):
        value, reference = found.score(name).value, found.score(name).reference
        assert reference is not None
        assert value < reference, name
    assert found.score("modes").value == 1
    assert found.score("class-kl").value > 1
    found.to_json()


def test_few_samples_are_searched_for_among_part_of_many_training_data(
    digits: Split, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "SEARCHED_LEAST", 300)
    said: list[str] = []
    few, all_of_them = (
        Evaluator(digits.train, digits.test, n=n, cache_dir=cache, note=said.append) for n in (50, len(digits.train))
    )
    assert (len(few.train), len(all_of_them.train)) == (500, len(digits.train))
    found = few(of(digits.train.images[:50]), ["memorization"])
    assert (
        said[-1] == f"copies are searched for among 500 of {len(digits.train):,} training data; --n 144 searches 1,438"
    )
    assert found.protocol["n_train"] == 500
    few(of(digits.train.images[:50]), ["kid"])  # searches for none
    assert len(said) == 2
