"""Dynamic loss scaling: torch's rule, deterministic, saved, the same on all ranks; and nothing of it outside float16."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from gancli.core.config import Config, resolve
from gancli.core.data import Reading
from gancli.core.errors import CheckpointError, DivergedError
from gancli.data.loader import Loader
from gancli.training import scaling, snapshot
from gancli.training.scaling import START, LossScale
from gancli.training.state import State, new_state
from gancli.training.step import step

CPU = torch.device("cpu")
SMALL = {"task": {"model": {"name": "mlp", "g_widths": [32], "d_widths": [32]}}, "batch_size": 32}


def made(dtype: torch.dtype = torch.float16, **more: Any) -> tuple[Config, State, Loader]:
    cfg = resolve({"data": {"source": "digits"}}, SMALL, more)
    loader = Loader(cfg.data.source.read(Reading(Path(), Path())).train, cfg.seed, CPU, dtype)
    return cfg, new_state(cfg.task, cfg, loader.spec, CPU, dtype), loader


def tensors(state: State) -> dict[str, torch.Tensor]:
    return {f"{g}/{k}": v.clone() for g, group in snapshot.tensors(state).items() for k, v in group.items()}


def assert_same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    assert all(torch.equal(one[k], other[k]) for k in one)


def resumed(state: State, fresh: State) -> State:
    groups = {g: {k: v.clone() for k, v in group.items()} for g, group in snapshot.tensors(state).items()}
    snapshot.restore(fresh, groups, json.loads(json.dumps(snapshot.numbers(state))))
    return fresh


@pytest.mark.parametrize("size", [1e-7, 1.0, 300.0])
def test_gradients_in_float16_are_neither_lost_nor_infinite(size: float) -> None:
    """Once the scale has come down to where they fit."""
    x = torch.randn(8, 5, generator=torch.Generator().manual_seed(0))
    weight = torch.full((5,), 0.5, requires_grad=True)
    (expected,) = torch.autograd.grad((size * (x @ weight)).mean(), [weight])
    low, scale = torch.full((5,), 0.5, dtype=torch.float16, requires_grad=True), LossScale()
    for _ in range(17):
        (found,) = scale.gradients((size * (x.to(torch.float16) @ low).float()).mean(), [low])
        assert found is not None
        if torch.isfinite(found).all():
            break
        assert scale.overflowed()
    assert found.dtype == torch.float32
    torch.testing.assert_close(found / size, expected / size, rtol=2e-3, atol=1e-3)


def test_the_scale_follows_torch_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaling, "INTERVAL", 3)
    theirs: Any = torch.amp.GradScaler("cpu", growth_interval=3)
    weight, ours = torch.ones(1, requires_grad=True), LossScale()
    rule = torch.optim.SGD([weight], 0.0)
    for overflows in (0, 0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 1):
        weight.grad = None
        theirs.scale((weight * (float("inf") if overflows else 1.0)).sum()).backward()
        theirs.step(rule)
        theirs.update()
        if overflows:
            assert ours.overflowed()
        ours.stepped()
        assert ours.value == theirs.get_scale()


def test_an_update_that_overflows_is_skipped_whole() -> None:
    cfg, state, loader = made()
    step(cfg.task, state, loader, cfg)
    assert state.loss_scale is not None
    state.loss_scale.value = 2.0**60
    before, steps = tensors(state), [float(net.steps) for net in state.nets.values()]
    logs = step(cfg.task, state, loader, cfg)
    assert_same(*({k: v for k, v in t.items() if not k.startswith("ema/")} for t in (before, tensors(state))))
    assert [float(net.steps) for net in state.nets.values()] == steps
    assert not any(net.gradients() for net in state.nets.values())
    assert "grad/G" not in logs
    assert torch.isfinite(logs["loss/G"])
    assert state.loss_scale == LossScale(2.0**58, 0)  # once for D, once for G
    assert (state.step, state.images) == (2, 64)


def test_a_resume_skips_the_same_updates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaling, "INTERVAL", 3)
    cfg, state, loader = made()
    assert state.loss_scale is not None
    state.loss_scale.value = 2.0**24
    values = []
    for number in range(30):
        if number == 17:
            again = resumed(state, made()[1])
            assert again.loss_scale == state.loss_scale != LossScale()
        step(cfg.task, state, loader, cfg)
        values.append(state.loss_scale.value)
    for _ in range(13):
        step(cfg.task, again, loader, cfg)
    assert {a > b for a, b in pairwise(values[17:])} == {True, False}, "some updates were skipped"
    assert again.loss_scale == state.loss_scale
    assert_same(tensors(again), tensors(state))


def test_a_checkpoint_without_a_scale_starts_at_the_default() -> None:
    """Of a run that was trained in another precision, or before there was one."""
    for dtype in (torch.float32, torch.bfloat16):
        cfg, state, loader = made(dtype)
        step(cfg.task, state, loader, cfg)
        assert state.loss_scale is None
        assert "loss_scale" not in snapshot.numbers(state)
        assert resumed(state, made()[1]).loss_scale == LossScale(START, 0)


@pytest.mark.parametrize("said", [{"value": 0.5, "good": 0}, {"value": "nan", "good": 0}, {"value": 4.0}, 7])
def test_a_damaged_scale_is_refused(said: Any) -> None:
    _, state, _ = made()
    groups = snapshot.tensors(state)
    with pytest.raises(CheckpointError, match="does not fit"):
        snapshot.restore(state, groups, {**snapshot.numbers(state), "loss_scale": said})


def test_what_overflows_at_any_scale_is_a_divergence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        LossScale, "gradients", lambda _self, _mean, parameters: [torch.full(p.shape, float("inf")) for p in parameters]
    )
    cfg, state, loader = made()
    before = tensors(state)
    for _ in range(8):  # two halvings each, from 2^16 to 1
        step(cfg.task, state, loader, cfg)
    with pytest.raises(DivergedError, match="the gradient of D is inf at step 8"):
        step(cfg.task, state, loader, cfg)
    assert_same(before, tensors(state))


def test_a_loss_that_is_not_finite_is_a_divergence_at_once() -> None:
    cfg, state, loader = made()
    state.nets["D"].flat.data[0] = float("nan")
    state.nets["D"].refresh()
    with pytest.raises(DivergedError, match="the loss of D"):
        step(cfg.task, state, loader, cfg)
    assert state.loss_scale == LossScale()
