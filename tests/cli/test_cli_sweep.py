"""`gan sweep`: a run for each combination and seed; what was stopped is continued, what failed is reported."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gancli
from gancli.api import sweep as queue
from gancli.cli.sweep import split
from gancli.runs import status
from gancli.runs.folder import Run
from tests.conftest import TINY, Gan

SHORT = ["--data", "digits", "--max-steps", "3", *TINY, "--n", "60", "--metrics", "fid"]
VARIED = ["--set", "task.loss=hinge,rpgan", "--seeds", "2"]
Calls = list[tuple[str, ...]]


@pytest.fixture
def calls(gan: Gan, monkeypatch: pytest.MonkeyPatch) -> Calls:
    """The queue's processes run in this one; what they were."""
    made: Calls = []

    def process(words: tuple[str, ...], _sweep: Any, _job: Any) -> str:
        made.append(words)
        said = gan(*words)
        return "" if said.code == 0 else said.err.strip().splitlines()[-1].removeprefix("error: ")

    monkeypatch.setattr(queue, "_process", process)
    return made


def test_all_combinations_and_seeds(gan: Gan, calls: Calls, tmp_path: Path) -> None:
    said = gan("sweep", tmp_path / "losses", *SHORT, *VARIED)
    assert said.code == 0, said.err
    names = ["hinge-s0", "hinge-s1", "rpgan-s0", "rpgan-s1"]
    assert [words[:2] if words[0] == "evaluate" else words[0] for words in calls] == [
        one for name in names for one in ("train", ("evaluate", name))
    ]
    assert "loss hinge" in said.out
    assert "±" in said.out
    rows = list(csv.DictReader((tmp_path / "losses/results.csv").read_text().splitlines()))
    assert {row["run"] for row in rows} == {*names, ""}
    means = [row for row in rows if not row["run"]]
    assert [(row["group"], row["seeds"]) for row in means] == [("loss hinge", "2"), ("loss rpgan", "2")]
    assert all(float(row["error"]) > 0 for row in means)
    assert (tmp_path / "losses/sweep.png").read_bytes().startswith(b"\x89PNG")
    cfg = Run(tmp_path / "losses/runs/rpgan-s1").config()
    assert (cfg.seed, cfg.task.loss.name) == (1, "rpgan")  # type: ignore[attr-defined]
    calls.clear()
    again = gan("sweep", tmp_path / "losses", "--json")
    assert (again.code, calls) == (0, [])
    runs = again.json()["runs"]
    assert [run["run"] for run in runs] == names
    assert runs[3]["task.loss"] == "rpgan"
    assert runs[3]["fid@digits-v1"] > 0


def test_continued_after_a_stop(gan: Gan, calls: Calls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = queue._process

    def stopped(words: tuple[str, ...], *rest: Any) -> str:
        if words[0] == "evaluate" and words[1] == "rpgan-s0":
            raise KeyboardInterrupt
        return inner(words, *rest)

    monkeypatch.setattr(queue, "_process", stopped)
    words = ["--set", "task.loss=hinge,rpgan", "--seeds", "1", "--set", "seed=0"]
    assert gan("sweep", tmp_path / "it", *SHORT, *words).code == 130
    monkeypatch.setattr(queue, "_process", inner)
    calls.clear()
    said = gan("sweep", tmp_path / "it")
    assert said.code == 0, said.err
    assert [call[:2] for call in calls] == [("evaluate", "rpgan-s0")]


def test_a_run_that_fails_is_reported_and_left(gan: Gan, calls: Calls, tmp_path: Path) -> None:
    words = ["--set", "optimizer.lr=1e-4,1e30", "--seeds", "1"]
    said = gan("sweep", tmp_path / "it", *SHORT, *words)
    assert said.code == 5
    assert "1 of 2 runs failed: 1e30-s0" in said.err
    assert "failed: " in said.err
    runs = json.loads((tmp_path / "it/results.json").read_text())["runs"]
    assert [run["run"] for run in runs if run["state"] == "evaluated"] == ["0.0001-s0"]


@pytest.mark.parametrize(("words", "why"), [
    (["--set", "task.los=a,b", "--preset", "dcgan"], "loss"),
    (["--set", "task.loss=hinge,rpgn", "--preset", "dcgan"], "did you mean rpgan"),
    (["--set", "task.loss=hinge,", "--preset", "dcgan"], "empty value"),
    (["--set", f"seed={','.join(map(str, range(400)))}", "--seeds", "999"], "more than 10,000"),
])  # fmt: skip
def test_refused_before_anything_is_made(gan: Gan, tmp_path: Path, words: list[str], why: str) -> None:
    said = gan("sweep", tmp_path / "it", "--data", "digits", *words)
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert why in said.err
    assert not (tmp_path / "it").exists()


def test_folders_of_others(gan: Gan, calls: Calls, tmp_path: Path) -> None:
    (tmp_path / "it").mkdir()
    assert "is no sweep" in gan("sweep", tmp_path / "it").err
    (tmp_path / "it/sweep.json").write_text('{"format": 1, "vary": 3}')
    assert "is no sweep" in gan("sweep", tmp_path / "it").err
    queue.begin(queue.Sweep(tmp_path / "one", {"task.loss": ["hinge"]}, [0], {}))
    said = gan("sweep", tmp_path / "one", "--data", "digits", "--set", "task.loss=hinge,lsgan")
    assert (said.code, "is another sweep" in said.err) == (2, True)
    assert calls == []


def test_values() -> None:
    fixed, vary = split(["a.b=1,2.5", "c=[1,2]", "d=[1,2],[3]", 'e="x,y",z', "f=3"])
    assert fixed == ["c=[1,2]", "f=3"]
    assert vary == {"a.b": [1, 2.5], "d": [[1, 2], [3]], "e": ["x,y", "z"]}


def test_from_python(calls: Calls, tmp_path: Path) -> None:
    settings = {"data.source": "digits", "stop.max_steps": 2, "batch_size": 32, "task.model.g_widths": [8]}
    ended: list[str] = []
    rows = gancli.sweep(
        tmp_path / "it", {"task.latent": ["normal", "uniform"]}, 1, settings=settings,
        evaluate=["--n", "60", "--metrics", "fid"], note=lambda _line: None, then=lambda row: ended.append(row["run"]),
    )  # fmt: skip
    assert [(row["run"], row["task.latent"], row["state"]) for row in rows] == [
        ("normal-s0", "normal", "evaluated"), ("uniform-s0", "uniform", "evaluated"),
    ]  # fmt: skip
    assert ended == ["normal-s0", "uniform-s0"]
    run = tmp_path / "it/runs/normal-s0"
    result = gancli.evaluate(run, n=60, metrics=["fid"])
    assert result.score("fid").value == rows[0]["fid@digits-v1"]
    assert [(row["score"], row["features"]) for row in gancli.records(result)] == [("fid", "digits-v1")]


def until(what: Callable[[], Any], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_signal_stops_the_run_after_a_checkpoint(tmp_path: Path) -> None:
    words = ["--data", "digits", *TINY, "--seeds", "1", "--epochs", "100000"]
    command = [sys.executable, "-m", "gancli", "sweep", str(tmp_path / "it"), *words]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})
    place = tmp_path / "it/runs/run-s0"
    try:
        until(lambda: place.is_dir() and status.read(Run(place)).get("step", 0) > 0)
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 128 + signal.SIGTERM
    finally:
        process.kill()
    found = status.read(Run(place))
    assert found["state"] == "stopped"
    assert any((place / "checkpoints").iterdir())
