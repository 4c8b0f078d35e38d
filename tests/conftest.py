"""What all tests share: an offline machine of their own, and `gan` as a function."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from gancli.core import plugins, registry
from gancli.core.config import Layer, read_preset, resolve
from gancli.core.specs import Domains, Pairs, Tokens
from gancli.training import precision

# Many tests fork. Autograd starts a thread for each device that is known at the first backward pass, after which a forked
# process may make none; torch.export makes devices known. So the first pass takes place here, while there is only the CPU.
torch.zeros(1, requires_grad=True).sum().backward()

SHARED = Path(__file__).parents[2] / "shared" / "data"
DIGITS: Layer = {"data": {"source": "digits"}}
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


@pytest.fixture(autouse=True, scope="module")
def _own_plugins() -> Iterator[None]:
    """Plug-ins that a test file loads are gone after it, so that files may run in any order in one process."""
    yield
    for known in registry._parts.values():
        for name in [n for n, part in known.items() if part.__module__.startswith(plugins.PREFIX)]:
            del known[name]
    plugins._known.clear()


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

    def spy(net: Net, images: int, total: int) -> None:
        seen.append(torch.cat([g.flatten() for g in net.gradients()]))
        update(net, images, total)

    monkeypatch.setattr(Net, "update", spy)
    return seen


class Official:
    """Results of published code on given numbers: tests/golden/official/parts.json, which names the commits."""

    def __init__(self) -> None:
        self.table = json.loads((Path(__file__).parent / "golden" / "official" / "parts.json").read_text())

    @staticmethod
    def wave(*shape: int, k: int = 0) -> torch.Tensor:
        """The numbers that both codes were given: sin((.37 + .011 k) i + k)."""
        i = torch.arange(math.prod(shape), dtype=torch.float64)
        return torch.sin(i * (0.37 + 0.011 * k) + k).float().reshape(shape)

    @classmethod
    def fill(cls, *parameters: torch.Tensor) -> None:
        """Set parameters, in the order of the published module, to the weights that it was given."""
        with torch.no_grad():
            for k, p in enumerate(parameters):
                p.copy_(0.5 * cls.wave(*p.shape, k=k))

    def close(self, name: str, found: torch.Tensor, rtol: float = 1e-5, atol: float = 1e-5) -> None:
        """Compare with the result of this name, of which about 64 numbers are kept."""
        wanted: Any = self.table
        for key in name.split("/"):
            wanted = wanted[key]
        flat = found.detach().flatten()
        kept = flat[:: max(1, len(flat) // 64)]
        torch.testing.assert_close(kept, torch.as_tensor(wanted).reshape(-1), rtol=rtol, atol=atol)


@pytest.fixture(scope="session")
def official() -> Official:
    return Official()


def data_of(preset: str, place: Path) -> Any:
    """A configuration of data that a preset trains on: digits, two folders of digits and their negatives, or lines."""
    accepts = resolve({"preset": preset}, read_preset(preset), DIGITS).task.accepts
    if issubclass(accepts, Tokens):
        place.mkdir(parents=True)
        letters = np.random.default_rng(0).integers(97, 103, (60, 6)).astype(np.uint8)
        (place / "lines.txt").write_bytes(b"".join(row.tobytes() + b"\n" for row in letters))
        return {"name": "text", "path": str(place / "lines.txt")}
    if not issubclass(accepts, Pairs | Domains):
        return "digits"
    images = load_digits().images[:60].astype(np.uint8) * 15
    for side, made in (("A", images), ("B", 255 - images)):
        (place / f"train{side}").mkdir(parents=True)
        for i, image in enumerate(made):
            Image.fromarray(image.repeat(2, 0).repeat(2, 1)).save(place / f"train{side}" / f"{i}.png")
    return {"name": "translation", "path": str(place), "paired": preset == "pix2pix"}
