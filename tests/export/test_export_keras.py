"""`gan export --to keras`: every family of nets equals torch, and the folder works without gancli, on every backend installed."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gancli.core.config import read_preset, resolve
from gancli.core.contracts import Tick
from gancli.core.errors import UsageError
from gancli.core.images import to_uint8
from gancli.core.specs import Degraded, Domains, Images, Pairs
from gancli.export.contracts import Source
from gancli.export.writing import export, format_of
from gancli.inference.generator import Model
from tests.conftest import Gan

if importlib.util.find_spec("keras") is None:  # not imported here: without KERAS_BACKEND it looks for TensorFlow
    pytest.skip("keras is not installed", allow_module_level=True)

SMALL = {"z": 20, "widest": 8}
GRAY = Images(channels=1, height=28, width=28, classes=3, attributes=2)
RGB = Images(channels=3, height=16, width=24, classes=3)
CASES: dict[str, tuple[str, Any, dict[str, Any]]] = {  # preset, data, options of the task
    "mlp": ("textbook", GRAY, {"model": {"g_widths": [8, 12]}, "condition": "attributes"}),
    "dcgan": ("cgan", GRAY, {"model": {"g_width": 4}, "condition": "embedding"}),
    "dcgan-smooth": ("dcgan", RGB, {"model": {"g_width": 4, "up": "smooth", "g_norm": "group", "spectral": "both"}}),
    "dcgan-infogan": ("infogan", Images(channels=1, height=9, width=17), {"model": {"g_width": 4}}),
    "resnet": ("sagan", GRAY, {"model": {**SMALL, "g_width": 4, "z": 21, "hierarchical": True}}),
    "style": ("stylegan2", GRAY, {"model": {**SMALL, "w": 8, "width": 4}, "condition": "projection"}),
    "r3": ("r3gan", GRAY, {"model": {**SMALL, "g_width": 4, "group": 4, "stem": False}}),
    "r3-stem": ("r3gan", RGB, {"model": {**SMALL, "g_width": 4, "group": 4, "stem": True, "smooth": False}}),
    "progressive": ("progressive", GRAY, {"model": {**SMALL, "width": 4, "hold": 100, "fade": 100}}),
    "msg": ("msg", RGB, {"model": {**SMALL, "width": 4}}),
    "fastgan": ("fastgan", Images(channels=3, height=33, width=32),
                {"model": {**SMALL, "g_width": 4, "full_size": 0}, "condition": "none"}),
    "fastgan-full": ("fastgan", Images(channels=3, height=33, width=32),
                     {"model": {**SMALL, "g_width": 4, "full_size": 3}, "condition": "none"}),
    "unet": ("pix2pix", Pairs(source=RGB, target=RGB), {"translator": {"width": 4}, "z": 2}),
    "resnet-translator": ("cyclegan", Domains(a=RGB, b=GRAY.replace(height=16, width=24)),
                          {"translator": {"width": 4, "blocks": 2, "norm": "batch"}}),
    "resunet": ("upscale", Degraded(image=RGB, scale=2), {"translator": {"width": 4, "blocks": 1}}),
    "resunet-mask": ("inpaint", Degraded(image=GRAY, mask=True), {"translator": {"width": 4, "blocks": 1}}),
}  # fmt: skip
STEP = Tick(0, 10, 150)  # of progressive growing: a scale is half faded in


@dataclass(frozen=True)
class Random(Source):
    """A model with random weights, moved from where they start: no strength, gain or statistic is zero or one."""

    case: str = field(default="mlp")

    @cached_property
    def model(self) -> Model:
        preset, spec, options = CASES[self.case]
        task = resolve({"preset": preset}, read_preset(preset), {"task": options, "data": {"source": "digits"}}).task
        task = task.resolved(1000, spec)
        torch.manual_seed(0)
        nets = task.nets(spec)
        for net in nets.values():
            for parameter in net.parameters():
                by = 0.1 * parameter.detach().std(correction=0) + 0.02
                parameter.detach().add_(by * torch.randn_like(parameter))
            for buffer in net.buffers():
                if buffer.is_floating_point():
                    buffer.add_(0.1 * torch.rand_like(buffer))
            net.eval().requires_grad_(False)
        task.prepare(nets, spec, STEP)
        return Model(task, nets, spec, STEP, {"preset": preset})


@pytest.mark.parametrize("case", CASES)
def test_every_family_equals_torch(case: str, tmp_path: Path) -> None:
    direction = "b-to-a" if case == "resnet-translator" else ""
    source = Random(tmp_path, direction=direction, case=case)
    parity = export(format_of("keras"), source, tmp_path / "out")
    assert parity is not None
    assert parity.rows == (1, 2, 7)
    assert parity.largest < 2e-5
    names = {p.name for p in (tmp_path / "out").iterdir()}
    assert names == {"README.md", "config.json", "generator", "generator.keras", "model.safetensors"}


ALONE = """
import sys, json
import numpy as np, keras
assert keras.backend.backend() == sys.argv[1], keras.backend.backend()
import generator
given = generator.inputs(".", [7, 2**62])
models = keras.saving.load_model("generator.keras", safe_mode=True), generator.build(".")
images = [keras.ops.convert_to_numpy(keras.ops.stop_gradient(m(given, training=False))) for m in models]
assert not any(name.startswith("gancli") for name in sys.modules)
assert sys.argv[1] == "torch" or "torch" not in sys.modules
np.savez("found.npz", *images)
"""


def on(backend: str, folder: Path) -> list[np.ndarray]:
    """The pictures of two seeds, from the folder alone, as uint8 [2, C, H, W]; of the file and of the code."""
    environment = {
        **os.environ,
        "KERAS_BACKEND": backend,
        "KERAS_HOME": str(folder / ".keras"),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    environment.pop("PYTHONPATH", None)
    command = [sys.executable, "-c", ALONE, backend]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = np.load(folder / "found.npz")
    return [to_uint8(torch.from_numpy(found[name].transpose(0, 3, 1, 2).copy())) for name in found.files]


@pytest.mark.parametrize("backend", ["torch", "jax", "tensorflow"])
def test_the_picture_of_a_seed_without_gancli(gan: Gan, tmp_path: Path, backend: str) -> None:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    small = ["--set", "task.model.g_width=4", "--set", "task.model.d_width=4", "--max-steps", "2", "--name", "it"]
    assert gan("train", "--data", "digits", "--preset", "cgan", "--batch-size", "16", *small).code == 0
    said = gan("export", "it", "--to", "keras", "--out", tmp_path / "out", "--license", "mit", "--json")
    assert said.code == 0, said.err
    assert said.json()["differing_pixels"] == 0
    folder = shutil.copytree(tmp_path / "out", tmp_path / "elsewhere")
    made = []
    for seed in ("7", str(2**62)):
        words = ["--seed", seed, "--n", "1", "--out", tmp_path / f"{seed}.npz", "--label", str(int(seed) // 8 % 10)]
        assert gan("sample", "it", *words).code == 0
        images = next(v for v in np.load(tmp_path / f"{seed}.npz").values() if v.ndim == 4)
        made.append(images[0].transpose(2, 0, 1))
    for found in on(backend, folder):
        np.testing.assert_array_equal(found, np.stack(made))
    facts = json.loads((folder / "config.json").read_text())["export"]
    assert (facts["license"], facts["step"]) == ("mit", 2)


def test_nets_without_keras_code_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Random(tmp_path, case="mlp")
    monkeypatch.setattr(type(source.model.task.model), "name", "of-a-plugin")
    with pytest.raises(UsageError, match="no Keras code for the model 'of-a-plugin'"):
        export(format_of("keras"), source, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ["savedmodel", "tflite"])
def test_forms_of_tensorflow(gan: Gan, run: Path, tmp_path: Path, form: str) -> None:
    """In a process of its own where TensorFlow is installed, since Keras has one backend per process."""
    out = tmp_path / "it"
    if importlib.util.find_spec("tensorflow") is None:
        said = gan("export", run, "--to", form, "--out", out)
        assert (said.code, said.err.count("\n")) == (2, 1)
        assert "tensorflow" in said.err
        assert not out.exists()
        return
    command = [sys.executable, "-m", "gancli", "export", str(run), "--to", form, "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "0 of 640 pixels differ" in done.stderr
