"""What all tests share: an offline machine of their own, and `gan` as a function."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from gancli.training import precision

SHARED = Path(__file__).parents[2] / "shared" / "data"
TINY = ["--set", "task.model.g_widths=[16]", "--set", "task.model.d_widths=[16]", "--batch-size", "32"]


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No network, no data but what the test makes, a cache and runs of its own, a terminal of 200 columns, float32 everywhere."""
    for name in ("DATA_DIR", "CACHE_DIR", "RUNS_DIR"):
        monkeypatch.setenv(f"GAN_{name}", str(tmp_path / name.lower()))
    monkeypatch.setenv("GAN_TRAIN_DOWNLOAD", "0")
    monkeypatch.setenv("GAN_DATA_DOWNLOAD", "0")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(precision, "multiplies_bf16", lambda _device: False)
    torch.set_num_threads(1)


@dataclass
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


Gan = Callable[..., Said]


@pytest.fixture
def gan(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Gan:
    """`gan("train", "--epochs", "1")` runs the command line in this process."""
    from gancli.cli import main

    def call(*words: str | Path) -> Said:
        monkeypatch.setattr(sys, "argv", ["gan", *map(str, words)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main()
        sys.stdout.flush()
        sys.stderr.flush()
        out, err = capfd.readouterr()
        return Said(int(exit_.value.code or 0), out, err)

    return call


@pytest.fixture
def run(gan: Gan, tmp_path: Path) -> Path:
    """A small run on the digits, trained for 20 steps."""
    said = gan("train", "--data", "digits", "--name", "small", "--max-steps", "20", *TINY)
    assert said.code == 0, said.err
    return tmp_path / "runs_dir" / "small"


@pytest.fixture
def gradients(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What every update of a net is given, in order, each as one vector: nets let go of their gradients."""
    import torch

    from gancli.training.net import Net

    seen: list[Any] = []
    update = Net.update

    def spy(net: Net, lr: float) -> None:
        seen.append(torch.cat([g.flatten() for g in net.gradients()]))
        update(net, lr)

    monkeypatch.setattr(Net, "update", spy)
    return seen
