"""Evaluations while training: a score that is not available is refused first; how a run ends by quality, is killed, and goes on."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faults import Bench, Heard, differing, kept
from PIL import Image

from gancli.core.config import Layer, merge
from gancli.core.errors import CheckpointError, DataError, StoppedError, UsageError
from gancli.evaluation.evaluator import Evaluation, Score
from gancli.runs import checkpoint, folder, history, journal
from gancli.runs.lock import locked
from gancli.training import session, start, validation
from gancli.training.prepare import again
from gancli.training.start import extend

JUDGED: Layer = {"intervals": {"evaluate": 160, "evaluate_n": 64, "sample": 160}}


class KilledError(BaseException):
    """As kill -9."""


def judged(place: Path, steps: int = 40, until: str | None = None, patience: int = 1, **more: Any) -> Bench:
    bench = Bench(place, steps, merge([JUDGED, more, {"stop": {"until": until, "patience": patience}}]))
    bench.plan.cfg = bench.plan.cfg.replace(stop=bench.plan.cfg.stop.replace(until=until, patience=patience))
    return bench


def go_on(bench: Bench, run: folder.Run, change: Layer) -> Heard:
    plan, bench.plan = bench.plan, again(extend(run, [change]), bench.how)
    try:
        return bench.go(run)
    finally:
        bench.plan = plan


def at(run: folder.Run) -> int:
    return checkpoint.newest(run.checkpoints, print).step


# Scores that are not available


@pytest.mark.parametrize(
    ("until", "layer", "said"),
    [
        ("fid@inception<5", {}, "--until \"fid<5\""),
        ("swd@digits-v1<5", {}, "--until \"swd<5\""),
        ("label-agreement>0.99", {}, "asked for by label .* --until \"fid<8\""),
    ],
)  # fmt: skip
def test_it_is_refused_before_there_is_a_run(tmp_path: Path, until: str | None, layer: Layer, said: str) -> None:
    bench = judged(tmp_path, until=until, **layer)
    with pytest.raises(UsageError, match=said):
        bench.new()
    assert not list(tmp_path.glob("trial-*"))


def held(bench: Bench, share: float) -> Bench:
    bench.how = replace(bench.how, validation=share)
    bench.plan = again(bench.plan.cfg, bench.how)
    return bench


def test_too_few_are_held_out_until_more_are(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    for i in range(12):
        noise = np.random.default_rng(i).integers(0, 255, (8, 8), np.uint8)
        Image.fromarray(noise).save(tmp_path / "pictures" / f"{i}.png")
    source = {"source": {"name": "folder", "path": str(tmp_path / "pictures")}}
    for share in (0.0, 0.1):
        with pytest.raises(
            UsageError, match=r"validation set is too small .*: [01] images .*--set data.validation=0.2"
        ):
            held(judged(tmp_path / "few", data=source), share).new()
    bench = held(judged(tmp_path / "more", 10, data=source), 0.3)
    run = bench.new()
    bench.go(run, resumed=False)
    assert journal.read(run.scores)


def test_labels_are_handed_on(tmp_path: Path) -> None:
    bench = judged(tmp_path, 10, "label-agreement@digits-v1>2", task={"condition": "concat"})
    run = bench.new()
    bench.go(run, resumed=False)
    assert "label-agreement@digits-v1" in journal.read(run.scores)[-1]


@pytest.mark.parametrize("until", ["nonsense", "fid@inception<5"])
def test_a_refused_until_is_not_recorded(bench: Bench, run: folder.Run, until: str) -> None:
    with pytest.raises(UsageError, match="fid<"):
        go_on(bench, run, {"stop": {"until": until}})
    assert not history.read(run.path)
    assert at(run) == 20


def test_one_that_was_recorded_can_be_ended(bench: Bench, run: folder.Run) -> None:
    history.append(run.path, {"changes": {"stop": {"until": "nonsense"}}})
    go_on(bench, run, {"stop": {"until": ""}})
    assert at(run) == 30


def test_a_refused_resume_is_not_recorded(bench: Bench, run: folder.Run) -> None:
    for point in checkpoint.listed(run.checkpoints):
        (point / "state.json").unlink()
    with pytest.raises(CheckpointError):
        bench.go(run, 25)
    assert not history.read(run.path)


def test_a_resume_of_a_run_in_use_leaves_its_log_alone(gan: Any, run: folder.Run) -> None:
    run.log().write_text("theirs\n")
    with locked(run.path):
        assert gan("resume", run.path).code == 7
    assert run.log().read_text() == "theirs\n"
    assert gan("resume", run.path).code == 0
    assert "resumed from step 20" in run.log().read_text()


def test_what_fails_all_the_same_is_saved_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> Any:
        raise DataError("features are not finite")

    bench = judged(tmp_path, intervals={"save": 100_000})
    monkeypatch.setattr(validation, "quick", fails)
    run = bench.new()
    with pytest.raises(DataError):
        bench.go(run, resumed=False)
    assert at(run) == 10


# How a run ends and goes on


def test_a_finished_run_keeps_its_last_line(bench: Bench, run: folder.Run) -> None:
    before = journal.read(run.journal)
    assert before[-1]["step"] == 20
    bench.go(run, 20)
    assert journal.read(run.journal) == before
    bench.go(run, 17)  # less than there is
    assert journal.read(run.journal) == before


def test_a_stopped_run_that_is_to_go_no_further_gets_its_last_line(
    bench: Bench, run: folder.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, parts = bench.copy(run), bench.copy(run)
    bench.go(whole, 25)
    real = session.Session.stop_requested
    monkeypatch.setattr(session.Session, "stop_requested", lambda _session: True)
    for _ in range(5):
        bench.go(parts, 30)
    monkeypatch.setattr(session.Session, "stop_requested", real)
    assert at(parts) == 25
    assert journal.read(parts.journal)[-1]["step"] == 24
    bench.go(parts, 25)
    assert not differing(kept(parts), kept(whole))
    assert journal.read(parts.journal)[-1]["images_per_s"] > 0


def test_a_kill_after_the_save_of_the_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The grid is there, and each step is saved once."""
    bench = judged(tmp_path, 12)
    saved: list[int] = []
    real = session.commit

    def counted(*given: Any) -> None:
        saved.append(given[-1].step)
        real(*given)

    def killed(*given: Any) -> None:
        real(*given)
        raise KilledError

    monkeypatch.setattr(session, "commit", counted)
    whole, parts = bench.new(), bench.new()
    bench.go(whole, resumed=False)
    assert saved == [10, 12]
    monkeypatch.setattr(session, "commit", killed)
    with pytest.raises(KilledError):
        bench.go(parts, resumed=False)
    monkeypatch.setattr(session, "commit", real)
    assert at(parts) == 10
    bench.go(parts)
    assert not differing(kept(parts), kept(whole))


