"""Row 18 of the fault table: what a stranger may offer as a model."""

from __future__ import annotations

import io
import json
import os
import pickle
import resource
import shutil
import stat
import struct
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from gancli.core.errors import CheckpointError
from gancli.inference.loading import load
from gancli.runs import folder

pytestmark = pytest.mark.timeout(900)

# Row 18


class Payload:
    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return (Path.touch, (self.file,))


@pytest.mark.parametrize("form", ["pickle", "torch", "torch legacy"])
def test_a_pickle_offered_as_a_model(run: folder.Run, tmp_path: Path, form: str) -> None:
    target, content = tmp_path / "touched", io.BytesIO()
    if form == "pickle":
        content.write(pickle.dumps(Payload(target)))
    else:
        torch.save(Payload(target), content, _use_new_zipfile_serialization=form == "torch")
    (tmp_path / "model").mkdir()
    shutil.copy(run.model / "config.json", tmp_path / "model" / "config.json")
    (tmp_path / "model" / "model.safetensors").write_bytes(content.getvalue())
    (tmp_path / "model.pt").write_bytes(content.getvalue())
    for path in (tmp_path / "model", tmp_path / "model.pt"):
        with pytest.raises(CheckpointError, match="pickle") as refused:
            load(path)
        assert refused.value.code == 4
    assert not target.exists()


def _header(table: Any, data: bytes = b"") -> bytes:
    text = table if isinstance(table, bytes) else json.dumps(table).encode()
    return struct.pack("<Q", len(text)) + text + data


HOSTILE = {
    "huge shape": _header({"G.x": {"dtype": "F32", "shape": [0, 2**62], "data_offsets": [0, 0]}}),
    "high rank": _header({"G.x": {"dtype": "F32", "shape": [1] * 100_000, "data_offsets": [0, 4]}}, bytes(4)),
    "deep": _header(b"{" + b'"a":[' * 200_000),
    "long header": struct.pack("<Q", 2**63) + b"{}",
    "negative": _header({"G.x": {"dtype": "F32", "shape": [-1], "data_offsets": [0, -4]}}),
    "floats": _header({"G.x": {"dtype": "F32", "shape": [1.0], "data_offsets": [0.0, 4.0]}}, bytes(4)),
    "many": _header({f"G.{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(30_000)}),
    "overlap": _header({n: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} for n in ("G.a", "G.b")}, bytes(8)),
    "empty": b"",
    "text": b"no tensors here, but enough of it",
    "list": _header([]),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_safetensors(run: folder.Run, tmp_path: Path, name: str) -> None:
    shutil.copytree(run.model, tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").write_bytes(HOSTILE[name])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    since = time.monotonic()
    with pytest.raises(CheckpointError):
        load(tmp_path / "model")
    assert time.monotonic() - since < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000


HOSTILE_CONFIGS: dict[str, dict[str, Any]] = {
    "enormous nets": {"task.model.g_widths": [10**9, 10**9]},
    "a million layers": {"task.model.g_widths": [1] * 300_000},
    "negative": {"task.model.z": -1},
    "unknown part": {"task.model.name": "evil"},
    "unknown task": {"task.name": "os.system"},
    "no spec": {"spec": None},
    "spec of text": {"spec.height": "eight"},
    "huge spec": {"spec.height": 10**9},
    "unknown spec": {"spec.name": "evil"},
    "huge classes": {"spec.classes": 10**12, "task.condition": "class"},
    "infinite time": {"tick.step": float("inf")},
    "other format": {"format": 99},
    "facts of text": {"facts": "text"},
}


@pytest.mark.parametrize("name", HOSTILE_CONFIGS)
def test_hostile_configs(run: folder.Run, tmp_path: Path, name: str) -> None:
    shutil.copytree(run.model, tmp_path / "model")
    path = tmp_path / "model" / "config.json"
    table = json.loads(path.read_text())
    for key, value in HOSTILE_CONFIGS[name].items():
        *above, last = key.split(".")
        inner = table
        for part in above:
            inner = inner[part]
        inner[last] = value
    path.write_text(json.dumps(table))
    before, since = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    with pytest.raises(CheckpointError):
        load(tmp_path / "model")
    assert time.monotonic() - since < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000


def test_pipes_and_devices_are_no_files(run: folder.Run, tmp_path: Path) -> None:
    shutil.copytree(run.model, tmp_path / "model")
    path = tmp_path / "model" / "model.safetensors"
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(CheckpointError):
        load(tmp_path / "model")
    assert stat.S_ISFIFO(path.stat().st_mode)
