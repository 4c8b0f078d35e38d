"""The dry run: bounded in time whatever a step costs, and what it says of minutes and nights."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gancli.training import rehearsal, trial
from tests.conftest import Gan

SLOW = 0.02  # seconds an image


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Steps that take 20 ms an image; the batches that were asked for."""
    batches: list[int] = []

    def step(_task: Any, state: Any, _loader: Any, cfg: Any) -> None:
        batches.append(cfg.batch_size)
        time.sleep(SLOW * cfg.batch_size)
        state.images, state.step = state.images + cfg.batch_size, state.step + 1

    for module in (rehearsal, trial):
        monkeypatch.setattr(module, "step", step)
        monkeypatch.setattr(module, "new_state", lambda *_: SimpleNamespace(images=0, step=0, nets={}))
    return batches


def plan(batch: int, group: int = 1) -> Any:
    """A plan of 1,000 images in batches of a size."""
    from gancli.core.config import resolve

    cfg = resolve(
        {"data": {"source": "digits"}, "batch_size": batch, "stop": {"images": 1000}, "task": {"pack": group}}
    )
    loader = SimpleNamespace(epoch=1000, spec=None, device=None, dtype=None, of=lambda _: loader)
    told: list[tuple[int, int]] = []
    reading = SimpleNamespace(progress=lambda _what, done, total: told.append((done, total)), told=told)
    return SimpleNamespace(cfg=cfg, loader=loader, spec=None, reading=reading, split=SimpleNamespace(train=range(1000)))


def test_a_slow_step_is_timed_with_a_small_batch(slow: list[int]) -> None:
    made, start = plan(400), time.monotonic()  # a step would take 8 s
    found = rehearsal.rehearse(made, seconds=1.0)
    assert time.monotonic() - start < 3
    assert slow[:4] == [4, 4, 8, 16], "one that warms up, then as far as a third of a second allows"
    assert set(slow[4:]) == {16}
    assert found["images_per_s"] == pytest.approx(1 / SLOW, rel=0.3)
    assert found["steps"] == 2, "1,000 images in steps of 400"
    assert found["minutes"] == pytest.approx(1000 * SLOW / 60, abs=0.2)
    assert found["expect"].startswith(rehearsal.promise(0, 1000))
    assert made.reading.told[0] == (0, rehearsal.STEPS)
    assert made.reading.told[-1] == (rehearsal.STEPS, rehearsal.STEPS)


def test_a_fast_step_is_timed_as_it_is(slow: list[int]) -> None:
    rehearsal.rehearse(plan(8), seconds=1.0)
    assert slow[:2] == [4, 4]
    assert set(slow[2:]) == {8}


def test_a_small_batch_keeps_groups(slow: list[int]) -> None:
    assert rehearsal.smaller(plan(90, group=3).cfg).batch_size == 6
    assert rehearsal.smaller(plan(3, group=3).cfg).batch_size == 3
    assert not slow


def test_the_trial_of_slow_nets_is_bounded(slow: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "BUDGET", 1.0)
    made, start = plan(400), time.monotonic()  # all of it would take 96 s
    assert trial.gain(made.cfg, made.loader) == pytest.approx(1, rel=0.5)
    assert time.monotonic() - start < 3
    assert set(slow) == {4}


@pytest.mark.parametrize(("steps", "text"), [(0, "noise"), (499, "noise"), (500, "colors"), (10**9, "about what")])
def test_what_steps_promise(steps: int, text: str) -> None:
    assert rehearsal.promise(steps, 1000).startswith(text)


def test_few_images_promise_copies() -> None:
    assert rehearsal.promise(10**6, 8) == "copies of the training images"
    assert rehearsal.promise(10**6, 8, ((0, "lines"),)) == "lines"


def test_a_dry_run_says_what_the_minutes_bring(gan: Gan, tmp_path: Path) -> None:
    said = gan("train", "--data", "digits", "--dry-run", "--max-minutes", "3", "--epochs", "100000", "--threads", "1")
    assert said.code == 0, said.err
    lines = {line.split()[0]: line for line in said.out.splitlines() if line.split()}
    assert "night of 8 hours" in lines["expect"]
    assert float(lines["minutes"].split()[1]) == 3
    assert not (tmp_path / "runs_dir").exists()
