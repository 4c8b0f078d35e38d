"""The generate task: phases, packing, what reaches D, sampling by seed."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

import gancli
from gancli.core.config import presets, resolve
from gancli.core.contracts import Critic, Nets, Tick
from gancli.core.data import Batch
from gancli.core.errors import UsageError
from gancli.core.registry import build, kinds, parts
from gancli.core.samples import FromSeeds
from gancli.core.specs import Images
from gancli.core.task import Context
from gancli.data.images import ImageDataset
from gancli.data.loader import Loader
from gancli.models.norms import ConditionalBatchNorm
from gancli.models.resnet import ResNet
from gancli.tasks.generate import Generate
from gancli.training.state import State, new_state
from gancli.training.step import step

CPU = torch.device("cpu")
DCGAN = {"name": "dcgan", "z": 8, "g_width": 4, "d_width": 4, "widest": 8}
RESNET = {"name": "resnet", "z": 8, "g_width": 4, "d_width": 4, "widest": 8}
SMALL = Images(channels=1, height=16, width=16)
STYLE = {"name": "style", "z": 8, "w": 8, "width": 4, "widest": 8, "mapping": 2}
MODELS = {
    "mlp": {"name": "mlp", "z": 8, "g_widths": [16], "d_widths": [16]},
    "dcgan": DCGAN,
    "resnet": RESNET,
    "r3": {"name": "r3", "z": 8, "g_width": 4, "d_width": 4, "widest": 8, "blocks": 1, "group": 4},
    "style": STYLE,
    "progressive": {"name": "progressive", "z": 8, "width": 4, "widest": 8, "hold": 8, "fade": 8},
    "msg": {"name": "msg", "z": 8, "width": 4, "widest": 8},
}


def arrays(channels: int = 1, side: int = 16) -> ImageDataset:
    r = np.random.default_rng(0)
    images = r.integers(0, 256, (40, channels, side, side), dtype=np.uint8)
    attributes = r.standard_normal((40, 2)).astype(np.float32)
    return ImageDataset(images, r.integers(0, 4, 40), attributes, tuple("abcd"), ("thick", "slant"))


def trained(task: dict[str, Any], steps: int = 2, **rest: Any) -> tuple[Generate, State, list[dict[str, float]]]:
    cfg = resolve({"data": {"source": "digits"}, "batch_size": 8, "task": {"name": "generate", **task}, **rest})
    loader = Loader(arrays(), 0, CPU, torch.float32)
    state = new_state(cfg.task, cfg, loader.spec, CPU, torch.float32)
    logs = [step(cfg.task, state, loader, cfg) for _ in range(steps)]
    assert isinstance(cfg.task, Generate)
    return cfg.task, state, [{k: float(v) for k, v in line.items()} for line in logs]


def sampled(task: Generate, state: State, nets: Nets, seeds: list[int], **more: Any) -> torch.Tensor:
    """Images [N, C, H, W] in [-1, 1]."""
    assert isinstance(state.spec, Images)
    return task.images(nets, FromSeeds(seeds=tuple(seeds), **more), state.spec)


@pytest.mark.parametrize("condition", ["none", "concat", "embedding", "projection", "acgan", "attributes", "infogan"])
@pytest.mark.parametrize("model", MODELS)
def test_an_image_is_its_seed_s_whatever_stands_beside_it(model: str, condition: str) -> None:
    task, state, _ = trained({"model": MODELS[model], "condition": condition}, steps=1)
    for module in state.nets["G"].module.modules():
        if hasattr(module, "strength"):
            module.strength.data.fill_(1.0)
    for ema in (True, False):
        nets = state.sampling(ema)
        many = sampled(task, state, nets, [3, 4, 5])
        assert many.shape == (3, 1, 16, 16)
        assert many.abs().max() <= 1
        torch.testing.assert_close(sampled(task, state, nets, [4])[0], many[1], rtol=1e-4, atol=1e-5)
        assert not torch.equal(many[0], many[1])
    assert state.nets["G"].module.training


@pytest.mark.parametrize("condition", ["concat", "embedding", "projection", "acgan"])
def test_labels_change_the_image_and_are_drawn_from_the_seed(condition: str) -> None:
    task, state, _ = trained({"model": MODELS["mlp"], "condition": condition})
    nets = state.sampling()
    images = sampled(task, state, nets, [1] * 4, labels=(0, 1, 2, 3))
    assert all(not torch.equal(images[0], images[i]) for i in (1, 2, 3))
    drawn = sampled(task, state, nets, [1])[0]
    assert any(torch.allclose(drawn, image, atol=1e-5) for image in images)


def test_attributes_change_the_image() -> None:
    task, state, _ = trained({"model": MODELS["mlp"], "condition": "attributes"})
    asked = np.array([[0.0, 0.0], [0.0, 3.0]])
    images = sampled(task, state, state.sampling(), [1, 1], attributes=asked)
    assert not torch.equal(images[0], images[1])


def test_codes_of_infogan_are_not_the_data_s_labels() -> None:
    task, state, logs = trained({"model": DCGAN, "condition": {"name": "infogan", "classes": 3, "continuous": 1}})
    assert logs[0]["auxiliary/G"] > 0
    images = sampled(task, state, state.sampling(), [1, 1], labels=(0, 2), attributes=np.zeros((2, 1)))
    assert not torch.equal(images[0], images[1])


def test_decode_is_differentiable_in_z_and_truncation_draws_in() -> None:
    task, state, _ = trained({"model": DCGAN})
    z = task.latents([1, 2]).requires_grad_()
    images = task.decode(state.sampling(), z, None, state.spec)
    (gradient,) = torch.autograd.grad(images.sum(), z)
    assert gradient.abs().max() > 0
    near = sampled(task, state, state.sampling(), [1, 2], truncation=0.0)
    torch.testing.assert_close(near[0], near[1])


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


def test_packing_shows_d_several_images_at_once() -> None:
    task, state, logs = trained({"model": DCGAN, "pack": 2})
    first = next(m for m in state.nets["D"].module.modules() if isinstance(m, torch.nn.Conv2d))
    assert first.in_channels == 2
    assert np.isfinite(logs[-1]["loss/D"])
    x = torch.rand(5, 1, 16, 16)
    packs = task._packed(x)
    assert packs.shape == (2, 2, 16, 16)
    torch.testing.assert_close(packs[1, 0], x[2, 0])


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"pack": 2, "condition": "concat"}, "packing"),
        ({"pack": 2, "model": MODELS["msg"]}, "packing"),
        ({"augment": ["diffaugment"], "model": MODELS["msg"]}, "'diffaugment' cannot transform"),
        ({"penalties": ["r1", "bcr"], "model": MODELS["msg"]}, "'bcr' cannot transform"),
    ],
)
def test_parts_that_do_not_go_together(options: dict[str, Any], what: str) -> None:
    with pytest.raises(UsageError, match=what):
        trained(options)


def test_a_pack_larger_than_the_batch() -> None:
    with pytest.raises(UsageError, match="smaller than a pack of 9"):
        trained({"model": DCGAN, "pack": 9})


def test_phases_of_lazy_penalties_and_several_turns() -> None:
    penalties = [{"name": "r1", "every": 4}, {"name": "gp"}]
    _, state, logs = trained({"model": MODELS["mlp"], "penalties": penalties, "n_critic": 3}, steps=2)
    assert [p.name for p in state.phases] == ["D", "D/r1", "G"]
    assert state.phases[0].repeat == 3
    assert [state.phases[1].when(Tick(0, s, 0)) for s in range(5)] == [True, False, False, False, True]
    assert "penalty/D/r1" in logs[0]
    assert "penalty/D/r1" not in logs[1]
    assert {"penalty/D/gp", "logit/D/real", "logit/D/fake"} <= logs[1].keys()
    assert state.images == 2 * 3 * 8


def test_clipping_cuts_every_weight_of_d() -> None:
    _, state, _ = trained({"model": MODELS["mlp"], "loss": "wasserstein", "clip": 0.01})
    assert max(float(p.detach().abs().max()) for p in state.nets["D"].module.parameters()) <= 0.01


def test_memory_is_that_of_the_parts() -> None:
    task, state, _ = trained({"model": DCGAN, "penalties": ["lecam"], "augment": ["ada"]})
    assert state.memory.keys() == {"lecam_real", "lecam_fake", "ada_p", "ada_r"}
    assert task.memory(state.spec)["ada_p"] == 0


@pytest.mark.parametrize("penalty", ["lecam", "cr", "bcr", "zcr", "drift", "dragan", "zero-gp", "r2"])
@pytest.mark.parametrize("every", [1, 2])
def test_penalties_in_a_run(penalty: str, every: int) -> None:
    _, _, logs = trained({"model": STYLE, "penalties": [{"name": penalty, "every": every}], "condition": "projection"})
    assert all(np.isfinite(v) for line in logs for v in line.values())
    assert f"penalty/D/{penalty}" in logs[0]


@pytest.mark.parametrize("model", ["msg", "progressive"])
def test_points_nearby_are_seen_as_the_fakes_are(model: str) -> None:
    """When the monitor looks, G is in evaluation and makes whole images."""
    task, state, _ = trained({"model": MODELS[model], "penalties": ["zcr"]})
    nets = {name: net.working.eval() for name, net in state.nets.items()}
    x = torch.rand(4, 1, 16, 16)
    task.prepare(nets, state.spec, state.tick(0))
    batch = task.view(nets, Batch({"real": x}))
    ctx = Context(nets, batch, state.tick(0), state.spec, torch.Generator(), 0, state.memory, total=4)
    inputs = task._inputs(ctx, task._fake(ctx))
    assert inputs.perturbed is not None
    assert inputs.perturbed(0.1).shape == inputs.fake.shape == inputs.real.shape


@pytest.mark.parametrize("condition", ["none", "projection", "attributes"])
@pytest.mark.parametrize("nets", ["G", "D", "both"])
def test_spectral_nets_begin_finite_under_any_condition(nets: str, condition: str) -> None:
    _, _, logs = trained({"model": RESNET | {"spectral": nets}, "condition": condition}, 1)
    assert all(np.isfinite(v) for v in logs[0].values())


@pytest.mark.parametrize("augment", ["diffaugment", "ada"])
def test_augmented_runs_with_a_penalty_and_packs(augment: str) -> None:
    options = {"name": augment, "start": 0.8} if augment == "ada" else augment
    _, _, logs = trained(
        {"model": DCGAN | {"d_norm": "none"}, "pack": 2, "augment": [options], "penalties": ["r1", "r2"]}
    )
    assert all(np.isfinite(v) for line in logs for v in line.values())


def test_micro_batches_give_the_same_first_step() -> None:
    model = RESNET | {"g_norm": "layer"}
    whole, split = (
        trained({"model": model, "penalties": ["r1", "r2"], "loss": "rpgan"}, 1, runtime={"micro_batch": m})[2][0]
        for m in (None, 4)
    )
    for key in ("loss/D", "grad/D"):
        assert split[key] == pytest.approx(whole[key], rel=1e-4)


def test_the_mean_style_counts_a_batch_once() -> None:
    means = [
        trained({"model": STYLE}, 1, runtime={"micro_batch": m})[1].nets["G"].module.get_buffer("mapping.mean")
        for m in (None, 2)
    ]
    assert float(means[0].norm()) > 0
    torch.testing.assert_close(*means)


def test_labels_reach_g_through_its_batch_norms() -> None:
    nets = Generate(model=RESNET, condition="projection").nets(Images(channels=1, height=16, width=16, classes=4))  # type: ignore[arg-type]
    names = [n for n, _ in nets["G"].named_parameters()]
    assert any("affine" in n for n in names)
    assert any("head.table" in n for n in [n for n, _ in nets["D"].named_parameters()])


@pytest.mark.parametrize("folder", ["tasks", "training", "runs", "losses", "penalties", "distributed"])
def test_nothing_asks_for_a_variant_by_its_name(folder: str) -> None:
    counted = {"images"}  # a kind of data, and what is counted: `line["images"] < n`
    names = ({name for kind in kinds() for name in parts(kind)} | set(presets())) - counted
    for file in (Path(gancli.__file__).parent / folder).glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Compare):
                constants = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant)]
                assert not names.intersection(c for c in constants if isinstance(c, str)), f"{file}:{node.lineno}"
