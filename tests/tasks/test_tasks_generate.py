"""The generate task: phases, packing, what reaches D, sampling by seed."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import gancli
from gancli.core.config import presets, resolve
from gancli.core.contracts import Nets, Tick
from gancli.core.data import Batch
from gancli.core.errors import UsageError
from gancli.core.registry import kinds, parts
from gancli.core.samples import FromSeeds
from gancli.core.specs import Images
from gancli.core.task import Context
from gancli.data.images import ImageDataset
from gancli.data.loader import Loader
from gancli.tasks.generate import Generate
from gancli.training.state import State, new_state
from gancli.training.step import step

CPU = torch.device("cpu")
DCGAN = {"name": "dcgan", "z": 8, "g_width": 4, "d_width": 4, "widest": 8}
RESNET = {"name": "resnet", "z": 8, "g_width": 4, "d_width": 4, "widest": 8}
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
    counted = {"images", "real"}  # kinds of data and of sets, and keys of lines and of batches: `line["images"] < n`
    names = ({name for kind in kinds() for name in parts(kind)} | set(presets())) - counted
    for file in (Path(gancli.__file__).parent / folder).glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Compare):
                constants = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant)]
                assert not names.intersection(c for c in constants if isinstance(c, str)), f"{file}:{node.lineno}"
