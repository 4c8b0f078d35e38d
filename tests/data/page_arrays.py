"""What docs/data.md says of arrays and values, as tests: row -> function of a folder and of what reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gancli.core.errors import GanError
from tests.data.page_rows import Row


def _images(*shape: int, first: int = 0) -> np.ndarray:
    return np.random.default_rng(first).integers(0, 256, shape, np.uint8)


PARITY = np.arange(24) % 2


def _arrays(
    files: dict[str, Any], shape: tuple[int, ...], classes: int = 0, sizes: tuple[int, ...] = (), says: str = "", **options: Any
) -> Row:  # fmt: skip
    def run(place: Path, read: Any) -> None:
        np.savez(place / "a.npz", **files)
        found = read(place / "a.npz", **options)
        assert found.train.images.shape[1:] == shape
        assert len(found.train.classes) == classes
        if sizes:
            assert tuple(len(part) for part in (found.train, found.validation, found.test)) == sizes
        assert says in found.said

    return run


def _rgba(place: Path, read: Any) -> None:
    _arrays({"images": _images(24, 8, 8, 4)}, (3, 8, 8))(place, read)
    _arrays({"images": _images(24, 8, 8, 4)}, (4, 8, 8), channels=4)(place, read)


def _color(place: Path, read: Any) -> None:
    _arrays({"images": _images(24, 8, 8, 3)}, (3, 8, 8))(place, read)
    first = read(place / "a.npz").train.fingerprint
    _arrays({"images": _images(24, 8, 8, 3).transpose(0, 3, 1, 2)}, (3, 8, 8))(place, read)
    assert read(place / "a.npz").train.fingerprint == first


def _attributes(place: Path, read: Any) -> None:
    _arrays({"images": _images(24, 8, 8), "labels": np.random.default_rng(0).random((24, 5))}, (1, 8, 8))(place, read)
    assert len(read(place / "a.npz").train.attribute_names) == 5


def _types(place: Path, read: Any) -> None:
    for images in (_images(24, 8, 8).astype(np.int64), _images(24, 8, 8) / 255, np.asfortranarray(_images(24, 8, 8))):
        _arrays({"images": images}, (1, 8, 8))(place, read)


def _refused(files: dict[str, Any], says: str) -> Row:
    def run(place: Path, read: Any) -> None:
        np.savez(place / "a.npz", **files)
        with pytest.raises(GanError, match=says):
            read(place / "a.npz")

    return run


ARRAYS: dict[str, Row] = {
    "images [N, H, W]": _arrays({"images": _images(24, 8, 8)}, (1, 8, 8)),
    "images [N, H, W, 3]": _color,
    "images [N, H, W, 4]": _rgba,
    "images [N, D]": _arrays({"images": _images(900, 64)}, (1, 8, 8)),
    "x_train y_train x_test y_test": _arrays(
        {"x_train": _images(24, 8, 8), "y_train": PARITY, "x_test": _images(9, 8, 8), "y_test": PARITY[:9]}, (1, 8, 8), 2, (23, 1, 9)
    ),
    "train_images train_labels val_images test_images": _arrays(
        {f"{p}_{k}": _images(n, 8, 8) if k == "images" else PARITY[:n, None] for p, n in (("train", 24), ("val", 7), ("test", 9))
         for k in ("images", "labels")}, (1, 8, 8), 2, (24, 7, 9),
    ),
    "data targets": _arrays({"data": _images(24, 8, 8, 3), "targets": PARITY}, (3, 8, 8), 2),
    "arr_0 arr_1": _arrays({"arr_0": _images(24, 8, 8), "arr_1": PARITY}, (1, 8, 8), 2),
    "one array of another name": _arrays({"photos": _images(24, 8, 8)}, (1, 8, 8), says="the images are the array photos"),
    "labels [N, K] of 0 and 1": _arrays({"images": _images(24, 8, 8), "labels": np.eye(2)[PARITY]}, (1, 8, 8), 2),
    "labels [N, A] of other numbers": _attributes,
    "int64, float64, Fortran order": _types,
    "other arrays": _arrays(
        {"images": _images(24, 8, 8), "kinds": PARITY}, (1, 8, 8), says="--set data.labels=kinds makes it the labels"
    ),
    "no array of images": _refused({"a": PARITY, "b": PARITY}, r"there are a int64 \[24\], b int64 \[24\]"),
    "pickled objects": _refused({"images": np.array([{"a": 1}] * 4, object)}, "pickled, which is never read"),
}  # fmt: skip


def _values(low: float, high: float, kind: str, says: str, warned: str = "") -> Row:
    def run(place: Path, read: Any) -> None:
        images = np.linspace(low, high, 24 * 64).reshape(24, 8, 8)
        images = np.random.default_rng(0).permutation(images.ravel()).reshape(24, 8, 8)
        np.savez(place / "a.npz", images=(images.round() if kind[0] in "iu?" else images).astype(kind))
        found = read(place / "a.npz", holdout=0, validation=0)
        assert says in found.said
        assert warned in "\n".join(found.warnings)
        assert bool(found.warnings) == bool(warned)
        if not warned:
            assert (int(found.train.images.min()), int(found.train.images.max())) == (0, 255)

    return run


def _rounding(place: Path, read: Any) -> None:
    images = np.random.default_rng(0).random((24, 8, 8))
    np.savez(place / "a.npz", images=images)
    want = read(place / "a.npz").train.images
    images[0, 0, 0] = -1e-6
    np.savez(place / "a.npz", images=images)
    found = read(place / "a.npz")
    assert (np.abs(found.train.images.astype(int) - want).max() <= 255, "floats 0 to 1" in found.said) == (True, True)
    assert (found.train.images != want).sum() <= 1


def _zeros_and_ones(place: Path, read: Any) -> None:
    _values(0, 1, "?", "values 0 and 1")(place, read)
    _values(0, 1, "i8", "integers 0 to 1")(place, read)


def _not_finite(place: Path, read: Any) -> None:
    for bad in (np.nan, np.inf):
        _refused({"images": np.full((24, 8, 8), bad)}, "replace what is not finite")(place, read)


VALUES: dict[str, Row] = {
    "8 bits": _values(0, 255, "u1", "integers 0 to 255"),
    "booleans, integers 0 and 1": _zeros_and_ones,
    "16 bits": _values(0, 65535, "u2", "integers 0 to 65,535"),
    "12 bits in 16": _values(0, 4095, "u2", "integers 0 to 65,535", "--set data.range=0,4095"),
    "signed integers": _values(-1000, 3000, "i2", "integers 0 to 65,535", "those below 0 become black"),
    "floats 0 to 1": _rounding,
    "floats -1 to 1": _values(-1, 1, "f4", "floats -1 to 1"),
    "floats 0 to 255": _values(0, 255, "f4", "floats 0 to 255"),
    "other floats": _refused({"images": np.linspace(-2, 3, 24 * 64).reshape(24, 8, 8)}, r"--set data\.range=-2,3"),
    "NaN, infinity": _not_finite,
}
