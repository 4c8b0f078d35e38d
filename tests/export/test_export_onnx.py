"""`gan export --to onnx`: the same pictures in onnxruntime, for batches of any size, with the facts inside; else nothing is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gancli.core.exportable import Draw
from gancli.core.images import to_uint8
from gancli.export import contracts
from gancli.export.formats import onnx as onnx_format
from gancli.export.seeds import draw
from tests.conftest import TINY, Gan

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
SMALL = {
    "stylegan2": ["--set", "task.model.z=16", "--set", "task.model.w=16", "--set", "task.model.width=4",
                  "--set", "task.model.widest=8", "--set", "task.model.mapping=2"],
    "infogan": ["--set", "task.model.g_width=4", "--set", "task.condition.continuous=3"],
    "cgan": [],
}  # fmt: skip


def facts_of(path: Path) -> dict[str, str]:
    return {entry.key: entry.value for entry in onnx.load(path).metadata_props}


def picture(path: Path, seed: int, label: int | None) -> np.ndarray:
    """The picture of a seed as a stranger makes it: from the file alone."""
    facts = facts_of(path)
    inputs = {
        name: draw([Draw(**{**how, "path": tuple(how["path"])}) for how in draws], [seed])
        for name, draws in json.loads(facts["draws"]).items()
    }
    if label is not None:
        inputs["label"] = np.array([label])
    return to_uint8(torch.from_numpy(onnx_format.session(path)(inputs)))[0]


def sampled(gan: Gan, run: Path, seed: int, label: int | None, out: Path) -> np.ndarray:
    named = [] if label is None else ["--label", str(label)]
    assert gan("sample", run, "--seed", str(seed), "--n", "1", *named, "--out", out).code == 0
    images = next(v for k, v in np.load(out).items() if v.ndim == 4)
    return np.asarray(images[0].transpose(2, 0, 1))


def test_the_picture_of_a_seed(gan: Gan, run: Path, tmp_path: Path) -> None:
    out = tmp_path / "small.onnx"
    said = gan("export", run, "--to", "onnx", "--out", out, "--license", "cc-by-4.0", "--json")
    assert said.code == 0, said.err
    assert "batches of 1, 2, 7" in said.err
    assert said.json()["differing_pixels"] == 0
    assert said.json()["largest_difference"] < 1e-5
    np.testing.assert_array_equal(picture(out, 7, None), sampled(gan, run, 7, None, tmp_path / "x.npz"))
    facts = facts_of(out)
    assert facts["task"] == "generate"
    assert facts["license"] == "cc-by-4.0"
    assert facts["step"] == "20"
    import hashlib

    assert facts["weights_sha256"] == hashlib.sha256((run / "model/model.safetensors").read_bytes()).hexdigest()
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".small")] == []


@pytest.mark.parametrize("preset", SMALL)
def test_with_labels_attributes_and_noise(gan: Gan, tmp_path: Path, preset: str) -> None:
    words = ["--max-steps", "2", "--batch-size", "16", "--name", "it", *SMALL[preset]]
    said = gan("train", "--data", "digits", "--preset", preset, *words)
    assert said.code == 0, said.err
    run, out = tmp_path / "runs_dir/it", tmp_path / "it.onnx"
    said = gan("export", run, "--to", "onnx", "--out", out)
    assert said.code == 0, said.err
    label = None if preset == "stylegan2" else 3
    for seed in (0, 2**62):
        np.testing.assert_array_equal(picture(out, seed, label), sampled(gan, run, seed, label, tmp_path / "x.npz"))


def fixed_batch(_source: Any, _path: Path) -> contracts.Runner:
    def run(inputs: contracts.Arrays) -> np.ndarray:
        if len(inputs["z"]) != 2:
            raise ValueError("got 1 for dimension 0, expected 2")
        return np.zeros((2, 1, 8, 8), np.float32)

    return run


@pytest.mark.parametrize(("runner", "why"), [
    (fixed_batch, "does not run with 1 rows: got 1"),
    (lambda _s, _p: lambda inputs: np.full((len(inputs["z"]), 1, 8, 8), 0.5, np.float32), "differs from torch by"),
    (lambda _s, _p: lambda inputs: np.zeros((len(inputs["z"]), 1, 9, 8), np.float32), "where torch makes"),
])  # fmt: skip
def test_what_does_not_equal_the_model_is_not_written(
    gan: Gan, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runner: Any, why: str
) -> None:
    monkeypatch.setattr(onnx_format.Onnx, "write", lambda _self, _source, path: path.write_bytes(b"x"))
    monkeypatch.setattr(onnx_format.Onnx, "runner", lambda _self, source, path: runner(source, path))
    said = gan("export", run, "--to", "onnx", "--out", tmp_path / "no.onnx")
    assert said.code == 5
    assert why in said.err
    assert said.err.count("\n") == 1
    assert not list(tmp_path.glob("*no.onnx*"))


@pytest.mark.parametrize(("form", "why"), [
    ("pt2", "contains pickles"), ("torchscript", "contain pickles"), ("pkl", "can run code"), ("onx", "did you mean onnx"),
])  # fmt: skip
def test_refused_forms(gan: Gan, run: Path, form: str, why: str) -> None:
    said = gan("export", run, "--to", form)
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert why in said.err


def test_missing_libraries_and_folders(gan: Gan, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = gan("export", run, "--out", tmp_path / "none/x.onnx")
    assert (said.code, "mkdir -p" in said.err) == (2, True)
    monkeypatch.setattr(onnx_format.Onnx, "needs", ("no_such_module",))
    said = gan("export", run, "--out", tmp_path / "x.onnx")
    assert (said.code, "pip install 'gancli[export]'" in said.err) == (2, True)


def test_raw_weights_and_an_older_step(gan: Gan, tmp_path: Path) -> None:
    words = ["--max-steps", "4", "--save-every", "64", "--keep", "3", "--name", "steps"]
    assert gan("train", "--data", "digits", *words, *TINY).code == 0
    run, out = tmp_path / "runs_dir/steps", tmp_path / "old.onnx"
    assert gan("export", run, "--step", "2", "--no-ema", "--out", out).code == 0
    assert (facts_of(out)["step"], facts_of(out)["ema"]) == ("2", "false")
