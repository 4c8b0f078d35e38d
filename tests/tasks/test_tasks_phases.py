"""Phases and parts of the generate task: turns of G, batches of its own, penalties of G, parts of BigGAN, ADA's view of D."""

from __future__ import annotations

from typing import cast

import pytest
import torch

from gancli.core.config import resolve
from gancli.core.contracts import Critic
from gancli.core.errors import UsageError
from gancli.core.registry import build
from gancli.core.specs import Images
from gancli.core.task import Context
from gancli.data.loader import Loader
from gancli.models.norms import ConditionalBatchNorm
from gancli.models.resnet import ResNet
from gancli.tasks.generate import Generate
from gancli.training.state import new_state
from gancli.training.step import step
from tests.tasks.test_tasks_generate import CPU, DCGAN, MODELS, RESNET, STYLE, arrays, sampled, trained

SMALL = Images(channels=1, height=16, width=16)


def test_several_turns_of_g_use_the_same_latent_vectors() -> None:
    seen: list[torch.Tensor] = []

    class Seen(Generate):
        def _generated(self, ctx: Context, z: torch.Tensor) -> torch.Tensor:
            seen.append(z)
            return super()._generated(ctx, z)

    cfg = resolve({"data": {"source": "digits"}, "batch_size": 8})
    task = Seen(model=DCGAN, g_steps=2, latent="uniform")  # type: ignore[arg-type]
    loader = Loader(arrays(), 0, CPU, torch.float32)
    state = new_state(task, cfg, loader.spec, CPU, torch.float32)
    before = state.nets["G"].flat.clone()
    step(task, state, loader, cfg)
    assert float(state.nets["G"].steps) == 2
    assert len(seen) == 2  # the first turn continues from D's fakes
    torch.testing.assert_close(seen[0], seen[1], rtol=0, atol=0)
    assert seen[0].abs().max() <= 1
    assert float(seen[0].std()) == pytest.approx(3**-0.5, rel=0.1)
    assert not torch.equal(before, state.nets["G"].flat)
    assert state.images == 8
    assert task.latents(range(500)).abs().max() <= 1


def test_fresh_reals_for_g() -> None:
    seen: list[torch.Tensor] = []

    class Seen(Generate):
        def _critic(self, ctx: Context, features: list[torch.Tensor] | None = None) -> Critic:
            seen.append(ctx.batch["real"])
            return super()._critic(ctx, features)

    for fresh in (False, True):
        seen.clear()
        cfg = resolve({"data": {"source": "digits", "fresh_real": fresh}, "batch_size": 8})
        task = Seen(model=MODELS["mlp"], loss="rpgan", penalties=({"name": "r1", "every": 1},))  # type: ignore[arg-type]
        loader = Loader(arrays(), 0, CPU, torch.float32)
        state = new_state(task, cfg, loader.spec, CPU, torch.float32)
        step(task, state, loader, cfg)
        assert torch.equal(seen[0], seen[1]) != fresh
        assert state.images == (16 if fresh else 8)


def test_path_length_of_g_is_a_lazy_phase_with_its_own_corrected_optimizer() -> None:
    path = {"name": "path-length", "every": 2, "lazy_correction": True}
    _, state, logs = trained(
        {"model": STYLE, "penalties": [path]}, steps=2, optimizer={"lr": 3e-3, "betas": [0.0, 0.99]}
    )
    assert [phase.name for phase in state.phases] == ["D", "G", "G/path-length"]
    assert "penalty/G/path-length" in logs[0]
    assert "penalty/G/path-length" not in logs[1]
    assert (float(state.nets["G"].steps), float(state.nets["D"].steps)) == (3, 2)
    assert state.nets["G"].rule.lr == pytest.approx(2e-3)
    assert state.nets["D"].rule.lr == pytest.approx(3e-3)
    assert float(state.memory["path-length_mean"]) > 0
    _, _, logs = trained({"model": STYLE, "penalties": [{"name": "path-length", "every": 1}]}, steps=1)
    assert logs[0]["penalty/G/path-length"] > 0
    with pytest.raises(UsageError, match="needs a generator with styles"):
        trained({"model": DCGAN, "penalties": ["path-length"]})


def test_parts_of_biggan_together() -> None:
    """A shared embedding, hierarchical z, orthogonal weights and penalty."""
    model = {**RESNET, "z": 11, "hierarchical": True, "init": "orthogonal", "spectral": "both"}
    task, state, logs = trained(
        {"model": model, "loss": "hinge", "penalties": ["orthogonal"], "condition": {"name": "projection", "shared": 5}}
    )
    assert logs[-1]["penalty/G/orthogonal"] >= 0
    g = state.nets["G"].module
    assert g.embedding.weight.shape == (5, 4)  # type: ignore[union-attr, operator]
    net = g.net
    assert [m.affine.in_features for m in net.modules() if isinstance(m, ConditionalBatchNorm)] == [5 + 3] * 4 + [5]
    assert net.base.net[0].in_features == 11 - 2 * 3  # type: ignore[union-attr, index, operator]
    assert state.nets["D"].module.embedding is None
    images = sampled(task, state, state.sampling(), [1] * 3, labels=(0, 1, 2))
    assert not torch.equal(images[0], images[1])
    with pytest.raises(UsageError, match="enters batch norms"):
        trained({"model": {**model, "g_norm": "batch"}})


def test_each_block_has_its_own_part_of_z() -> None:
    net = cast(ResNet, build("model", {**RESNET, "z": 9, "hierarchical": True})).generator(SMALL, 0).eval()
    for module in net.modules():
        if isinstance(module, ConditionalBatchNorm):
            torch.nn.init.normal_(module.affine.weight)
    z = torch.randn(1, 9, requires_grad=True)
    seen: list[torch.Tensor] = []
    net.blocks[0].register_forward_hook(lambda _m, _x, y: seen.append(y))  # type: ignore[union-attr, operator]
    net(z)
    (gradient,) = torch.autograd.grad(seen[0].sum(), z)
    assert (gradient[0, :6] != 0).all()  # the first part, and that of the first block
    assert (gradient[0, 6:] == 0).all()


@pytest.mark.parametrize("loss", ["rpgan", "nonsaturating"])
def test_ada_under_a_relativistic_loss_does_not_see_the_offset_of_d(loss: str) -> None:
    ends = []
    for offset in (-5.0, 0.0, 5.0):
        cfg = resolve({"data": {"source": "digits"}, "batch_size": 8, "optimizer": {"lr": 1e-5}})
        task = Generate(model=DCGAN, loss=loss, augment=({"name": "ada", "speed": 100, "target": 0.0, "start": 0.5},))  # type: ignore[arg-type]
        loader = Loader(arrays(), 0, CPU, torch.float32)
        state = new_state(task, cfg, loader.spec, CPU, torch.float32)
        with torch.no_grad():
            state.nets["D"].module.head.linear.bias += offset  # type: ignore[union-attr, operator]
        for _ in range(4):
            step(task, state, loader, cfg)
        ends.append(float(state.memory["ada_p"]))
    assert (len(set(ends)) == 1) == (loss == "rpgan"), ends
