"""`gan export --to hub`: a folder with weights and a card that `gancli.load` reads after a download."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch

import gancli
from tests.conftest import Gan


def test_a_folder_that_loads_elsewhere(gan: Gan, run: Path, tmp_path: Path) -> None:
    said = gan("evaluate", run, "--n", "60", "--metrics", "fid", "--features", "random-conv")
    assert said.code == 0, said.err
    out = tmp_path / "hub"
    said = gan("export", run, "--to", "hub", "--out", out, "--license", "mit")
    assert said.code == 0, said.err
    assert (out / "model.safetensors").read_bytes() == (run / "model/model.safetensors").read_bytes()
    downloaded = shutil.copytree(out, tmp_path / "elsewhere")
    (downloaded / ".gitattributes").write_text("*.safetensors filter=lfs\n")
    assert torch.equal(gancli.load(downloaded).sample(3, seed=7), gancli.load(run).sample(3, seed=7))
    _, head, body = (out / "README.md").read_text().split("---\n")
    values = {key: json.loads(value) for key, value in (line.split(": ", 1) for line in head.splitlines())}
    assert values["library_name"] == "gancli"
    assert values["pipeline_tag"] == "unconditional-image-generation"
    assert (values["license"], values["datasets"]) == ("mit", ["digits"])
    metrics = values["model-index"][0]["results"][0]["metrics"]
    assert [metric["name"] for metric in metrics] == ["fid@random-conv"]
    assert metrics[0]["args"] | {"n_fake": 60, "features": "random-conv"} == metrics[0]["args"]  # the protocol
    assert metrics[0]["args"]["error"] > 0
    own = (run / "model/README.md").read_text().split("---\n")  # the folder that every run has is a model of a hub, too
    assert "pipeline_tag: " in own[1]
    assert 'license: "unknown"' in own[1]
    assert body.startswith("\n# small\n")
    assert gan("export", run, "--to", "hub", "--out", out).code == 2
