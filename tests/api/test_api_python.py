"""`gancli.train`, `resume` and `evaluate`: the verbs as functions, with callbacks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import gancli
from tests.conftest import Gan

SMALL: dict[str, Any] = {
    "options": {"task.model.g_widths": [16], "task.model.d_widths": [16], "intervals.log": 2}, "batch_size": 32,
    "download": False, "quiet": True,
}  # fmt: skip


class Watch(gancli.Callback):
    """Notes the events, and stops at a step."""

    def __init__(self, last: int = 10**9) -> None:
        self.last, self.steps, self.values, self.events = last, list[int](), list[dict[str, Any]](), list[str]()

    def step(self, progress: Any, logs: Any) -> None:
        self.steps.append(progress.step)
        self.stop = progress.step >= self.last

    def scalars(self, step: int, values: Any) -> None:
        self.values.append(dict(values))

    def event(self, kind: str, **facts: Any) -> None:
        self.events.append(kind)


def test_train_stop_resume_evaluate(gan: Gan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    monkeypatch.chdir(tmp_path)
    watch = Watch(last=3)
    run = gancli.train("digits", name="a", max_steps=8, callbacks=[watch], **SMALL)
    assert (run.path, run.reason, watch.steps) == (Path("runs/a"), "asked", [1, 2, 3])
    assert watch.values[0]["step"] == 2
    assert "saved" in watch.events
    status = json.loads((run.path / "status.json").read_text())
    assert (status["state"], status["reason"], status["step"]) == ("finished", "asked", 3)
    whole = gancli.resume("a", max_steps=8, quiet=True, download=False)
    assert (whole.reason, [line["step"] for line in whole.metrics][-1]) == ("steps", 8)
    plain = gancli.train("digits", name="b", max_steps=8, **SMALL)
    assert [line["g_loss"] for line in plain.metrics] == [line["g_loss"] for line in whole.metrics]
    assert capfd.readouterr() == ("", "")
    assert whole.model().sample(2).shape == (2, 1, 8, 8)
    found = gancli.evaluate("a", metrics=["fid"], n=60)
    assert found.score("fid").value > 0
    assert not (run.path / "evaluation.json").exists()
    command = gan("evaluate", run.path, "--metrics", "fid", "--n", "60", "--json").json()
    assert command["scores"]["fid@digits-v1"]["value"] == found.score("fid").value


def test_wrong_arguments_are_named(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="unknown argument 'epoch'"):
        gancli.train("digits", epoch=3)
    with pytest.raises(gancli.GanError, match="did you mean digits"):
        gancli.train("diggits", max_steps=1, runs_dir=tmp_path)
    with pytest.raises(gancli.GanError, match="takes a run or images"):
        gancli.evaluate()
    with pytest.raises(gancli.GanError, match="no run 'x'"):
        gancli.evaluate("x", runs_dir=tmp_path)


def test_completion_finds_everything_without_importing_torch() -> None:
    text = "import sys, gancli; print(sorted(set(gancli.__all__) - set(dir(gancli))), 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert done.stdout == "[] False\n"
    for name in gancli.__all__:
        assert getattr(gancli, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = gancli.trian  # type: ignore[attr-defined]


def test_a_run_is_loaded_by_its_name_and_what_a_notebook_shows_is_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    gancli.train("digits", name="named", max_steps=3, **SMALL)
    model = gancli.load("named")
    assert repr(model).startswith("Model(textbook, step 3, ")
    assert len(repr(model)) < 200
    assert gancli.load("named", runs_dir=tmp_path / "runs").tick == model.tick
    with pytest.raises(gancli.GanError, match="no run 'unknown'"):
        gancli.load("unknown")
    lines = repr(gancli.evaluate("named", metrics=["fid"], n=50)).splitlines()
    assert lines[0] == "50 samples with 50 of the test set"
    assert lines[1].startswith("fid@")
    assert ("±" in lines[1], "reference" in lines[1]) == (True, True)
