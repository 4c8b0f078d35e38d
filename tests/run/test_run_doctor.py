"""`gan doctor`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from gancli.run import checkpoint
from gancli.run.lock import locked


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
