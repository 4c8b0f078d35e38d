"""While a run trains nothing looks at the test set: not `--until`, not the best checkpoint, not the monitor."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from gancli.core.data import Reading
from gancli.core.errors import UsageError
from gancli.runs import checkpoint, folder, journal
from gancli.training import session
from gancli.training.prepare import Plan, Request, make
from gancli.training.start import start


class TouchedError(AssertionError):
    """The test set was looked at."""


class Untouchable:
    """A test set that nobody may look at."""

    def __getattribute__(self, name: str) -> Any:
        if name in ("__class__", "__dict__"):
            return object.__getattribute__(self, name)
        raise TouchedError(f"{name} of the test set")

    def __len__(self) -> int:
        raise TouchedError("the length of the test set")

    def __bool__(self) -> bool:
        raise TouchedError("the truth of the test set")


@dataclass(frozen=True)
class Parts:
    """A split without a test set."""

    train: Any
    validation: Any

    @property
    def test(self) -> Any:
        return Untouchable()


def planned(tmp_path: Path, until: str) -> tuple[folder.Run, Plan]:
    """A run that scores itself every five steps, checks the monitor and keeps the best checkpoint."""
    task = {"name": "generate", "model": {"name": "mlp", "g_widths": [16], "d_widths": [16]}}
    layer = {
        "data": {"source": "digits", "repeat": 1}, "batch_size": 32, "task": task, "seed": 0,
        "stop": {"max_steps": 40, "until": until, "patience": 2},
        "intervals": {"evaluate": 160, "evaluate_n": 64, "sample": 320, "save": 320, "keep": 1, "log": 5},
    }  # fmt: skip
    request = Request([layer], "textbook", tmp_path, tmp_path / "cache")
    plan = make(request, Reading(data_dir=tmp_path, cache_dir=tmp_path / "cache"))
    run = start(request, plan, tmp_path / "runs", "r")
    return run, replace(plan, split=Parts(plan.split.train, plan.split.validation))  # type: ignore[arg-type]


def test_the_guard_guards() -> None:
    test = Parts(1, 2).test
    for look in (len, bool, lambda t: t.samples(), lambda t: t.images, lambda t: t.spec, lambda t: t[0]):
        with pytest.raises((TouchedError, TypeError)):
            look(test)


@pytest.mark.parametrize("until", ["fid<0", "fid<1e9", "label-agreement>2"])
def test_no_image_of_the_test_set_is_read(tmp_path: Path, until: str) -> None:
    if until.startswith("label"):
        with pytest.raises(UsageError, match="asked for by label"):
            planned(tmp_path, until)
        return
    run, plan = planned(tmp_path, until)
    reason, _ = session.train(run, plan)
    lines = journal.read(run.scores)
    assert reason == ("quality" if until == "fid<1e9" else "steps")
    assert len(lines) == (2 if until == "fid<1e9" else 8)
    assert any(line["best"] for line in lines)
    assert journal.read(run.monitor) or reason == "quality"
    best = [line["step"] for line in lines if line["best"]][-1]
    assert best in [checkpoint.step_of(point) for point in checkpoint.listed(run.checkpoints)]
    reason, _ = session.train(
        run, replace(plan, cfg=plan.cfg.replace(stop=plan.cfg.stop.replace(max_steps=45, until=""))), resumed=True
    )
    assert reason == "steps"


def test_scores_are_those_of_the_validation_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The data that samples are compared with are the very images of the validation set."""
    from gancli.training import validation

    seen: list[Any] = []
    quick = validation.quick

    def spy(evaluator: Any, *rest: Any) -> Any:
        seen.append((evaluator.name, evaluator.real.samples.images))
        return quick(evaluator, *rest)

    monkeypatch.setattr(validation, "quick", spy)
    run, plan = planned(tmp_path, "fid<1e9")
    session.train(run, plan)
    assert {name for name, _ in seen} == {"validation set"}
    assert all(images is plan.split.validation.images for _, images in seen)
