"""What the tests of the data room share: how to read, and pictures to read."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gancli.core import registry
from gancli.core.data import Reading, Source, Split
from gancli.data import find
from gancli.data.idx import Idx
from gancli.data.images import ImageDataset

Make = Callable[..., bytes]
Zipper = Callable[..., Path]
Write = Callable[[str, dict[str, bytes]], Path]
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


@pytest.fixture
def zipped() -> Callable[..., Path]:
    """Write files into a zip."""

    def make(files: dict[str, bytes], path: Path, method: int = zipfile.ZIP_DEFLATED) -> Path:
        with zipfile.ZipFile(path, "w", method) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        return path

    return make


@pytest.fixture
def classes(picture: Callable[..., bytes]) -> dict[str, bytes]:
    return {f"{c}/{i}.png": picture(seed=i + 10 * k) for k, c in enumerate(("cat", "dog")) for i in range(10)}


def idx(array: np.ndarray) -> bytes:
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def source(name: str, **options: object) -> Source:
    part = registry.build("data", {"name": name, **options})
    assert isinstance(part, Source)
    return part


def put(name: str, how: Reading, zipped: bool = False, n: int = 20) -> np.ndarray:
    """Files of an IDX source; returns the training images as they lie in the file."""
    part = registry.find("data", name)
    assert issubclass(part, Idx)
    folder = how.data_dir / part.folder
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (n, 28, 28), dtype=np.uint8)
    labels = np.arange(n, dtype=np.uint8) % 10
    for file, array in zip(part.files, (images, labels, images[:10], labels[:10]), strict=True):
        path = folder / (file + ".gz" * zipped)
        path.write_bytes(gzip.compress(idx(array)) if zipped else idx(array))
    return images


def count(split: Split) -> int:
    """All images of a split."""
    return len(split.train) + len(split.validation) + len(split.test)


def same(a: Split, b: Split) -> bool:
    pairs = ((a.train, b.train), (a.validation, b.validation), (a.test, b.test))
    return all(np.array_equal(x.images, y.images) and np.array_equal(x.labels, y.labels) for x, y in pairs)


def pics(folder: Path, n: int, size: int = 8, first: int = 0, suffix: str = "png") -> Path:
    """Noisy pictures, `0000.png` and so on."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(first, first + n):
        pixels = np.random.default_rng(i).integers(0, 255, (size, size, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{i:04d}.{suffix}")
    return folder


def save(folder: Path, arrays: list[np.ndarray], suffix: str = "png") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i, array in enumerate(arrays):
        Image.fromarray(array).save(folder / f"{i}.{suffix}")
    return folder


@dataclass
class Read:
    """Data with what was said of them."""

    train: ImageDataset
    validation: ImageDataset
    test: ImageDataset
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def said(self) -> str:
        return "\n".join([*self.notes, *self.warnings])

    def classes_by_shade(self) -> dict[int, str]:
        """The first pixel of each picture, and its class."""
        parts = (self.train, self.validation, self.test)
        rows = [(p.images[i].flat[0], p.classes[p.labels[i]]) for p in parts for i in range(len(p))]  # type: ignore[index]
        return {int(shade): name for shade, name in rows}


@pytest.fixture
def read(how: Reading) -> Callable[..., Read]:
    def of(path: Path, **options: Any) -> Read:
        notes, warnings = list[str](), list[str]()
        own = replace(how, note=notes.append, warn=warnings.append, **options)
        source: Any = registry.build("data", find.source_for(str(path)))
        split = find.read(source, own)
        return Read(split.train, split.validation, split.test, notes, warnings)

    return of
