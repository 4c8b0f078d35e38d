"""Restoration: two stages in one run, known pixels, the dial between both ends, tiles, resume across the change of stage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import gancli
from gancli.core.contracts import Tick
from gancli.core.data import Batch
from gancli.core.images import PairSamples
from gancli.core.registry import build
from gancli.core.specs import Degraded, Images
from gancli.data.whole import Picture
from gancli.inference.apply import Applier
from gancli.inference.generator import Model
from gancli.runs import checkpoint, journal
from gancli.runs.folder import Run
from gancli.runs.tensors import decode
from gancli.tasks.restore import FromDegraded, Restore
from tests.conftest import Gan

SMALL = {
    "translator": {"name": "resunet", "width": 4, "blocks": 1},
    "critic": {"name": "patch", "width": 4, "norm": "none"},
}
TINY = [
    "--data", "digits", "--batch-size", "16", "--set", "task.translator.width=4", "--set", "task.translator.blocks=1",
    "--set", "task.critic.width=4", "--images", "160",
]  # fmt: skip


def task_of(chain: str, **more: Any) -> Restore:
    task = build("task", {"name": "restore", "degrade": chain, **SMALL, **more})
    assert isinstance(task, Restore)
    return task.resolved(1000, Images(channels=1, height=8, width=8))


def model_of(chain: str, channels: int = 3, side: int = 16, **more: Any) -> Model:
    """A model with random weights, also in the last layer."""
    task = task_of(chain, **more)
    spec = Degraded(
        image=Images(channels=channels, height=side, width=side),
        scale=task.scale,
        mask=any(p.masks for p in task.degrade),
    )
    torch.manual_seed(0)
    nets = {name: net.eval() for name, net in task.nets(spec).items()}
    for net in nets.values():
        for parameter in net.parameters():
            torch.nn.init.normal_(parameter, 0, 0.1)
    return Model(task, nets, spec, Tick(0, 0, 0), {})


def images(n: int, channels: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, channels, height, width), np.uint8)


@pytest.mark.parametrize("realism", [0.0, 0.4, 1.0])
def test_known_pixels_are_returned_as_they_are(realism: float) -> None:
    model, x = model_of("hole:brush"), images(4, 3, 16, 16)
    masks = np.where(images(4, 1, 16, 16, 1) < 80, 255, 0).astype(np.uint8)
    made = model.generate(FromDegraded(images=x, masks=masks, realism=realism))
    assert isinstance(made, PairSamples)
    known = np.broadcast_to(masks == 0, x.shape)
    assert np.array_equal(made.images[known], x[known])
    assert not np.array_equal(made.images[~known], x[~known])
    other = np.where(known, x, 77).astype(np.uint8)  # what is in the hole does not matter
    again = model.generate(FromDegraded(images=other, masks=masks, realism=realism))
    assert np.array_equal(again.images, made.images)  # type: ignore[attr-defined]


def test_noise_beside_holes_is_removed_everywhere() -> None:
    model, x = model_of("gauss:25+hole:brush"), images(1, 3, 16, 16)
    made = model.generate(FromDegraded(images=x, masks=np.zeros((1, 1, 16, 16), np.uint8)))
    assert not np.array_equal(made.images, x)  # type: ignore[attr-defined]


def test_the_dial_goes_from_one_end_to_the_other() -> None:
    model = model_of("gauss:25")
    x = torch.rand(2, 3, 16, 16) - 0.5
    ask = {r: FromDegraded(images=images(2, 3, 16, 16), realism=r) for r in (0, 0.5, 1)}
    made = {r: model.task.apply(model.nets, Batch({"source": x}), a, model.spec) for r, a in ask.items()}  # type: ignore[arg-type]
    for end, net in ((0, "G"), (1, "R")):
        assert torch.allclose(made[end], (x + model.nets[net](x)).clamp(-1, 1), atol=1e-6)
    assert not torch.allclose(made[0], made[1], atol=1e-3)
    assert not torch.allclose(made[0.5], made[0], atol=1e-3)


@pytest.mark.parametrize("chain", ["gauss:25", "hole:half", "down:2", "down:4"])
def test_tiles_give_the_whole(chain: str) -> None:
    model = model_of(chain)
    picture = Picture(images(1, 3, 70, 90)[0])
    mask = images(1, 1, 70, 90, 1)[0, 0] < 100 if chain.startswith("hole") else None
    whole, tiled = (Applier(model, tile=side)(picture, mask=mask) for side in (None, 32))
    scale = 2 if chain == "down:2" else 4 if chain == "down:4" else 1
    assert whole.pixels.shape == (3, 70 * scale, 90 * scale)
    assert np.abs(whole.pixels.astype(int) - tiled.pixels).max() <= 1  # rounding
    assert (whole.pixels == tiled.pixels).mean() > 0.999
    if mask is not None:
        assert np.array_equal(tiled.pixels[:, ~mask], picture.pixels[:, ~mask])


def tensors(run: Path, step: int | None = None) -> dict[str, torch.Tensor]:
    points = Run(run).checkpoints
    point = checkpoint.newest(points, print)
    files = [f for f in point.manifest["files"] if f.endswith(".safetensors")]
    return {f"{f} {k}": v for f in files for k, v in decode(point.read(f, 1 << 30), f).items()}


def test_resumes_bitwise_across_the_change_of_stage(gan: Gan, tmp_path: Path) -> None:
    """The realistic net is the faithful one until its stage begins."""
    words = ["--preset", "inpaint", *TINY, "--set", "task.realistic=0.5", "--set", "ema.half_life=0"]
    for name, steps in (("whole", 10), ("parts", 4)):
        said = gan("train", "--name", name, *words, "--max-steps", str(steps))
        assert said.code == 0, said.err
    model = gancli.load(tmp_path / "runs_dir/parts")
    both = [dict(model.nets[name].named_parameters()) for name in ("G", "R")]
    assert all(torch.equal(v, both[1][k]) for k, v in both[0].items())
    for steps in (7, 10):
        said = gan("resume", "parts", "--max-steps", str(steps))
        assert said.code == 0, said.err
    wanted, found = (tensors(tmp_path / "runs_dir" / name) for name in ("whole", "parts"))
    assert wanted.keys() == found.keys()
    assert all(torch.equal(v, found[k]) for k, v in wanted.items())
    line = journal.read(Run(tmp_path / "runs_dir/whole").journal)[-1]
    assert {"l1/R", "adversarial/R", "features/R", "logit/D/real"} <= line.keys()
    model = gancli.load(tmp_path / "runs_dir/whole")
    both = [dict(model.nets[name].named_parameters()) for name in ("G", "R")]
    assert not any(torch.equal(v, both[1][k]) for k, v in both[0].items() if v.ndim > 1)


def test_trains_the_faithful_net_alone(gan: Gan, tmp_path: Path) -> None:
    """The preset's optimizers of R and D do not stand in the way; another name is still refused."""
    words = ["--preset", "denoise", *TINY, "--max-steps", "2", "--set", "task.realistic=0"]
    said = gan("train", "--name", "alone", *words)
    assert said.code == 0, said.err
    assert list(gancli.load(tmp_path / "runs_dir/alone").nets) == ["G"]
    said = gan("train", *words, "--set", "optimizers.E.lr=1")
    assert said.code == 2
    assert "there is no net 'E'" in said.err


