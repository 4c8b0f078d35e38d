"""What follows an evaluation: bounds, the comparison of several, the table and the picture; a metric of a plug-in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gancli.core.data import Split
from gancli.core.errors import UsageError
from gancli.core.registry import build, load_plugin
from gancli.evaluation.contracts import Metric, Score
from gancli.evaluation.evaluator import evaluate
from gancli.evaluation.features.random_conv import RandomConv
from gancli.evaluation.generated import Generated
from gancli.evaluation.results import Evaluation, compare, parse_bound
from gancli.report.evaluation import headlines, picture
from gancli.report.output import Output
from gancli.report.scores import show
from tests.evaluation.conftest import images_of, of

PLUGIN = """
import numpy as np
from gancli.evaluation.contracts import Chart, Metric, Score

class Brightness(Metric):
    name = "test-brightness"
    gives = ("test-brightness",)
    space = "pixels"
    charts = {"test-brightness": Chart("How bright", "of 255")}
    scale: float = 1.0

    def compute(self, inputs):
        mean = np.mean([chunk.images.mean() for chunk in inputs.fake.chunks(1)])
        return {"test-brightness": Score(float(self.scale * mean), "how bright samples are")}

    def baselines(self, inputs):
        return {**super().baselines(inputs), "black": {"test-brightness": Score(0.0, "nothing")}}
"""


def test_bounds() -> None:
    bound = parse_bound(" fid@digits-v1 <= 1e1 ")
    assert (bound.metric, bound.op, bound.value, str(bound)) == ("fid@digits-v1", "<=", 10.0, "fid@digits-v1<=10")
    assert parse_bound("copied-p>0.05").metric == "copied-p"
    for text, what in (
        ("fidd<8", "did you mean fid"),
        ("fid=8", "no bound"),
        ("fid<x", "no bound"),
        ("fid<nan", "not a number"),
    ):
        with pytest.raises(UsageError, match=what) as caught:
            parse_bound(text)
        assert caught.value.code == 2


def test_a_bound_is_met_or_not(found: Evaluation) -> None:
    value = found.score("fid").value
    assert parse_bound(f"fid<{value + 1}").met(found)
    assert not parse_bound(f"fid@digits-v1>={value + 1}").met(found)
    with pytest.raises(UsageError, match="no score 'recall'"):
        parse_bound("recall>0").met(replace(found, scores={"fid@digits-v1": found.score("fid")}))


@pytest.mark.parametrize(("value", "met", "fails"), [(9.0, True, True), (7.0, False, False), (np.nan, False, True)])
def test_what_is_no_number_fails_a_gate(value: float, met: bool, fails: bool) -> None:
    bound, evaluation = parse_bound("fid>8"), Evaluation({"fid@x": Score(value, "")}, {})
    assert (bound.met(evaluation), bound.fails(evaluation)) == (met, fails)
    assert parse_bound("fid>8").fails(Evaluation({"fid@x": Score(np.inf, "")}, {}))


def test_evaluations_side_by_side(found: Evaluation) -> None:
    rows = compare({"a": found, "b": found})
    fid = next(r for r in rows if r["score"] == "fid@digits-v1")
    assert fid["runs"]["a"] == fid["runs"]["b"]
    assert fid["runs"]["a"] == {"value": found.score("fid").value, "error": found.score("fid").error}
    assert fid["reference"] == found.score("fid").reference
    names = ("score", "reference", "runs", "a ±")
    assert list(compare(dict.fromkeys(names, found))[0]["runs"]) == list(names)
    assert compare([found])[0].keys() == {"score", "reference", "runs"}
    other = replace(found, protocol={**found.protocol, "n_fake": 10})
    with pytest.raises(UsageError, match="a and b do not compare: n_fake is 300 and 10"):
        compare({"a": found, "b": other})
    with pytest.raises(UsageError, match="nothing"):
        compare([])


def test_a_metric_is_one_new_file(
    tmp_path: Path, digits: Split, fakes: Generated, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "brightness.py"
    file.write_text(PLUGIN)
    load_plugin(file)
    chosen = build("metric", {"name": "test-brightness", "scale": 2.0})
    assert isinstance(chosen, Metric)
    found = evaluate(fakes, digits, metrics=[chosen], features=RandomConv(), cache_dir=cache)
    score = found.scores["test-brightness@pixels"]
    assert score.value == pytest.approx(2 * images_of(fakes).mean())
    assert score.reference == pytest.approx(2 * digits.train.images.mean(), rel=0.1)
    assert score.baselines == {"black": 0.0}
    assert found.protocol["metrics"] == {"test-brightness": {"name": "test-brightness", "scale": 2.0}}
    assert parse_bound("test-brightness<3").metric == "test-brightness"
    assert [name for name, _ in headlines(found)] == ["test-brightness@pixels"]
    text = printed(found, capsys)
    assert ["score", "value", "±", "reference", "black"] in [line.split()[:5] for line in text.splitlines()]
    assert Evaluation.from_json(found.to_json()).scores["test-brightness@pixels"].baselines == {"black": 0.0}
    picture(found, tmp_path / "bright.png")


def printed(found: Evaluation, capsys: pytest.CaptureFixture[str]) -> str:
    """The table, as text."""
    show(Output(), found)
    return capsys.readouterr().out


def test_the_picture_and_the_table(
    found: Evaluation, tmp_path: Path, pictures: Split, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "evaluation.png"
    picture(found, file)
    with Image.open(file) as image:
        assert image.size == (1440, 1008)
    first = ["fid", "fid-inf", "kid", "precision", "recall", "copied-p"]
    assert [name.split("@")[0] for name, _ in headlines(found)] == first
    text = printed(found, capsys)
    assert all(name in text for name in found.scores)
    assert "300 samples with 300 of the test set, features digits-v1" in text
    order = [
        "fid",
        "fid-inf",
        "kid",
        "precision",
        "recall",
        "density",
        "coverage",
        "class-kl",
        "class-entropy",
        "copied-p",
    ]
    assert [name.split("@")[0] for name in found.scores][: len(order)] == order
    bare = evaluate(of(pictures.test.images[:30]), pictures, metrics=["kid"], features=RandomConv(), cache_dir=cache)
    picture(bare, file)
