"""Every preset: data only, found parts, two steps on a tiny loader in every precision, the same bits again."""

from __future__ import annotations

import math
import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gancli.core.config import Config, presets, read_preset, resolve
from gancli.core.data import Dataset, Reading, Split
from gancli.core.images import to_uint8
from gancli.core.registry import find
from gancli.core.samples import FromSeeds
from gancli.core.specs import Domains, Pairs, Tokens
from gancli.core.task import Task
from gancli.data.domains import DomainsDataset
from gancli.data.images import ImageDataset
from gancli.data.loader import Loader
from gancli.data.pairs import PairDataset
from gancli.data.tokens import TokenDataset, Vocabulary
from gancli.tasks.generate import Generate
from gancli.training.monitor import Monitor
from gancli.training.prepare import Plan
from gancli.training.state import State, new_state
from gancli.training.step import step

CPU, META = torch.device("cpu"), torch.device("meta")
ASKS = {"stylegan2", "cyclegan"}  # which ask once a step, for ADA's p, for the number of images in the pool
PAPERS = {
    "textbook", "dcgan", "lsgan", "wgan", "wgan-gp", "dragan", "sngan", "sagan", "cgan", "acgan", "projection", "infogan",
    "attributes", "pacgan", "progressive", "msg", "r3gan", "stylegan2", "best-cpu", "biggan",
}  # fmt: skip
NAMES = list(presets())
TINY: dict[str, Any] = {
    "z": 6, "w": 6, "width": 4, "g_width": 4, "d_width": 4, "widest": 8, "g_widths": [16], "d_widths": [16], "hold": 8, "fade": 8,
}  # fmt: skip


def arrays(seed: int = 0) -> ImageDataset:
    r = np.random.default_rng(seed)
    images = r.integers(0, 256, (40, 1, 16, 16), dtype=np.uint8)
    return ImageDataset(
        images, r.integers(0, 4, 40), r.random((40, 2), dtype=np.float32), tuple("abcd"), ("thick", "slant")
    )


def data_for(task: Task) -> Dataset:
    """Small data of the kind that a task trains on."""
    if task.accepts is Tokens:
        tokens = np.random.default_rng(0).integers(2, 6, (40, 7)).astype(np.uint16)
        return TokenDataset(tokens, Vocabulary(("", "?", *"abcd")), np.arange(40) % 4, tuple("wxyz"))
    by_kind = {Pairs: PairDataset, Domains: DomainsDataset}
    kind = by_kind.get(task.accepts)
    return task.dataset(arrays() if kind is None else kind(arrays(), arrays(1)))


def tiny(name: str) -> Config:
    preset = read_preset(name)
    small: dict[str, Any] = {}
    if preset["task"]["name"].startswith("text-"):
        options = find("task", preset["task"]["name"]).model_fields
        small = {
            k: 8 for k in ("width", "embedding", "filters", "critic_embedding", "critic_width", "z") if k in options
        }
    for kind in {"model", "translator", "critic"} & preset["task"].keys():
        fields = find(kind, preset["task"][kind]["name"]).model_fields
        small[kind] = {k: v for k, v in TINY.items() if k in fields}
    return resolve({"preset": name}, preset, {"data": {"source": "digits"}, "batch_size": 8, "task": small})


def started(name: str, dtype: torch.dtype) -> tuple[Config, Loader, State]:
    cfg = tiny(name)
    loader = Loader(data_for(cfg.task), cfg.seed, CPU, dtype)
    return cfg, loader, new_state(cfg.task, cfg, loader.spec, CPU, dtype)


def test_the_papers_are_there() -> None:
    assert set(NAMES) >= PAPERS


@pytest.mark.parametrize("name", NAMES)
def test_header_and_parts(name: str) -> None:
    text = presets()[name].read_text()
    assert re.match(rf"# {name}: .+ \(.*\d{{4}}\.\d{{4,5}}.*\)\n", text)
    assert "# Follows: " in text
    assert "# Departs: " in text
    assert tomllib.loads(text)
    for classes in (0, 2):
        cfg = resolve({"preset": name}, read_preset(name, classes), {"data": {"source": "digits"}})
        assert resolve(cfg.dump()) == cfg


