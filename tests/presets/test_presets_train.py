"""Every preset: data only, found parts, two steps on a tiny store in every precision, the same bits again."""

from __future__ import annotations

import math
import re
import tomllib
from typing import Any

import numpy as np
import pytest
import torch

from gancli.core.config import Config, presets, read_preset, resolve
from gancli.core.data import Arrays
from gancli.core.registry import find
from gancli.data.store import Store
from gancli.training.monitor import Monitor
from gancli.training.state import State, new_state
from gancli.training.step import step

CPU, META = torch.device("cpu"), torch.device("meta")
ASKS = {"progressive", "stylegan2"}  # which ask once a step: for the scale that is seen, for ADA's p
PAPERS = {
    "textbook", "dcgan", "lsgan", "wgan", "wgan-gp", "dragan", "sngan", "sagan", "cgan", "acgan", "projection", "infogan",
    "attributes", "pacgan", "progressive", "msg", "r3gan", "stylegan2", "best-cpu",
}  # fmt: skip
NAMES = list(presets())
TINY: dict[str, Any] = {
    "z": 6, "w": 6, "width": 4, "g_width": 4, "d_width": 4, "widest": 8, "g_widths": [16], "d_widths": [16], "hold": 8, "fade": 8,
}  # fmt: skip


def arrays() -> Arrays:
    r = np.random.default_rng(0)
    images = r.integers(0, 256, (40, 1, 16, 16), dtype=np.uint8)
    return Arrays(images, r.integers(0, 4, 40), r.random((40, 2), dtype=np.float32), tuple("abcd"), ("thick", "slant"))


def tiny(name: str) -> Config:
    preset = read_preset(name)
    fields = find("model", preset["task"]["model"]["name"]).model_fields
    model = {k: v for k, v in TINY.items() if k in fields}
    return resolve({"preset": name}, preset, {"data": {"source": "digits"}, "batch_size": 8, "task": {"model": model}})


def started(name: str, dtype: torch.dtype) -> tuple[Config, Store, State]:
    cfg = tiny(name)
    store = Store(arrays(), cfg.seed, CPU, dtype)
    return cfg, store, new_state(cfg.task, cfg, store.shape, CPU, dtype)


def test_the_papers_are_there() -> None:
    assert set(NAMES) >= PAPERS


@pytest.mark.parametrize("name", NAMES)
def test_header_and_parts(name: str) -> None:
    text = presets()[name].read_text()
    assert re.match(rf"# {name}: .+ \(.*\d{{4}}\.\d{{4,5}}.*\)\n", text)
    assert "# Follows: " in text
    assert "# Departs: " in text
    table = tomllib.loads(text)
    cfg = resolve({"preset": name}, table, {"data": {"source": "digits"}})
    assert resolve(cfg.dump()) == cfg


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", NAMES)
def test_trains_and_samples(name: str, dtype: torch.dtype) -> None:
    cfg, store, state = started(name, dtype)
    for _ in range(2):
        logs = step(cfg.task, state, store, cfg)
        assert all(math.isfinite(float(v)) for v in logs.values())
    images = cfg.task.sample(state.sampling(), [1, 2, 3], store.shape)
    assert images.shape == (3, 1, 16, 16)
    assert torch.isfinite(images).all()


@pytest.mark.parametrize("name", NAMES)
def test_the_monitor_looks_at_the_start(name: str) -> None:
    cfg, store, state = started(name, torch.float32)
    step(cfg.task, state, store, cfg)
    held_out = Store(arrays(), 1, CPU, torch.float32)
    images = cfg.task.sample(state.sampling(), [1, 2, 3], store.shape)
    line = Monitor(cfg.task, cfg, store, held_out, print, print).look(state, images, None, {})
    assert {"real", "apart", "overfit", "spread"} <= line.keys()


@pytest.mark.parametrize("name", NAMES)
def test_two_runs_are_the_same_to_the_bit(name: str) -> None:
    ends = []
    for _ in range(2):
        cfg, store, state = started(name, torch.float32)
        for _ in range(2):
            step(cfg.task, state, store, cfg)
        ends.append([net.flat.detach().clone() for net in state.nets.values()] + list(state.memory.values()))
    for a, b in zip(*ends, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", sorted({*NAMES} - ASKS))
def test_a_step_on_another_device_asks_nothing_back(
    name: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On torch's meta device, which holds no numbers: nothing is made on the processor by mistake, and no number is waited for
    but whether loss and gradients are finite."""
    asked = []
    monkeypatch.setattr("gancli.training.step._finite", lambda value, *_: asked.append(value.device.type) or value)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: (10**9, 10**9))
    cfg = tiny(name)
    store = Store(arrays(), cfg.seed, META, dtype)
    state = new_state(cfg.task, cfg, store.shape, META, dtype)
    logs = step(cfg.task, state, store, cfg)
    assert {v.device.type for v in logs.values()} == {*asked} == {"meta"}
    assert {t.device.type for net in state.nets.values() for t in (net.flat, *net.moments.values())} == {"meta"}