def test_a_run_that_ended_by_quality_has_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where its last evaluation was broken off, and made up for; another `until`, or none, goes on."""
    bench = judged(tmp_path, 40, "fid<1e9", 2)
    whole, parts = bench.new(), bench.new()
    bench.go(whole, resumed=False)
    assert at(whole) == journal.read(whole.journal)[-1]["step"] == 20
    real, count = validation.quick, []

    def broken(*given: Any) -> Any:
        count.append(1)
        if len(count) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return real(*given)

    monkeypatch.setattr(validation, "quick", broken)
    with pytest.raises(StoppedError):
        bench.go(parts, resumed=False)
    assert journal.read(parts.journal)[-1]["step"] == 18
    for _ in range(2):
        bench.go(parts)
        assert not differing(kept(parts), kept(whole))
    for run, until in ((whole, ""), (parts, "fid<0")):
        go_on(bench, run, {"stop": {"until": until, "max_steps": 25}})
        assert at(run) == 25


@pytest.mark.parametrize("until", ["recall>2", "recall@x>2"])
def test_the_best_is_so_by_the_score_that_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, until: str
) -> None:
    found = iter([(9.0, 0.5), (8.0, 0.3), (7.0, 0.6)])

    def quick(*_: Any) -> Evaluation:
        fid, recall = next(found)
        known = {"fid@x": Score(fid, ""), "recall@x": Score(recall, "", "higher")}
        return Evaluation(known, {"features": "x"})

    for module in (start, session):
        monkeypatch.setattr(module, "check", lambda *_, **__: None)
    monkeypatch.setattr(validation, "quick", quick)
    bench = judged(tmp_path, 30, until)
    run = bench.new()
    bench.go(run, resumed=False)
    assert [line["best"] for line in journal.read(run.scores)] == [True, False, True]


# What is said of it


@pytest.mark.parametrize("half_life", [0, 20_000])
def test_the_card(tmp_path: Path, half_life: int) -> None:
    bench = judged(tmp_path, 12, ema={"half_life": half_life}, data={"repeat": 7})
    run = bench.new()
    bench.go(run, resumed=False)
    said = (run.model / "README.md").read_text()
    assert ("The generator (EMA weights) of" in said) == bool(half_life)
    assert "(1,438 images)" in said
    assert "At step 10, 64 samples against 64 validation images: fid@digits-v1 " in said
    assert {k: run.json("data.json")[k] for k in ("train", "validation", "test")} == {
        "train": 1438, "validation": 90, "test": 269,
    }  # fmt: skip
    assert run.json("model/config.json")["facts"]["images"] == 1438