def test_perceptual_distance_is_one_of_the_terms(gan: Gan, tmp_path: Path) -> None:
    words = ["--preset", "denoise", *TINY, "--max-steps", "2", "--set", "task.stage=0"]
    for name, weight in (("without", 0), ("with", 1)):
        said = gan("train", "--name", name, *words, "--set", f"task.lambda_perceptual={weight}")
        assert said.code == 0, said.err
    lines = [journal.read(Run(tmp_path / "runs_dir" / name).journal)[-1] for name in ("without", "with")]
    assert "perceptual/R" not in lines[0]
    assert 0 < lines[1]["perceptual/R"] < 4
    assert lines[1]["loss/R"] > lines[0]["loss/R"]
    assert "loss/G" not in lines[0]  # stage 1 has no images
    nets = [dict(net.named_parameters()) for net in gancli.load(tmp_path / "runs_dir/with").nets.values()]
    assert any(not torch.equal(v, nets[1][k]) for k, v in nets[0].items())


def test_is_trained_by_its_degradation_and_scored_with_baselines(gan: Gan, tmp_path: Path) -> None:
    said = gan("train", "--name", "d", "--degrade", "gauss:60+jpeg:50", *TINY, "--evaluate-every", "80")
    assert said.code == 0, said.err
    run = Run(tmp_path / "runs_dir/d")
    assert run.config().preset == "restore"
    assert all("psnr@pixels" in line for line in journal.read(run.scores))
    said = gan("evaluate", "d", "-n", "40", "--metrics", "psnr,l1")
    assert said.code == 0, said.err
    assert "this model" in said.out
    assert "Gain: psnr" in said.out
    psnr = json.loads((run.path / "evaluation.json").read_text())["scores"]["psnr@pixels"]
    assert {"identity", "median", "dct"} <= psnr["baselines"].keys()
    assert psnr["gain"] == pytest.approx(psnr["value"] - psnr["baselines"][psnr["best_baseline"]])


