"""The step: golden losses, gradients, parts of a batch, the average."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gancli.core.config import Config, resolve
from gancli.core.contracts import Tick
from gancli.core.data import Reading
from gancli.core.errors import DivergedError
from gancli.data.images import ImageDataset
from gancli.data.loader import Loader
from gancli.distributed.ranks import Ranks
from gancli.training.net import Flat
from gancli.training.state import State, new_state
from gancli.training.step import step

GOLDEN = Path(__file__).parents[1] / "golden" / "textbook_digits.json"
CPU = torch.device("cpu")


def made(layer: dict[str, Any] | None = None, dtype: torch.dtype = torch.float32) -> tuple[Config, State, Loader]:
    cfg = resolve({"data": {"source": "digits"}, "batch_size": 32}, layer or {})
    split = cfg.data.source.read(Reading(Path(), Path()))
    loader = Loader(split.train, cfg.seed, CPU, dtype)
    return cfg, new_state(cfg.task, cfg, loader.spec, CPU, dtype), loader


SMALL = {"task": {"model": {"name": "mlp", "g_widths": [32], "d_widths": [32], "dropout": 0.0}}}


def test_golden_losses() -> None:
    """The textbook preset on the digits: to 1e-6 on the torch and the instruction set it was recorded with, closely elsewhere."""
    cfg, state, loader = made()
    lines = []
    for _ in range(40):
        logs = step(cfg.task, state, loader, cfg)
        lines.append([float(logs["loss/D"]), float(logs["loss/G"])])
    here = {"torch": str(torch.__version__), "cpu": torch.backends.cpu.get_cpu_capability(), "lines": lines}
    if not GOLDEN.exists():
        GOLDEN.write_text(json.dumps(here, indent=1) + "\n")
        pytest.fail("recorded anew: run again, and say why in the change log")
    golden = json.loads(GOLDEN.read_text())
    np.testing.assert_allclose(lines, golden["lines"], rtol=2e-3)
    if {k: here[k] for k in ("torch", "cpu")} == {k: golden[k] for k in ("torch", "cpu")}:
        np.testing.assert_allclose(lines[:10], golden["lines"][:10], rtol=1e-6)


def test_the_same_seed_is_the_same_run() -> None:
    ends = []
    for _ in range(2):
        cfg, state, loader = made(SMALL)
        for _ in range(5):
            step(cfg.task, state, loader, cfg)
        ends.append(state.nets["G"].flat.detach().clone())
    assert torch.equal(*ends)
    cfg, state, loader = made({**SMALL, "seed": 1})
    step(cfg.task, state, loader, cfg)
    assert not torch.equal(ends[0], state.nets["G"].flat)


def test_a_step_is_the_paper_in_plain_torch() -> None:
    """One step of ours against the same arithmetic written out with torch's own modules and optimizer."""
    cfg, state, loader = made(SMALL)
    from gancli.core.seeds import derive, generator

    modules = cfg.task.nets(loader.spec)
    for name, module in modules.items():
        module.load_state_dict(state.nets[name].module.state_dict())
    rules = {n: torch.optim.Adam(m.parameters(), 2e-4, (0.5, 0.999)) for n, m in modules.items()}
    for number in range(3):
        batch = loader.batch(32 * number, 32)
        z = torch.randn(32, 100, generator=generator(derive(cfg.seed, number, "D", 0), "z"))
        bce = torch.nn.functional.binary_cross_entropy_with_logits
        fake = modules["G"](z)
        on_real, on_fake = modules["D"](batch["real"]), modules["D"](fake.detach())
        d_loss = bce(on_real, torch.ones(32)) + bce(on_fake, torch.zeros(32))
        rules["D"].zero_grad()
        d_loss.backward()
        rules["D"].step()
        g_loss = bce(modules["D"](fake), torch.ones(32))
        rules["G"].zero_grad()
        g_loss.backward()
        rules["G"].step()
        logs = step(cfg.task, state, loader, cfg)
        assert float(logs["loss/D"]) == pytest.approx(float(d_loss.detach()), rel=1e-5)
        assert float(logs["loss/G"]) == pytest.approx(float(g_loss.detach()), rel=1e-5)
    for name, module in modules.items():
        for ours, theirs in zip(state.nets[name].module.parameters(), module.parameters(), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("part", [1, 7, 16])
def test_parts_of_a_batch_give_the_gradient_of_the_whole(part: int, gradients: list[Tensor]) -> None:
    for size in (None, part):
        cfg, state, loader = made({**SMALL, "runtime": {"micro_batch": size}})
        step(cfg.task, state, loader, cfg)
        assert not any(net.gradients() for net in state.nets.values()), "they are let go of"
    for one, other in zip(gradients[:2], gradients[2:], strict=True):
        scale = one.abs().max()
        torch.testing.assert_close(one / scale, other / scale, rtol=0, atol=1e-5)


def test_what_is_not_finite_is_stopped_before_the_update() -> None:
    cfg, state, loader = made(SMALL)
    step(cfg.task, state, loader, cfg)
    for name in ("D", "G"):
        before = {n: net.flat.detach().clone() for n, net in state.nets.items()}
        kept = state.nets[name].flat.data[0].clone()
        state.nets[name].flat.data[0] = float("nan")
        with pytest.raises(DivergedError, match="step 1"):
            step(cfg.task, state, loader, cfg)
        state.nets[name].flat.data[0] = kept
        assert torch.equal(state.nets["G"].flat, before["G"])
        state.nets["D"].flat.data.copy_(before["D"])


def test_the_average_has_its_half_life() -> None:
    cfg, state, loader = made({**SMALL, "ema": {"half_life": 320, "ramp": 0.0}})
    start = state.ema["G"].flat.clone()
    step(cfg.task, state, loader, cfg)
    moved = state.nets["G"].flat.detach() - start
    decay = 0.5 ** (32 / 320)
    torch.testing.assert_close(state.ema["G"].flat - start, moved * (1 - decay), rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_weights_stay_float32(dtype: torch.dtype) -> None:
    cfg, state, loader = made(SMALL, dtype)
    before = state.nets["D"].flat.detach().clone()
    logs = step(cfg.task, state, loader, cfg)
    assert torch.isfinite(logs["loss/D"])
    assert state.nets["D"].flat.dtype == torch.float32
    assert not torch.equal(before, state.nets["D"].flat)
    working = next(iter(state.nets["D"].working.parameters()))
    module = next(iter(state.nets["D"].module.parameters()))
    assert working.dtype == dtype
    assert torch.equal(working, module.to(dtype))


def test_flat_layout_is_aligned() -> None:
    layout = Flat(torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Linear(5, 1)))
    assert all(o % 64 == 0 for o in layout.offsets.values())
    assert layout.size % 64 == 0


def test_the_order_of_the_data_has_no_state() -> None:
    images = np.arange(10, dtype=np.uint8)[:, None, None, None]
    loader = Loader(ImageDataset(images), 0, CPU, torch.float32)

    def read(position: int, n: int) -> list[int]:
        return ((loader.batch(position, n)["real"].flatten() + 1) * 127.5).round().int().tolist()

    stream = read(0, 25)
    assert sorted(stream[:10]) == list(range(10))
    assert sorted(stream[10:20]) == list(range(10))
    assert stream[:10] != stream[10:20]
    for size in (1, 3, 4, 25):
        pieces = [read(p, min(size, 25 - p)) for p in range(0, 25, size)]
        assert [i for piece in pieces for i in piece] == stream
    assert Tick(0, 1, 2).images == 2


class Watching(Ranks):
    """One rank, which keeps the logs of each turn."""

    def __init__(self) -> None:
        super().__init__()
        self.turns: list[dict[str, float]] = []

    def average_gradients(self, nets: Any, logs: Any, *rest: Any) -> Any:
        self.turns.append({key: float(value) for key, value in logs.items()})
        return logs


def test_logs_are_means_over_the_turns_of_a_step(gradients: list[Tensor]) -> None:
    """Five turns of a critic: the means of five logs of one turn each."""
    task = {**SMALL["task"], "loss": "wasserstein", "clip": 0.05, "n_critic": 5, "penalties": [{"name": "drift"}]}
    cfg, state, loader = made({"task": task})
    watching = Watching()
    for number in range(2):
        logs = step(cfg.task, state, loader, cfg, watching)
        *critic, generator = watching.turns[6 * number :]
        assert len({turn["loss/D"] for turn in critic}) == 5
        for key in ("loss/D", "logit/D/real", "logit/D/fake", "penalty/D/drift"):
            assert float(logs[key]) == pytest.approx(np.mean([turn[key] for turn in critic]), rel=1e-6)
        assert float(logs["loss/G"]) == generator["loss/G"]
        norms = [float(g.norm()) for g in gradients[6 * number :]]
        assert float(logs["grad/D"]) == pytest.approx(np.mean(norms[:5]), rel=1e-5)
        assert float(logs["grad/G"]) == pytest.approx(norms[5], rel=1e-5)
