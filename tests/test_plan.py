"""What is chosen for the user, and recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gancli.config import Layer
from gancli.engine import precision
from gancli.plan import Plan, Request, again, make
from gancli.sources import Reading


def plan(place: Path, preset: str, layer: Layer) -> Plan:
    how = Reading(place, place / "cache")
    return make(Request([{"data": {"source": "digits"}}, layer], preset, how.data_dir, how.cache_dir, False), how)


@pytest.mark.parametrize("images", [20_000, 100_000])
def test_what_is_counted_in_images_is_fitted_to_the_run(images: int, tmp_path: Path) -> None:
    stop = {"stop": {"images": images}}
    growing = plan(tmp_path, "progressive", stop)
    task: Any = growing.cfg.task
    assert task.model.level(images // 2, 2) == 1  # digits have two scales
    assert "task.model.hold" not in growing.changed()
    task = plan(tmp_path, "r3gan", stop).cfg.task
    assert [p.over for p in task.penalties] == [images, images]
    task = plan(tmp_path, "r3gan", {**stop, "task": {"penalties": [{"name": "r1", "final": 0.1, "over": 7}]}}).cfg.task
    assert [p.over for p in task.penalties] == [7]


@pytest.mark.parametrize("native", [True, False])
def test_a_resumed_run_settles_its_precision_as_a_new_one_does(
    native: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "_native_bf16", lambda: native)
    cfg = plan(tmp_path, "textbook", {}).cfg
    later = again(cfg.but(machine=cfg.machine.but(precision="auto")), Reading(tmp_path, tmp_path / "cache"))
    assert later.cfg.machine.precision == cfg.machine.precision == ("bf16" if native else "fp32")
    assert later.state().nets["G"].parameters[0].dtype == later.store.dtype