def test_several_fillings_depend_on_their_seeds() -> None:
    model = model_of("hole:center", z=3)
    x, masks = images(1, 3, 16, 16).repeat(2, 0), np.full((2, 1, 16, 16), 255, np.uint8)
    made = {
        r: model.generate(FromDegraded(images=x, masks=masks, seeds=(0, 1), realism=r)).images  # type: ignore[attr-defined]
        for r in (0.0, 1.0)
    }
    assert np.array_equal(made[0.0][0], made[0.0][1])  # the faithful one is the same
    assert not np.array_equal(made[1.0][0], made[1.0][1])


def test_a_run_is_evaluated_on_other_degradations(gan: Gan) -> None:
    said = gan("train", "--name", "d", "--degrade", "gauss:60", *TINY, "--max-steps", "2")
    assert said.code == 0, said.err
    found = {}
    for chain, realism in (("gauss:60", "0"), ("gauss:5", "0"), ("gauss:5", "1")):
        words = ["--degrade", chain, "--realism", realism, "--metrics", "psnr", "--n", "30", "--json"]
        said = gan("evaluate", "d", *words)
        assert said.code == 0, said.err
        score = said.json()["scores"]["psnr@pixels"]
        found[chain, realism] = score["value"], score["baselines"]["identity"]
    assert found["gauss:60", "0"][1] < 20 < 30 < found["gauss:5", "0"][1]
    assert said.json()["protocol"]["fakes"]["realism"] == 1
    for chain, why in (("down:2", "enlarges 1 times"), ("hole:half", "has no masks"), ("gaus:5", "did you mean gauss")):
        said = gan("evaluate", "d", "--degrade", chain, "--n", "30")
        assert (said.code, why in said.err) == (2, True), said.err


def test_baselines_and_outputs_of_others_are_evaluated(gan: Gan, tmp_path: Path) -> None:
    words = ["--against", "digits", "--degrade", "gauss:60", "--metrics", "psnr", "--json"]
    said = gan("evaluate", "--baseline", "median", *words)
    assert said.code == 0, said.err
    score = said.json()["scores"]["psnr@pixels"]
    assert score["value"] == pytest.approx(score["baselines"]["median"])
    assert said.json()["protocol"]["fakes"]["baseline"] == {"name": "median", "strength": 3}
    outputs = images(score_count(said.json()), 1, 8, 8)
    np.savez(tmp_path / "outputs.npz", images=outputs.transpose(0, 2, 3, 1))
    said = gan("evaluate", "--images", tmp_path / "outputs.npz", *words)
    assert said.code == 0, said.err
    assert said.json()["scores"]["psnr@pixels"]["value"] < score["baselines"]["identity"]
    np.savez(tmp_path / "few.npz", images=outputs[:9].transpose(0, 2, 3, 1))
    for more, why in (
        (["--images", tmp_path / "few.npz"], "has 9 images, and the test set"), (["--baseline", "lanczos"], "does not apply"),
    ):  # fmt: skip
        said = gan("evaluate", *more, *words)
        assert (said.code, why in said.err) == (2, True), said.err


def score_count(evaluation: dict[str, Any]) -> int:
    return int(evaluation["protocol"]["n_real"])


@pytest.mark.parametrize(
    "layout", ["clean/{} degraded/{}", "gt/{} lq/{}", "train/gt/{} train/lq/{}", "HQ/train/{} LQ/train/{}"]
)
def test_folders_of_degraded_images_and_originals(layout: str, gan: Gan, tmp_path: Path) -> None:
    from PIL import Image

    for i, image in enumerate(images(40, 1, 12, 12)):
        for place, x in zip(layout.split(), (image, 255 - image), strict=True):
            file = tmp_path / "data" / place.format(f"{i}.png")
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(x[0]).save(file)
    Image.fromarray(image[0]).save(file.with_name("alone.png"))
    said = gan(
        "train", "--name", "p", *["--data", str(tmp_path / "data"), *TINY[2:]], "--max-steps", "1", "--batch-size", "4"
    )
    assert said.code == 0, said.err
    assert "1 pictures of A have no partner" in said.err
    model = gancli.load(tmp_path / "runs_dir/p")
    assert model.spec == Degraded(image=Images(channels=1, height=12, width=12))
    said = gan("evaluate", "p", "--n", "2", "--metrics", "psnr", "--json")
    assert said.code == 0, said.err
