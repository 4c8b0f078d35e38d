"""Translation: losses against their plain forms, a full pool that survives kill -9, two ranks."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from gancli.core.config import Config, read_preset, resolve
from gancli.core.contracts import Tick
from gancli.core.data import Batch
from gancli.core.errors import UsageError
from gancli.core.images import CycleSamples, ManySamples, PairSamples
from gancli.core.samples import FromInput
from gancli.core.task import Context
from gancli.data.domains import DomainsDataset
from gancli.data.images import ImageDataset
from gancli.data.loader import Loader
from gancli.data.pairs import PairDataset
from gancli.distributed.ranks import Ranks
from gancli.runs import checkpoint
from gancli.runs.folder import Run
from gancli.runs.tensors import decode
from gancli.training.state import State, new_state
from gancli.training.step import step
from tests.conftest import Gan
from tests.distributed.forked import fork_ranks

CPU = torch.device("cpu")
SMALL = {"translator": {"width": 4}, "critic": {"width": 4}}


def images(seed: int, channels: int = 3) -> ImageDataset:
    return ImageDataset(np.random.default_rng(seed).integers(0, 256, (24, channels, 16, 16), np.uint8))


def made(preset: str, channels: int = 3, **task: Any) -> tuple[Config, State, Loader]:
    more = {"data": {"source": "digits"}, "batch_size": 4, "task": {**SMALL, **task}}
    cfg = resolve({"preset": preset}, read_preset(preset), more)
    data = cfg.task.dataset(PairDataset(images(0), images(1, channels)))
    loader = Loader(data, 0, CPU, torch.float32)
    return cfg, new_state(cfg.task, cfg, loader.spec, CPU, torch.float32), loader


def context(state: State, loader: Loader, batch: Batch) -> Context:
    return Context(
        state.working(), batch, Tick(0, 0, 0), loader.spec, torch.Generator().manual_seed(0), 0, state.memory
    )


def lsgan(logits: torch.Tensor, target: float) -> torch.Tensor:
    return ((logits - target) ** 2).flatten(1).mean(1) / 2


def test_pix2pix_is_its_equation() -> None:
    cfg, state, loader = made("pix2pix", lambda_features=3.0)
    for net in state.nets.values():
        net.module.eval()  # no dropout
    batch = loader.batch(0, 4)
    ctx, task = context(state, loader, batch), cfg.task
    g, d, x, y = ctx.nets["G"], ctx.nets["D"], batch["source"], batch["real"]
    fake = torch.tanh(g(x))
    on_real, on_fake = d(torch.cat([x, y], 1)), d(torch.cat([x, fake], 1))
    wanted_d = (F.softplus(-on_real) + F.softplus(on_fake)).mean(1) / 2
    losses = {phase.name: phase.loss for phase in task.phases(ctx.nets)}
    torch.testing.assert_close(losses["D"](ctx)[0], wanted_d, rtol=1e-4, atol=1e-5)
    maps: list[list[torch.Tensor]] = [[], []]
    for found, image in zip(maps, (y, fake), strict=True):
        d(torch.cat([x, image], 1), found)
    matching = torch.stack([(a - b).abs().flatten(1).mean(1) for a, b in zip(*maps, strict=True)]).mean(0)
    wanted_g = F.softplus(-on_fake).mean(1) + 100 * (y - fake).abs().flatten(1).mean(1) + 3 * matching
    torch.testing.assert_close(losses["G"](ctx)[0], wanted_g, rtol=1e-4, atol=1e-4)


def test_cyclegan_is_its_equation() -> None:
    cfg, state, loader = made("cyclegan", pool_size=0)
    batch = loader.batch(0, 4)
    ctx = context(state, loader, batch)
    g, f = ctx.nets["G"], ctx.nets["F"]
    x, y = batch["a"], batch["b"]
    to_b, to_a = torch.tanh(g(x)), torch.tanh(f(y))

    def l1(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return (a - b).abs().flatten(1).mean(1)

    losses = {phase.name: phase.loss for phase in cfg.task.phases(ctx.nets)}
    for name, real, fake in (("D_B", y, to_b), ("D_A", x, to_a)):
        d = ctx.nets[name]
        wanted = lsgan(d(real), 1) + lsgan(d(fake), 0)
        torch.testing.assert_close(losses[name](ctx)[0], wanted, rtol=1e-4, atol=1e-5)
    cycles = l1(torch.tanh(f(to_b)), x) + l1(torch.tanh(g(to_a)), y)
    same = l1(torch.tanh(g(y)), y) + l1(torch.tanh(f(x)), x)
    adversarial = 2 * (lsgan(ctx.nets["D_B"](to_b), 1) + lsgan(ctx.nets["D_A"](to_a), 1))
    torch.testing.assert_close(losses["G"](ctx)[0], adversarial + 10 * cycles + 5 * same, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("flip", [False, True])
def test_contrastive_loss_prefers_the_own_place(flip: bool) -> None:
    cfg, state, loader = made("cut", places=1000, flip_equivariance=flip)
    ctx, x = context(state, loader, loader.batch(0, 4)), loader.batch(0, 4)["a"]
    g, heads = ctx.nets["G"], ctx.nets["H"]
    task: Any = cfg.task
    with torch.no_grad():
        features = g.encode(x)  # type: ignore[operator]
        y = torch.rand(x.shape) * 2 - 1
        found = task._nce(ctx, features, y)
        wanted = []
        for i, (k, q) in enumerate(zip(features, g.encode(y), strict=True)):  # type: ignore[operator]
            keys, queries = (F.normalize(heads.heads[i](m.flatten(2).transpose(1, 2)), dim=2) for m in (k, q))  # type: ignore[union-attr,index]
            rows = [
                [-F.log_softmax(queries[n, s] @ keys[n].T / 0.07, 0)[s] for s in range(keys.shape[1])] for n in range(4)
            ]
            wanted.append(torch.stack([torch.stack(row).mean() for row in rows]))
        torch.testing.assert_close(found, torch.stack(wanted).mean(0), rtol=1e-4, atol=1e-4)
        assert bool((task._nce(ctx, features, x) < found).all())
        if flip:  # features of flipped images, flipped back, are those of the images
            torch.testing.assert_close(task._nce(ctx, features, x.flip(3), True).mean(), found.mean(), rtol=2, atol=2)


def test_directions_and_channels() -> None:
    cfg, state, loader = made("pix2pix", channels=1, direction="b-to-a")
    assert loader.batch(0, 4)["source"].shape[1] == 1
    assert list(cfg.task.maps(loader.spec)) == ["b-to-a"]
    ask = FromInput(images=images(3, 1).images[:2])
    samples = cfg.task.generate(state.sampling(), ask, loader.spec)
    assert samples.arrays()["images"].shape == (2, 16, 16, 3)
    with pytest.raises(UsageError, match="not learned the direction a-to-b"):
        cfg.task.generate(state.sampling(), ask.replace(direction="a-to-b"), loader.spec)
    cfg, state, loader = made("cyclegan", channels=1)
    made_back = cfg.task.generate(state.sampling(), ask.replace(direction="BtoA"), loader.spec)
    assert isinstance(made_back, CycleSamples)
    assert made_back.images.shape == (2, 3, 16, 16)
    assert made_back.identities is None
    assert not any(key.startswith("identity") for key in step(cfg.task, state, loader, cfg))


def test_noise_and_no_critic() -> None:
    cfg, state, loader = made("pix2pix", adversarial=0)
    assert set(state.nets) == {"G"}
    assert "l1/G" in step(cfg.task, state, loader, cfg)
    cfg, state, loader = made("pix2pix", z=4, lambda_modes=1.0)
    for _ in range(2):  # the last layer begins at zero
        logs = step(cfg.task, state, loader, cfg)
    assert float(logs["modes/G"]) > 0
    ask = FromInput(images=images(3).images[:2], seeds=(5, 6))
    both = cfg.task.generate(state.sampling(), ask, loader.spec)
    assert isinstance(both, ManySamples)
    assert not np.array_equal(both.images, both.others)
    alone = cfg.task.generate(state.sampling(), ask.rows([1]), loader.spec)
    assert np.array_equal(alone.pack()["images"][0], both.images[1])


def test_hidden_pairs_are_seen_by_scores_only() -> None:
    _, _, loader = made("cut")
    assert isinstance(loader.data, DomainsDataset)
    assert isinstance(loader.data.samples(), PairSamples)
    a, b = (set(loader.orders.indices(f"order/{d}", 24, 0, 4).tolist()) for d in "ab")
    assert a != b


def horses(place: Path) -> None:
    for domain, seed in (("A", 0), ("B", 1)):
        (place / f"horses/train{domain}").mkdir(parents=True)
        for i, image in enumerate(images(seed).images):
            Image.fromarray(image.transpose(1, 2, 0)).save(place / f"horses/train{domain}/{domain}{i}.png")


WORDS = [
    "train", "--data", "horses", "--preset", "cyclegan", "--max-steps", "24", "--batch-size", "4", "--precision", "fp32",
    "--threads", "1", "--save-every", "16", "--set", "task.pool_size=8", "--set", "task.translator.width=4", "--set",
    "task.critic.width=4", "--set", "intervals.log=4", "--set", "data.repeat=1",
]  # fmt: skip


def tensors(run: Run) -> dict[str, torch.Tensor]:
    point = checkpoint.newest(run.checkpoints, print)
    files = [f for f in point.manifest["files"] if f.endswith(".safetensors")]
    return {f"{f} {k}": v for f in files for k, v in decode(point.read(f, 1 << 30), f).items()}


def killed(gan: Gan, name: str) -> int:
    """Train in a process of its own until a checkpoint with a full pool is there; kill -9. The number of its step."""
    child = os.fork()
    if child == 0:
        try:
            gan(*WORDS, "--name", name)
        finally:
            os._exit(0)
    points = Run(Path("runs_dir") / name).checkpoints
    for _ in range(3000):
        found = [p for p in checkpoint.listed(points) if checkpoint.step_of(p) >= 4] if points.is_dir() else []
        if found:
            break
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return checkpoint.step_of(found[0])


def test_a_full_pool_survives_kill_9(gan: Gan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    horses(tmp_path)
    said = gan(*WORDS, "--name", "whole")
    assert said.code == 0, said.err
    assert killed(gan, "parts") < 24
    said = gan("resume", "parts")
    assert said.code == 0, said.err
    wanted, found = (tensors(Run(Path("runs_dir") / name)) for name in ("whole", "parts"))
    assert wanted.keys() == found.keys()
    assert any("B_images" in key for key in wanted)
    assert int(next(v for k, v in wanted.items() if "B_held" in k)) == 8
    assert all(torch.equal(wanted[k], found[k]) for k in wanted)


def curves(preset: str, here: Ranks) -> list[dict[str, float]]:
    cfg, state, loader = made(preset, **({"pool_size": 3} if preset == "cyclegan" else {}))
    here.synchronize(state)
    out = []
    for _ in range(3):
        logs = {k: float(v) for k, v in step(cfg.task, state, loader, cfg, here).items()}
        out.append({**logs, **{k: float(v.double().sum()) for k, v in state.memory.items()}})
    return out


@pytest.mark.parametrize("preset", ["pix2pix", "cyclegan", "fastcut"])
def test_two_ranks_are_one(preset: str, tmp_path: Path) -> None:
    (alone,) = fork_ranks(1, lambda here: curves(preset, here), tmp_path / "one")
    for ranks in fork_ranks(2, lambda here: curves(preset, here), tmp_path / "two"):
        for one, two in zip(alone, ranks, strict=True):
            assert one.keys() == two.keys()
            np.testing.assert_allclose([two[k] for k in one], list(one.values()), rtol=2e-3, atol=2e-3)