def test_a_preset_s_rule_for_data_without_classes() -> None:
    for classes, condition in ((0, "none"), (1, "none"), (2, "projection"), (10, "projection")):
        assert read_preset("best-cpu", classes)["task"]["condition"] == condition
        assert "unlabeled" not in read_preset("best-cpu", classes)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", NAMES)
def test_trains_and_samples(name: str, dtype: torch.dtype) -> None:
    cfg, loader, state = started(name, dtype)
    for _ in range(2):
        logs = step(cfg.task, state, loader, cfg)
        assert all(math.isfinite(float(v)) for v in logs.values())
    ask, nets = cfg.task.evaluation(loader.spec, loader.data, 3, 1), state.sampling()
    made = cfg.task.generate(nets, ask, loader.spec)
    if cfg.task.accepts is Tokens:
        assert len(made) == 3
        return
    assert made.arrays()["images"].shape == (3, 16, 16, 1)
    if isinstance(cfg.task, Generate):
        ask = FromSeeds(seeds=(1, 2, 3))
        images = cfg.task.images(nets, ask, arrays().spec)
        assert torch.isfinite(images).all()
        made = cfg.task.generate(nets, ask, loader.spec)
        np.testing.assert_array_equal(made.arrays()["images"].transpose(0, 3, 1, 2), to_uint8(images))


@pytest.mark.parametrize("name", NAMES)
def test_the_monitor_looks_at_the_start(name: str, tmp_path: Path) -> None:
    cfg, loader, state = started(name, torch.float32)
    step(cfg.task, state, loader, cfg)
    data = data_for(cfg.task)
    split = Split(data, data, data)
    plan = Plan(cfg, split, split.train.fingerprint, loader, Reading(tmp_path, tmp_path), cfg)
    line = Monitor(plan, print, print).look(state, {"loss/D": 1.0, "grad/D": 2.0})
    critics = [net for net in state.nets if net.startswith("D")]
    assert line.keys() >= {
        "known",
        "spread",
        "grad/D",
        *(f"{key}/{d}" for key in ("real", "apart", "overfit") for d in critics),
    }
    assert "loss/D" not in line


@pytest.mark.parametrize("name", NAMES)
def test_two_runs_are_the_same_to_the_bit(name: str) -> None:
    ends = []
    for _ in range(2):
        cfg, loader, state = started(name, torch.float32)
        for _ in range(2):
            step(cfg.task, state, loader, cfg)
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
    monkeypatch.setattr("gancli.data.loader._budget", lambda _device: 10**9)
    cfg = tiny(name)
    loader = Loader(data_for(cfg.task), cfg.seed, META, dtype)
    state = new_state(cfg.task, cfg, loader.spec, META, dtype)
    logs = step(cfg.task, state, loader, cfg)
    assert {v.device.type for v in logs.values()} == {*asked} == {"meta"}
    assert {t.device.type for net in state.nets.values() for t in (net.flat, *net.moments.values())} == {"meta"}


def test_presets_have_what_their_headers_claim_of_the_published_code() -> None:
    _, _, state = started("stylegan2", torch.float32)
    d, g = state.nets["D"].rule, state.nets["G"].rule
    assert (d.lr, *d.betas) == pytest.approx((2.353e-3, 0, 0.990585), rel=1e-3)  # type: ignore[attr-defined]
    assert (g.lr, *g.betas) == pytest.approx((2e-3, 0, 0.991992), rel=1e-5)  # type: ignore[attr-defined]
    style, pacgan, infogan = (
        resolve({"data": {"source": "digits"}}, read_preset(name)) for name in ("stylegan2", "pacgan", "infogan")
    )
    assert (style.task.model.residual, style.task.model.group) == (False, 32)  # type: ignore[attr-defined]
    assert pacgan.batch_size // pacgan.task.group_size == 64
    assert [phase.repeat for phase in pacgan.task.phases({"D": torch.nn.Identity()})] == [1, 2]
    assert pacgan.task.latent == infogan.task.latent == "uniform"  # type: ignore[attr-defined]
    codes = infogan.task.condition  # type: ignore[attr-defined]
    assert (codes.weight, codes.weight_continuous, codes.hidden) == (1, 1, 128)
