"""Ranks that are stopped, killed, more or fewer than before: one save, no hang, no sample repeated or skipped."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gancli.core.contracts import Logs
from gancli.core.data import Batch, Reading
from gancli.core.errors import GanError, UsageError
from gancli.core.sinks import Progress, Sink
from gancli.distributed import group
from gancli.distributed.ranks import ALONE, Ranks, require_name
from gancli.runs import checkpoint, status
from gancli.runs.folder import Run
from gancli.training.monitor import Monitor
from gancli.training.prepare import Request, make
from gancli.training.session import train
from gancli.training.start import begin

from .forked import Fork, Work

LAYER: dict[str, Any] = {
    "data": {"source": "digits", "repeat": 1},
    "task": {"model": {"z": 4, "g_widths": [8], "d_widths": [8]}},
    "batch_size": 16,
    "intervals": {"log": 1, "sample": 320, "save": 160},
    "runtime": {"threads": 1, "precision": "fp32", "device": "cpu"},
}
During = Callable[[int, int], None]  # rank, step


class Acting(Sink):
    """Does something at a step."""

    def __init__(self, rank: int, during: During | None) -> None:
        self.rank, self.during = rank, during

    def step(self, progress: Progress, logs: Logs) -> None:
        if self.during is not None:
            self.during(self.rank, progress.step)


def session(
    place: Path, steps: int, resumed: bool = False, during: During | None = None, layer: dict[str, Any] | None = None
) -> Work:
    """Train a run, or go on with it, to so many steps."""

    def work(here: Ranks) -> dict[str, Any]:
        how = Reading(place / "data", place / "cache", download=False)
        layers = [LAYER, {"stop": {"max_steps": steps, "epochs": 1000}}, layer or {}]
        sink, start = Acting(here.rank, during), time.monotonic()
        try:
            request = Request(layers, "textbook", how.data_dir, how.cache_dir, False)
            plan = make(request, how, here)
            run = Run(place / "runs" / "run") if resumed else begin(request, plan, place / "runs", "run")[0]
            reason, state = train(run, plan, [sink], resumed, on_divergence="rollback")
        except GanError as error:
            code = getattr(error, "exit_code", error.code)
            return {"code": code, "said": str(error), "seconds": time.monotonic() - start}
        return {"reason": reason, "step": state.step, "g": state.nets["G"].flat.detach().numpy().tobytes().hex()}

    return work


def lines(place: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (place / "runs" / "run" / "metrics.jsonl").read_text().splitlines()]


def same_curves(place: Path, other: Path) -> None:
    """Every step once, with the same losses: no sample was skipped or repeated."""
    a, b = lines(place), lines(other)
    assert [x["step"] for x in a] == [x["step"] for x in b] == list(range(1, len(a) + 1))
    for x, y in zip(a, b, strict=True):
        for key in ("images", "loss/D", "loss/G"):
            assert y[key] == pytest.approx(x[key], rel=1e-3)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("undisturbed")
    session(place, 30)(ALONE)  # in this process: what it imports, the forked ones need not
    return place


@pytest.mark.parametrize(("before", "after"), [(2, 1), (1, 2)])
def test_resumed_with_another_number_of_ranks(
    before: int, after: int, fork: Fork, tmp_path: Path, undisturbed: Path
) -> None:
    fork(before, session(tmp_path, 13))
    ends = fork(after, session(tmp_path, 30, resumed=True))
    assert [end.get("step", end) for end in ends] == [30] * after
    same_curves(tmp_path, undisturbed)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_rank_ends_the_others(rank: int, fork: Fork, tmp_path: Path, undisturbed: Path) -> None:
    """At step 17, after the checkpoint of step 10: the other leaves at once with 5; a restart goes on from step 10."""

    def during(here: int, step: int) -> None:
        if here == rank and step == 17:
            os.kill(os.getpid(), signal.SIGKILL)

    ends = fork(2, session(tmp_path, 30, during=during))
    assert ends[rank] is None
    assert ends[1 - rank]["code"] == 5
    assert ends[1 - rank]["seconds"] < 30
    assert [p.name for p in checkpoint.listed(tmp_path / "runs" / "run" / "checkpoints")] == ["000010"]
    assert [end["step"] for end in fork(2, session(tmp_path, 30, resumed=True))] == [30, 30]
    same_curves(tmp_path, undisturbed)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_signal_to_any_rank_stops_all_at_the_same_step(
    rank: int, fork: Fork, tmp_path: Path, undisturbed: Path
) -> None:
    def during(here: int, step: int) -> None:
        if here == rank and step == 17:
            os.kill(os.getpid(), signal.SIGTERM)

    ends = fork(2, session(tmp_path, 30, during=during))
    assert [end["code"] for end in ends] == [143, 143]
    assert ends[0]["said"] == ends[1]["said"]
    point = checkpoint.newest(tmp_path / "runs" / "run" / "checkpoints", print)
    assert point.step in (17, 18)
    assert f"step {point.step};" in ends[0]["said"]
    found = status.read(Run(tmp_path / "runs" / "run"))
    assert (found["state"], found["reason"], found["step"]) == ("stopped", "SIGTERM", point.step)
    fork(2, session(tmp_path, 30, resumed=True))
    same_curves(tmp_path, undisturbed)


def test_what_is_not_finite_on_one_rank_stops_all(fork: Fork, tmp_path: Path) -> None:
    """Both go back to the checkpoint and learn slower; a poisoned image would be seen by one rank alone."""

    def broken(work: Work) -> Work:
        def poisoned(here: Ranks) -> Any:
            from gancli.data.loader import Loader

            plain = Loader.batch

            def batch(self: Loader, position: int, n: int, first: int = 0, rows: int | None = None) -> Batch:
                out = plain(self, position, n, first, rows)
                if here.rank == 1 and position == 16 * 16 and not done:
                    done.append(1)
                    out["real"][0] = float("nan")
                return out

            done: list[int] = []
            Loader.batch = batch  # type: ignore[method-assign]
            return work(here)

        return poisoned

    ends = fork(2, broken(session(tmp_path, 30)))
    assert [end["step"] for end in ends] == [30, 30]
    assert ends[0]["g"] == ends[1]["g"]
    history = (tmp_path / "runs" / "run" / "history.jsonl").read_text()
    assert "step 16" in history
    assert history.count("diverged") == 1


def test_minutes_are_the_first_ranks(fork: Fork, tmp_path: Path) -> None:
    ends = fork(2, session(tmp_path, 10_000, layer={"stop": {"max_minutes": 0.02}, "intervals": {"sample": 10**6}}))
    assert [end["reason"] for end in ends] == ["minutes"] * 2
    assert ends[0]["step"] == ends[1]["step"]


def test_a_slow_look_of_the_monitor_is_waited_for(fork: Fork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer than another rank waits without a sign; and all know when the next one is due, resumed or not."""
    real = Monitor.look

    def look(monitor: Monitor, state: Any, scalars: Any) -> Any:
        time.sleep(6 if state.step == 23 else 0)
        return real(monitor, state, scalars)

    monkeypatch.setattr(group, "PEER_TIMEOUT", 4.0)
    monkeypatch.setattr(group, "HEARTBEAT", 1.0)
    monkeypatch.setattr(Monitor, "look", look)
    for steps in (30, 50):
        ends = fork(2, session(tmp_path, steps, resumed=steps > 30))
        assert [end.get("step", end) for end in ends] == [steps] * 2
    there = [
        json.loads(line)["step"] for line in (tmp_path / "runs" / "run" / "monitor.jsonl").read_text().splitlines()
    ]
    assert there == [23, 45]


