"""What the tests of the data room share: how to read, and pictures to read."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gancli.sources import Reading

SHARED = Path(__file__).parents[3] / "shared" / "data"


@dataclass
class Notes:
    """What a source says while it reads."""

    lines: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def how(tmp_path: Path, notes: Notes) -> Reading:
    return Reading(tmp_path / "data", tmp_path / "cache", note=notes.lines.append)


@pytest.fixture
def shared_how(how: Reading) -> Reading:
    if not (SHARED / "MNIST").is_dir():
        pytest.skip(f"the real data is not in {SHARED}")
    return replace(how, data_dir=SHARED)


@pytest.fixture
def picture() -> Callable[..., bytes]:
    """The bytes of a noisy picture."""

    def make(
        mode: str = "RGB", size: tuple[int, int] = (16, 16), kind: str = "PNG", seed: int = 0, **options: Any
    ) -> bytes:
        channels = len(Image.new(mode, (1, 1)).getbands())
        pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], channels), dtype=np.uint8)
        image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels, "L" if mode == "P" else None)
        if channels > 1:
            image = Image.frombytes(mode, size, pixels.tobytes())
        elif mode != "L":
            image = image.convert(mode)
        out = io.BytesIO()
        image.save(out, kind, **options)
        return out.getvalue()

    return make


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, dict[str, bytes]], Path]:
    """Write files below a folder of tmp_path."""

    def files(folder: str, contents: dict[str, bytes]) -> Path:
        root = tmp_path / folder
        root.mkdir(parents=True, exist_ok=True)
        for name, data in contents.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return root

    return files
