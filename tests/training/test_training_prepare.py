"""What is chosen for the user, and recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gancli.core.config import Layer
from gancli.core.data import Reading
from gancli.training import precision, prepare, trial
from gancli.training.prepare import Plan, Request, again, make


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


@pytest.mark.parametrize(("gain", "chosen"), [(1.5, "bf16"), (0.6, "fp32"), (0.0, "fp32")])
def test_bfloat16_is_chosen_where_a_trial_shows_that_it_pays(
    gain: float, chosen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "multiplies_bf16", lambda _device: True)
    monkeypatch.setattr(trial, "gain", lambda cfg, loader: gain)
    new = plan(tmp_path, "textbook", {})
    assert any("bfloat16" in said for said in new.choices) == (chosen == "bf16")
    monkeypatch.setattr(trial, "gain", lambda cfg, loader: pytest.fail("tried twice") if gain else 0.0)
    cfg = new.cfg
    later = again(cfg.replace(runtime=cfg.runtime.replace(precision="auto")), Reading(tmp_path, tmp_path / "cache"))
    assert later.cfg.runtime.precision == cfg.runtime.precision == chosen
    assert later.state().nets["G"].parameters[0].dtype == later.loader.dtype
    assert plan(tmp_path, "textbook", {"runtime": {"precision": "fp32"}}).cfg.runtime.precision == "fp32"


def test_a_trial_leaves_nothing_behind(tmp_path: Path) -> None:
    """Neither the data's dtype nor the run's first weights; and what fails in it is left to the training to say."""
    new = plan(tmp_path, "textbook", {"runtime": {"precision": "fp32"}})
    before = new.state().nets["G"].flat.clone()
    assert trial.gain(new.cfg, new.loader) > 0
    assert new.loader.dtype == torch.float32
    assert torch.equal(before, new.state().nets["G"].flat)
    fast = new.cfg.replace(optimizer=new.cfg.optimizer.replace(lr=1e30))
    assert trial.gain(fast, new.loader) == 0


@pytest.mark.parametrize(("side", "asked", "batch"), [(64, None, 16), (256, None, 16), (512, None, 4), (512, 8, 8)])
def test_batches_of_large_images_fit_into_memory(side: int, asked: int | None, batch: int, tmp_path: Path) -> None:
    np.savez(tmp_path / "large.npz", images=np.zeros((24, side, side, 3), np.uint8))
    layer: Layer = {"data": {"source": {"name": "npz", "path": str(tmp_path / "large.npz")}, "repeat": 200}}
    how = Reading(tmp_path, tmp_path / "cache")
    layers = [
        layer,
        {"batch_size": asked} if asked else {},
        {"task": {"model": {"g_width": 4, "d_width": 4, "widest": 4}}},
    ]
    made = make(Request(layers, "dcgan", how.data_dir, how.cache_dir, False), how)
    assert made.cfg.batch_size == batch


@pytest.mark.parametrize(
    ("data", "repeat"), [({}, 14), ({"epoch": 10_000}, 7), ({"epoch": 10_000, "repeat": 3}, 3), ({"epoch": 1}, 1)]
)
def test_an_epoch_has_as_many_images_as_asked(data: Layer, repeat: int, tmp_path: Path) -> None:
    assert plan(tmp_path, "textbook", {"data": data}).cfg.data.repeat == repeat


def test_schedules_fit_into_the_minutes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "rehearse", lambda _plan, _seconds: {"images_per_s": 100.0})
    fitted = plan(tmp_path, "progressive", {"stop": {"max_minutes": 2.0}})
    assert fitted.cfg.stop.total(fitted.loader.epoch) == 12_000
    assert fitted.cfg.stop.fitted
    assert "stop.fitted" not in fitted.changed()
    assert fitted.cfg.task == plan(tmp_path, "progressive", {"stop": {"images": 12_000}}).cfg.task
    assert any("12,000 images" in said and "2 minutes" in said for said in fitted.choices)
    for given in ({"images": 5_000_000}, {"epochs": 3}, {"max_steps": 7}):
        kept = plan(tmp_path, "progressive", {"stop": {"max_minutes": 2.0, **given}})
        assert not any("minutes" in said for said in kept.choices)
        assert not kept.cfg.stop.fitted
    assert plan(tmp_path, "textbook", {"stop": {"max_minutes": 1e6}}).cfg.stop.images is None
