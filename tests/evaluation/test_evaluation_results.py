"""What is written of an evaluation: today's format, and the one before."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from gancli.core.errors import CheckpointError, UsageError
from gancli.evaluation.contracts import Score
from gancli.evaluation.results import FORMAT, Evaluation, compare, in_order

RESULTS = Path(__file__).parents[2] / "docs" / "results"
OLD = {
    "scores": {
        "fid@x": {
            "value": 8.0, "meaning": "m", "better": "lower", "error": 0.5, "how": "h", "floor": 0.1, "floor_error": 0.01,
            "detail": {}, "floor_detail": {}, "interval": [7.02, 8.98],
        },
        "ct@x": {
            "value": None, "meaning": "m", "better": "floor", "error": None, "how": "", "floor": 0.0, "floor_error": None,
            "detail": {"a": 1.0}, "floor_detail": {"a": 2.0}, "interval": None,
        },
    },
    "protocol": {
        "version": 1, "features": "x", "n_fake": 10, "n_real": 10, "fakes": {"step": 3}, "seed": 0,
        "split": "held-out reals; the floor is training images in the fakes' place",
        "skipped": {"memorisation": "fewer than 20 samples or reals"}, "metrics": {"memorisation": {"name": "memorisation"}},
    },
    "pairs": [], "timings": {"total": 1.0},
}  # fmt: skip


def test_an_evaluation_of_format_1_is_read() -> None:
    found = Evaluation.from_json(json.dumps(OLD))
    fid = found.scores["fid@x"]
    assert (fid.value, fid.error, fid.reference, fid.reference_error) == (8.0, 0.5, 0.1, 0.01)
    ct = found.scores["ct@x"]
    assert math.isnan(ct.value)
    assert (ct.better, ct.reference, dict(ct.reference_detail)) == ("reference", 0.0, {"a": 2.0})
    assert found.protocol["split"] == "test set"
    assert set(found.protocol["skipped"]) == {"memorization"}
    with pytest.raises(UsageError, match="authpct is not available: fewer than 20"):
        found.score("authpct")


def test_what_was_read_is_written_in_today_s_format() -> None:
    written = json.loads(Evaluation.from_json(json.dumps(OLD)).to_json())
    assert written["format"] == FORMAT == 3
    assert "floor" not in json.dumps(written)
    again = Evaluation.from_json(json.dumps(written))
    assert again.scores["fid@x"] == Evaluation.from_json(json.dumps(OLD)).scores["fid@x"]


@pytest.mark.parametrize("file", sorted(RESULTS.glob("*-evaluation.json")), ids=lambda f: f.name)
def test_evaluations_that_were_published_are_read(file: Path) -> None:
    found = Evaluation.from_json(file.read_bytes())
    assert found.score("fid").reference is not None
    assert "floor" not in found.to_json()
    assert any(row["reference"] is not None for row in compare({"a": found, "b": found}))


@pytest.mark.parametrize("number", [0, 4, "2", None, 1.5])
def test_another_format_is_refused(number: object) -> None:
    with pytest.raises(CheckpointError, match="format") as caught:
        Evaluation.from_json(json.dumps({**OLD, "format": number}))
    assert "\n" not in str(caught.value)


def test_damaged_baselines_are_refused() -> None:
    whole = json.loads(Evaluation({"fid@x": Score(1.0, "", baselines={"a": 2.0})}, {}).to_json())
    assert Evaluation.from_json(json.dumps(whole)).scores["fid@x"].baselines == {"a": 2.0}
    for wrong in ("x", {"a": "b"}, [1], None):
        whole["scores"]["fid@x"]["baselines"] = wrong
        with pytest.raises(CheckpointError):
            Evaluation.from_json(json.dumps(whole))


def test_scores_stand_in_the_order_of_reports() -> None:
    names = [
        "zebra@x",
        "authpct@x",
        "swd@pixels",
        "recall@x",
        "copied-p@x",
        "fid@y",
        "fid@x",
        "class-entropy@x",
        "ant@x",
    ]
    assert in_order(names) == [
        "fid@x", "fid@y", "recall@x", "class-entropy@x", "copied-p@x", "authpct@x", "ant@x", "swd@pixels", "zebra@x",
    ]  # fmt: skip
