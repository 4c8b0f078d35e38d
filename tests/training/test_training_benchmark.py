"""`gan bench`: every preset is measured, and the operations are counted as torch counts them."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch.utils.flop_counter import FlopCounterMode

from gancli.core.config import Layer, merge, presets
from gancli.core.data import Reading
from gancli.training import benchmark
from gancli.training.prepare import Plan, Request, make
from tests.conftest import data_of

SMALL: Layer = {"data": {"source": "digits"}, "batch_size": 2, "runtime": {"threads": 1}}
PRESETS = sorted({name for name in presets() if not name.startswith("text-")} - {"attributes"})  # the digits have none


def plan(preset: str, place: Path, more: Layer | None = None) -> Plan:
    how = Reading(place, place / "cache")
    data = {"data": {"source": data_of(preset, place / "pictures")}}
    return make(Request([merge([SMALL, data, more or {}])], preset, how.data_dir, how.cache_dir, False), how)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_measured(preset: str, tmp_path: Path) -> None:
    found = benchmark.measure(plan(preset, tmp_path), steps=1, rounds=1)
    assert found["images_per_s"] > 0
    assert found["matmul_gflop"] > 0
    assert found["parts_ms"]["matmuls and convolutions"] > 0


@pytest.mark.parametrize("preset", ["textbook", "lsgan"])
def test_operations_are_counted_as_torch_counts_them(preset: str, tmp_path: Path) -> None:
    asked = plan(preset, tmp_path, {"task": {"penalties": []}})  # torch's counter refuses gradients of gradients
    state = asked.state()
    with FlopCounterMode(display=False) as torchs, benchmark.Flops() as ours:
        benchmark.one(asked, state)
    assert ours.flops == torchs.get_total_flops()
