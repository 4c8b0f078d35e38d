"""`gan doctor`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from gancli.runs import checkpoint
from gancli.runs.lock import locked

PLUGIN = """
from gancli.losses.hinge import Hinge
class Twice(Hinge):
    name = "twice_of_doctor"
"""


def test_all_is_well(gan: Any, run: Path) -> None:
    said = gan("doctor", run, "--json")
    found = said.json()
    assert said.code == 0
    assert found["well"]
    assert {"python", "torch", "torchvision", "processor", "gpu", "lock"} <= {f["what"] for f in found["findings"]}


def test_without_a_run(gan: Any) -> None:
    assert gan("doctor").code == 0


def test_a_damaged_checkpoint_and_a_torn_journal(gan: Any, run: Path) -> None:
    point = checkpoint.listed(run / "checkpoints")[0]
    os.truncate(point / "nets.safetensors", 10)
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": ')
    said = gan("doctor", run)
    assert said.code == 4
    assert "nets.safetensors has 10 bytes" in said.err
    assert "a line is torn" in said.err
    assert "gan resume skips it" in said.err


def test_who_is_training(gan: Any, run: Path) -> None:
    with locked(run):
        assert f"held by process {os.getpid()}" in gan("doctor", run).err


def test_no_such_run(gan: Any) -> None:
    assert gan("doctor", "nowhere").code == 2


def test_a_save_that_goes_on_is_not_broken_off(gan: Any, run: Path) -> None:
    (run / "checkpoints" / ".tmp-000030").mkdir()
    with locked(run):
        assert "broken off" not in gan("doctor", run).err
    assert "broken off" in gan("doctor", run).err


def test_a_run_of_a_plugin_s_part(gan: Any, run: Path, tmp_path: Path) -> None:
    (tmp_path / "twice.py").write_text(PLUGIN)
    config = json.loads((run / "config.json").read_text())
    config["task"]["loss"] = {"name": "twice_of_doctor"}
    (run / "config.json").write_text(json.dumps(config))
    assert gan("doctor", run).code == 4
    assert gan("doctor", run, "--plugin", tmp_path / "twice.py").code == 0
