"""`status.json`: what a run is doing, and how it ended, for whoever looks at its folder."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from faults import Bench, Heard, fork, wait

from gancli.core.contracts import Logs
from gancli.core.errors import DataError, DivergedError, InUseError, StoppedError, UsageError
from gancli.core.files import Folder
from gancli.core.sinks import Progress
from gancli.runs import folder, status
from gancli.runs.lock import locked
from gancli.training import loop, session
from gancli.training.prepare import again
from gancli.training.start import extend

FIELDS = {
    "state", "reason", "pid", "host", "started", "updated", "step", "images", "total", "rate", "minutes_left",
}  # fmt: skip


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    torch.set_num_threads(1)
    return Bench(tmp_path_factory.mktemp("bench"), 30)


@pytest.fixture
def run(bench: Bench) -> folder.Run:
    return bench.new()


def raw(run: folder.Run) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run.path / "status.json").read_text())
    return found


class Watching(Heard):
    """Reads the status, as another process does, at the steps and events that are asked for."""

    def __init__(self, run: folder.Run, *steps: int) -> None:
        super().__init__()
        self.run, self.steps = run, steps
        self.seen: dict[str, dict[str, Any]] = {}

    def step(self, progress: Progress, logs: Logs) -> None:
        if progress.step in self.steps:
            self.seen[str(progress.step)] = status.read(self.run)

    def event(self, kind: str, **facts: Any) -> None:
        super().event(kind, **facts)
        self.seen.setdefault(kind, status.read(self.run))


def test_a_run_that_is_queued_or_has_no_status(run: folder.Run) -> None:
    """Whoever makes a queue writes it; that no process trains it is no interruption."""
    assert status.read(run) == {}
    (run.path / "status.json").write_text('{"state": "queued"}')
    assert status.read(run)["state"] == "queued"
    for damaged in ("", "[]", '{"state": ', '{"state": {}}'):
        (run.path / "status.json").write_text(damaged)
        assert status.read(run).get("state") in (None, {})


def test_running_saving_and_finished(bench: Bench, run: folder.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "INTERVAL", 0.0)
    since, watching = time.time(), Watching(run, 1, 9)
    bench.go(run, resumed=False, heard=watching)
    assert watching.seen["saving"]["state"] == "saving"
    assert watching.seen["saved"]["state"] == "running"
    first, ninth, end = watching.seen["1"], watching.seen["9"], status.read(run)
    for found in (first, ninth, end):
        assert found.keys() == FIELDS
        assert (found["pid"], found["host"]) == (os.getpid(), socket.gethostname())
        assert since - 0.01 <= found["started"] <= found["updated"] <= time.time() + 0.01
    assert first["state"] == ninth["state"] == "running"
    assert (ninth["step"], ninth["images"], ninth["total"]) == (9, 144, 480)
    assert ninth["updated"] > first["updated"]
    assert ninth["rate"] > 0
    assert ninth["minutes_left"] == pytest.approx((480 - 144) / ninth["rate"] / 60, abs=0.01)
    assert (end["state"], end["reason"], end["step"], end["images"]) == ("finished", "steps", 30, 480)
    assert end["minutes_left"] is None


def test_while_training_it_is_written_every_other_second(bench: Bench, run: folder.Run) -> None:
    watching = Watching(run, 2, 5)
    bench.go(run, resumed=False, heard=watching)
    assert watching.seen["2"]["updated"] == watching.seen["5"]["updated"]
    assert watching.seen["2"]["step"] == 0, "as training began"


@pytest.mark.parametrize(
    ("stop", "reason"),
    [
        ({"images": 64, "epochs": None}, "images"),
        ({"max_steps": 3}, "steps"),
        ({"max_minutes": 1e-9}, "minutes"),
        ({"until": "fid<1e9"}, "quality"),
    ],
)
def test_why_it_finished(stop: dict[str, Any], reason: str, tmp_path: Path) -> None:
    bench = Bench(tmp_path, 30, {"intervals": {"evaluate_n": 64, "evaluate": 96}} if reason == "quality" else {})
    run = bench.new()
    bench.plan.cfg = bench.plan.cfg.replace(stop=bench.plan.cfg.stop.replace(**stop))
    bench.go(run, resumed=False)
    assert (raw(run)["state"], raw(run)["reason"]) == ("finished", reason)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_stopped_by_a_signal(bench: Bench, run: folder.Run, number: signal.Signals) -> None:
    class Signalling(Heard):
        def step(self, progress: Progress, logs: Logs) -> None:
            if progress.step == 4:
                os.kill(os.getpid(), number)

    with pytest.raises(StoppedError):
        bench.go(run, resumed=False, heard=Signalling())
    found = raw(run)
    assert (found["state"], found["reason"], found["minutes_left"]) == ("stopped", number.name, None)
    assert found["step"] in (4, 5)
    assert status.read(run) == found


def test_a_second_ctrl_c(bench: Bench, run: folder.Run) -> None:
    class Signalling(Heard):
        def step(self, progress: Progress, logs: Logs) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        bench.go(run, resumed=False, heard=Signalling())
    assert (raw(run)["state"], raw(run)["reason"]) == ("stopped", "SIGINT, twice: not saved")


def test_diverged(bench: Bench, run: folder.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    real = loop.step

    def fails(task: Any, state: Any, loader: Any, cfg: Any, *more: Any) -> Any:
        if state.step == 17:
            raise DivergedError("the loss of G is nan at step 17; nothing was updated")
        return real(task, state, loader, cfg, *more)

    monkeypatch.setattr(loop, "step", fails)
    with pytest.raises(DivergedError):
        bench.go(run, resumed=False)
    found = raw(run)
    assert found["state"] == "diverged"
    assert found["reason"].startswith("the loss of G is nan at step 17")
    assert found["step"] == 17


def test_a_run_that_goes_back_after_a_divergence_is_running(
    bench: Bench, run: folder.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = loop.step

    def fails_at_the_full_rate(task: Any, state: Any, loader: Any, cfg: Any, *more: Any) -> Any:
        if state.step == 17 and state.nets["G"].rule.lr == cfg.optimizer.lr:
            raise DivergedError("the loss of G is nan at step 17; nothing was updated")
        return real(task, state, loader, cfg, *more)

    monkeypatch.setattr(loop, "step", fails_at_the_full_rate)
    monkeypatch.setattr(status, "INTERVAL", 0.0)
    watching = Watching(run, 11)
    bench.go(run, resumed=False, heard=watching, on_divergence="rollback")
    assert watching.seen["11"]["state"] == "running", "of the second time"
    assert "diverged" not in watching.seen
    assert raw(run)["state"] == "finished"


def test_failed_says_why_whatever_it_was(bench: Bench, run: folder.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise IndexError("nobody thought of \udcff this")

    monkeypatch.setattr(loop, "step", broken)
    with pytest.raises(IndexError):
        bench.go(run, resumed=False)
    assert (raw(run)["state"], raw(run)["reason"]) == ("failed", "IndexError: nobody thought of \udcff this")


def test_killed(bench: Bench, run: folder.Run) -> None:
    """It still says that it is running; that nobody has its lock tells that it is not."""
    reading, writing = os.pipe()

    class Telling(Heard):
        def step(self, progress: Progress, logs: Logs) -> None:
            if progress.step == 3:
                os.write(writing, b"x")
                time.sleep(60)

    number = fork(lambda: bench.go(run, resumed=False, heard=Telling()))
    os.read(reading, 1)
    found = status.read(run)
    assert (found["state"], found["pid"]) == ("running", number)
    os.kill(number, signal.SIGKILL)
    wait(number)
    assert raw(run)["state"] == "running"
    assert status.read(run) == {**found, "state": "interrupted"}
    bench.go(run, resumed=True)
    assert status.read(run)["state"] == "finished"
    for handle in (reading, writing):
        os.close(handle)


def test_a_second_session_leaves_the_first_one_s_alone(bench: Bench, run: folder.Run) -> None:
    bench.go(run, 10, resumed=False)
    before = (run.path / "status.json").read_bytes()
    with locked(run.path), pytest.raises(InUseError):
        bench.go(run, 20)
    assert (run.path / "status.json").read_bytes() == before


def test_a_second_session_starts_anew(bench: Bench, run: folder.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "INTERVAL", 0.0)
    bench.go(run, 10, resumed=False)
    first, watching = raw(run), Watching(run, 11)
    bench.go(run, 20, heard=watching)
    found = watching.seen["11"]
    assert (found["state"], found["reason"], found["step"], found["total"]) == ("running", "", 11, 320)
    assert found["started"] >= first["updated"]
    assert raw(run)["step"] == 20


def test_a_resume_that_is_refused_keeps_how_far_the_run_was(
    bench: Bench, run: folder.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.go(run, 10, resumed=False)
    plan = bench.until(20)
    plan.fingerprint = "other"
    with pytest.raises(DataError):
        session.train(run, plan, [Heard()], resumed=True)
    found = raw(run)
    assert (found["state"], found["step"], found["images"]) == ("failed", 10, 160)
    assert found["reason"] == "the data is not what this run was trained on"


def test_what_is_refused_before_the_run_is_taken_leaves_the_status(bench: Bench, run: folder.Run) -> None:
    bench.go(run, 10, resumed=False)
    before = raw(run)
    with pytest.raises(UsageError):
        extend(run, [{"seed": 3}])
    cfg = run.config()
    plan = again(cfg.replace(stop=cfg.stop.replace(until="nonsense<3")), bench.how)
    with pytest.raises(UsageError):
        session.train(run, plan, [], resumed=True)
    assert raw(run) == before


@pytest.mark.parametrize("where", ["write", "rename"])
def test_a_disk_that_refuses_it_does_not_stop_the_training(
    bench: Bench, run: folder.Run, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    real_write, real_rename = Folder.write, os.rename

    def write(self: Folder, name: str, *rest: Any, **more: Any) -> None:
        if where == "write" and name == "status.json":
            raise OSError(errno.ENOSPC, "No space left on device")
        real_write(self, name, *rest, **more)

    def rename(old: str, new: str, **more: Any) -> None:
        if where == "rename" and new == "status.json":
            raise OSError(errno.ENOSPC, "No space left on device")
        real_rename(old, new, **more)

    monkeypatch.setattr(Folder, "write", write)
    monkeypatch.setattr(os, "rename", rename)
    monkeypatch.setattr(status, "INTERVAL", 0.0)
    heard = bench.go(run, resumed=False)
    assert not any("status" in text for text in heard.said)
    assert not list(run.path.glob("*status*"))
    assert status.read(run) == {}