def test_different_data_is_refused(fork: Fork, tmp_path: Path) -> None:
    def work(here: Ranks) -> Any:
        images = np.full((64, 8, 8), here.rank, np.uint8)
        np.savez(tmp_path / f"{here.rank}.npz", images=images)
        return session(tmp_path, 5, layer={"data": {"source": str(tmp_path / f"{here.rank}.npz")}})(here)

    ends = fork(2, work)
    assert [end["code"] for end in ends] == [3, 3]


def test_a_job_that_is_submitted_again_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """torchrun counts no restart where a host has come back: the job's name then says that it is the same."""
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "faces-1")
    assert session(tmp_path, 5)(ALONE)["step"] == 5
    how = Reading(tmp_path / "data", tmp_path / "cache", download=False)
    request = Request([LAYER], "textbook", how.data_dir, how.cache_dir, False)
    run, resumed = begin(request, make(request, how), tmp_path / "runs", "run")
    assert (run.name, resumed) == ("run", True)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "faces-2")
    assert session(tmp_path, 5)(ALONE)["code"] == 2
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    assert begin(request, make(request, how), tmp_path / "runs", "run")[1]
    monkeypatch.setenv("TORCHELASTIC_MAX_RESTARTS", "2")
    with pytest.raises(UsageError, match="--name"):
        require_name(None)
